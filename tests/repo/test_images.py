"""What images are made of: the lock's part for an extra, the Dockerfiles, and sameness."""

import os
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.dockerfiles import REPOSITORY, copy_context, dockerfile_of, read_dockerfile
from tools.image.locked import LockError, canonical, names_in, read_lock, roots_of, subset
from tools.image.programs import IMAGES
from tools.image.sameness import bytes_in, digest, digests, settle

LOCK = (REPOSITORY / "requirements.lock").read_text()
PYPROJECT = (REPOSITORY / "pyproject.toml").read_text()

SMALL = """top==1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via farebox (pyproject.toml)
Mid_dle==2.0 ; python_full_version < '3.12' \\
    --hash=sha256:ba
    # via top
mid-dle==3.0 ; python_full_version >= '3.12' \\
    --hash=sha256:bb
    # via top
leaf==4.0 \\
    --hash=sha256:ca
    # via
    #   mid-dle
    #   other
other==5.0 \\
    --hash=sha256:da
    # via farebox (pyproject.toml:dev)
"""


def test_a_subset_is_closed_and_stands_as_in_the_lock() -> None:
    assert names_in(subset(SMALL, ["top"])) == {"top", "mid-dle", "leaf"}
    assert names_in(subset(SMALL, ["other"])) == {"other", "leaf"}
    assert subset(SMALL, ["top", "other"]) == SMALL
    assert subset(SMALL, ["Leaf"]).splitlines() == SMALL.splitlines()[10:15]


@pytest.mark.parametrize(
    ("lock", "roots", "complaint"),
    [
        (SMALL, ["lost"], "lost is not in the lock"),
        ("top==1.0\n    # via farebox\n", ["top"], "top has no hashes"),
        ("git+https://example.com/top\n", ["top"], "is no pinned package"),
    ],
)
def test_a_lock_that_can_not_serve_is_refused(lock: str, roots: list[str], complaint: str) -> None:
    with pytest.raises(LockError, match=complaint):
        subset(lock, roots)


def test_an_extra_that_is_not_there_is_named() -> None:
    with pytest.raises(LockError, match=r"'lost' is no extra .* sidecar, controller"):
        roots_of(PYPROJECT, "lost")


@pytest.mark.parametrize("name", IMAGES)
def test_an_extra_gets_what_its_packages_ask_for_and_no_more(name: str) -> None:
    """The lock's notes against the metadata of what is installed here."""
    wanted = [canonical(root) for root in roots_of(PYPROJECT, name)]
    needed: set[str] = set()
    while wanted:
        package = wanted.pop()
        if package not in needed:
            needed.add(package)
            asked = map(Requirement, distribution(package).requires or ())
            wanted += [
                canonical(one.name)
                for one in asked
                if one.marker is None or one.marker.evaluate({"extra": ""})
            ]
    assert names_in(subset(LOCK, roots_of(PYPROJECT, name))) == needed


def test_nothing_that_develops_is_in_an_image() -> None:
    groups = tomllib.loads(PYPROJECT)["dependency-groups"]
    developing = {canonical(Requirement(text).name) for text in groups["dev"] + groups["bench"]}
    taken = [names_in(subset(LOCK, roots_of(PYPROJECT, name))) for name in IMAGES]
    assert [sorted(names & developing) for names in taken] == [[], []]
    assert names_in(LOCK) == {entry.name for entry in read_lock(LOCK)}


@pytest.mark.parametrize("name", IMAGES)
def test_a_dockerfile_says_what_the_image_is(name: str) -> None:
    image, said = IMAGES[name], dockerfile_of(name)
    assert said.run == ["python3", "-m", "tools.image", name, "/image"]
    assert said.stages == ["${PYTHON_IMAGE} AS build", "scratch"]
    assert said.user == f"{image.user}:{image.user}"
    assert said.entrypoint == [f"/usr/bin/{image.program}"]
    assert said.labels["org.opencontainers.image.title"] == image.program
    version = tomllib.loads(PYPROJECT)["project"]["version"]
    assert said.labels["org.opencontainers.image.version"] == version
    assert said.health[1:3] == ["-IBm", "farebox.runtime.health"]


@pytest.mark.parametrize("name", IMAGES)
def test_what_a_dockerfile_copies_is_sent_to_the_build(name: str, tmp_path: Path) -> None:
    said = dockerfile_of(name)
    ignored = REPOSITORY / f"deploy/images/{name}.Dockerfile.dockerignore"
    first, *lines = [line for line in ignored.read_text().splitlines() if line[0] != "#"]
    assert first == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == set(said.copies)
    copy_context(said, tmp_path / "context")
    assert (tmp_path / "context/tools/image/__main__.py").is_file()


@pytest.mark.parametrize(
    "line", ["VOLUME /data", "ADD x /x", "RUN more", "COPY --from=other /x /x"]
)
def test_a_dockerfile_can_not_do_what_no_test_looks_at(line: str) -> None:
    text = (REPOSITORY / "deploy/images/sidecar.Dockerfile").read_text()
    with pytest.raises(ValueError, match=r"no test knows|nothing else"):
        read_dockerfile(f"{text}{line}\n")


def _tree(root: Path) -> Path:
    (root / "open").mkdir(parents=True)
    (root / "program").write_text("#!")
    (root / "program").chmod(0o700)
    (root / "text").write_text("x")
    (root / "text").chmod(0o664)
    (root / "link").symlink_to("text")
    os.utime(root / "text", (5, 5))
    return root


def test_settled_trees_are_the_same_wherever_they_were_made(tmp_path: Path) -> None:
    one, two = _tree(tmp_path / "one"), _tree(tmp_path / "a/second/one")
    (two / "text").chmod(0o600)
    assert digest(one) != digest(two)
    for root in (one, two):
        settle(root, epoch=7, writable=("open",))
    assert digest(one) == digest(two)
    owner = f"{os.geteuid()}:{os.getegid()}"
    said = [line.replace(owner, "0:0") for line in digests(one)]
    assert [line.split()[0] for line in said] == [
        "lrwxrwxrwx",
        "drwxrwxrwt",
        "-rwxr-xr-x",
        "-rw-r--r--",
    ]
    assert {line.split()[2] for line in said} == {"7"}
    assert bytes_in(one) == 3


def test_a_difference_in_one_byte_is_seen(tmp_path: Path) -> None:
    one = _tree(tmp_path / "one")
    before = digest(one)
    (one / "text").write_text("y")
    os.utime(one / "text", (5, 5))
    assert digest(one) != before
