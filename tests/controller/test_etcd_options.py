"""How etcd is reached: flags, files, and what must not cross a network in the clear."""

from pathlib import Path

import pytest

from controller.config import ConfigError, read_config
from controller.etcd_options import EtcdOptions


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """The flags that must be there; and files that others may name."""
    (tmp_path / "ca.pem").write_bytes(b"authority")
    (tmp_path / "cert.pem").write_bytes(b"certificate")
    (tmp_path / "key.pem").write_bytes(b"key")
    (tmp_path / "password").write_text("open sesame\n")
    (tmp_path / "empty").write_text("")
    return ["--manifests", str(tmp_path), "--store", "etcd"]


def options(given: list[str], *flags: str) -> EtcdOptions:
    store = read_config([*given, *flags], {}).store
    assert isinstance(store, EtcdOptions)
    return store


def test_on_loopback_nothing_but_endpoints_is_needed(given: list[str]) -> None:
    assert options(given, "--etcd-endpoints", "127.0.0.1:2379, localhost:2380,[::1]:2381") == (
        EtcdOptions(endpoints=("127.0.0.1:2379", "localhost:2380", "[::1]:2381"))
    )


def test_everything_can_be_given_and_files_are_read(given: list[str], tmp_path: Path) -> None:
    found = options(
        given,
        *("--etcd-endpoints", "etcd-0.etcd:2379,etcd-1.etcd:2379", "--etcd-prefix", "/a/b/"),
        *("--etcd-ca", str(tmp_path / "ca.pem"), "--etcd-cert", str(tmp_path / "cert.pem")),
        *("--etcd-key", str(tmp_path / "key.pem"), "--etcd-user", "farebox"),
        *("--etcd-password-file", str(tmp_path / "password")),
    )

    assert found == EtcdOptions(
        endpoints=("etcd-0.etcd:2379", "etcd-1.etcd:2379"),
        prefix="/a/b",
        ca=b"authority",
        cert=b"certificate",
        key=b"key",
        user="farebox",
        password="open sesame",
    )
    assert "sesame" not in repr(found)


def test_variables_have_the_names_of_the_flags(given: list[str]) -> None:
    environment = {"FAREBOX_ETCD_ENDPOINTS": "127.0.0.1:1", "FAREBOX_STORE": "etcd"}
    assert read_config(given[:2], environment).store == EtcdOptions(endpoints=("127.0.0.1:1",))


@pytest.mark.parametrize(
    ("flags", "want"),
    [
        ([], "--etcd-endpoints is missing: give etcd's members as HOST:PORT"),
        (["--etcd-endpoints", "etcd"], "'etcd' is not an endpoint"),
        (["--etcd-endpoints", "http://etcd:1"], "is not an endpoint"),
        (["--etcd-endpoints", ","], "names 0 endpoints"),
        (["--etcd-endpoints", "etcd:1"], "etcd:1 is not on this machine"),
        (["--etcd-endpoints", "10.0.0.1:1"], "must not cross a network in the clear"),
        (["--etcd-endpoints", "localhost:1", "--etcd-prefix", "x"], "is not a prefix"),
        (["--etcd-endpoints", "localhost:1", "--etcd-user", "x"], "--etcd-password-file go toge"),
        (["--etcd-endpoints", "localhost:1", "--etcd-user", " "], "can't be empty"),
        (["--etcd-endpoints", "localhost:1", "--etcd-ca", "/none"], "No such file"),
        (["--etcd-endpoints", "localhost:1", "--etcd-ca", "EMPTY"], "is empty or larger"),
        (["--etcd-endpoints", "localhost:1", "--etcd-ca", "CA", "--etcd-cert", "CA"], "together"),
        (["--store", "mysql"], "write sqlite:FILE or etcd"),
        (["--store", "sqlite:"], "write sqlite:FILE or etcd"),
        (["--store", "sqlite:x", "--etcd-endpoints", "localhost:1"], "only with --store etcd"),
    ],
)
def test_a_mistake_is_one_sentence(
    given: list[str], tmp_path: Path, flags: list[str], want: str
) -> None:
    places = {"EMPTY": str(tmp_path / "empty"), "CA": str(tmp_path / "ca.pem")}
    with pytest.raises(ConfigError) as caught:
        read_config([*given, *(places.get(flag, flag) for flag in flags)], {})

    assert any(want in mistake for mistake in caught.value.mistakes)
    assert all(mistake.endswith(".") for mistake in caught.value.mistakes)
