"""Flags, environment, and one sentence for each mistake."""

from pathlib import Path

import pytest

from controller.config import OPTIONS, USAGE, ConfigError, read_config, variable_of
from farebox.runtime.endpoints import Endpoint


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """The flags that must be there."""
    return ["--manifests", str(tmp_path), "--state", str(tmp_path / "ledger")]


def test_flags_are_read_and_the_rest_has_defaults(given: list[str], tmp_path: Path) -> None:
    config = read_config(
        [*given, "--listen=127.0.0.1:0", "--ttl-ms", "20000", "--variables", "A=x,B=http://h:1/v1"],
        {},
    )

    assert config.manifests == tmp_path
    assert config.listen == Endpoint("127.0.0.1", 0)
    assert (config.heartbeat, config.ttl, config.recall_wait) == (5_000, 20_000, 500)
    assert config.variables == {"A": "x", "B": "http://h:1/v1"}
    assert config.ready_file is None
    assert config.log_level == "info"
    assert (config.watch_window, config.prices_days_max) == (3_600_000, 90)


def test_the_environment_fills_in_and_a_flag_wins(given: list[str], tmp_path: Path) -> None:
    environment = {
        "FAREBOX_READY_FILE": str(tmp_path / "ready"),
        "FAREBOX_POLL_MS": "50",
        "FAREBOX_TTL_MS": "60000",
    }
    config = read_config([*given, "--poll-ms", "70"], environment)

    assert config.ready_file == tmp_path / "ready"
    assert (config.poll, config.ttl) == (70, 60_000)


@pytest.mark.parametrize(
    ("flags", "want"),
    [
        (["--manifests", "/no/such/folder"], "--manifests: '/no/such/folder' is not a folder"),
        (["--state", "/no/such/folder/ledger"], "name one in a folder that exists"),
        (["--listen", "0.0.0.0:80"], 'is not on loopback: write "127.0.0.1:80"'),
        (["--admin", "nowhere"], "--admin: 'nowhere' is not an address"),
        (["--ttl-ms", "soon"], "'soon' is not a time: write milliseconds"),
        (["--poll-ms", "0"], "'0' is not a time"),
        (["--poll-ms", "²"], "is not a time"),
        (["--heartbeat-ms", "9000"], "--ttl-ms 15000 must be at least twice --heartbeat-ms 9000"),
        (["--variables", "A"], "write NAME=value,NAME=value"),
        (["--log-level", "loud"], "write one of debug, info, warning, error"),
        (["--prices-days-max", "a year"], "is not a number of days: write 0 to 9999"),
        (["--verbose"], "'--verbose' is not a flag of the controller"),
        (["--poll-ms"], "--poll-ms has no value: write --poll-ms VALUE."),
        (["--store", "sqlite:ledger"], "--state and --store both name a ledger"),
        (["--etcd-user", "ana"], "--etcd-user: only with --store etcd"),
        (["--name", " "], "--name: ' ' is not a name"),
    ],
)
def test_a_mistake_is_one_sentence_that_says_what_to_write(
    given: list[str], flags: list[str], want: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config([*given, *flags], {})

    (sentence,) = caught.value.mistakes
    assert want in sentence
    assert sentence.endswith(".")


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(["--listen", "x"], {})

    assert caught.value.mistakes == (
        "--manifests is missing: give it, or set FAREBOX_MANIFESTS (or --kubernetes).",
        "--listen: 'x' is not an address: write \"127.0.0.1:PORT\" (port 0: any).",
        "--store is missing: give it, or set FAREBOX_STORE (or --state FILE).",
    )


def test_a_cluster_takes_the_place_of_the_folder(tmp_path: Path) -> None:
    injection = tmp_path / "injection.yaml"
    injection.write_text("image: farebox-sidecar:1\ncontrollers: [a.farebox.svc:7447]\n")
    config = read_config(
        [
            *("--kubernetes", "--own-namespace=farebox", f"--state={tmp_path / 'ledger'}"),
            *("--listen=0.0.0.0:7447", "--advertise", "farebox-controller-0.farebox.svc:7447"),
            *("--webhook=[::]:9443", "--probes=0.0.0.0:7449", f"--injection={injection}"),
        ],
        {},
    )

    assert config.manifests is None
    assert config.kube is not None
    assert config.kube.own_namespace == "farebox"
    assert config.kube.injection is not None
    assert config.kube.injection.controllers == ("a.farebox.svc:7447",)
    assert config.kube.webhook == Endpoint("::", 9443)
    assert config.kube.probes == Endpoint("0.0.0.0", 7449)
    assert config.listen == Endpoint("0.0.0.0", 7447)
    assert config.advertise == Endpoint("farebox-controller-0.farebox.svc", 7447)


def test_a_switch_in_the_environment_has_a_value(tmp_path: Path) -> None:
    given = ["--own-namespace=farebox", f"--state={tmp_path / 'ledger'}"]
    assert read_config(given, {"FAREBOX_KUBERNETES": "true"}).kube is not None
    with pytest.raises(ConfigError, match='neither "true" nor "false"'):
        read_config(given, {"FAREBOX_KUBERNETES": "perhaps"})


@pytest.mark.parametrize(
    ("flags", "want"),
    [
        (["--manifests", "."], "--manifests and --kubernetes both say where resources come from."),
        (["--own-namespace", "Mine"], "--own-namespace: 'Mine' is not a name"),
        (["--kubeconfig", "/no/such/file"], "'/no/such/file' is not a file"),
        (["--pod-address", "Maybe"], "'Maybe' is neither Require nor Ignore"),
        (["--audience", "a b"], "'a b' is not an audience"),
        (["--probes", "here:1"], "--probes: 'here:1' is not an"),
        (["--injection", __file__], "--webhook and --injection go together"),
        (
            [f"--injection={__file__}", "--webhook=0.0.0.0:9443"],
            "--injection: ",
        ),
        (["--admin", "0.0.0.0:7448"], "--admin: '0.0.0.0:7448' is not on loopback"),
        (["--advertise", "no port"], "--advertise: 'no port' is not an address"),
    ],
)
def test_a_mistake_in_a_cluster_is_one_sentence(
    tmp_path: Path, flags: list[str], want: str
) -> None:
    given = ["--kubernetes", f"--state={tmp_path / 'ledger'}", "--own-namespace=farebox"]
    with pytest.raises(ConfigError) as caught:
        read_config([*given, *flags], {})

    assert want in str(caught.value)


def test_flags_of_a_cluster_mean_nothing_without_one(given: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"--service, --probes: only with --kubernetes\."):
        read_config([*given, "--service", "mine", "--probes", "127.0.0.1:1"], {})


@pytest.mark.parametrize("flag", OPTIONS)
def test_every_flag_is_in_the_usage_and_has_a_variable(flag: str) -> None:
    assert f"  {flag} " in USAGE
    assert variable_of(flag).startswith("FAREBOX_")
