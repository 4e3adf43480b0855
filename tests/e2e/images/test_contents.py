"""What is in an image: its own packages and what they load, the same at every build."""

import stat
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.e2e.images.conftest import Made, MakeContainer, Say
from tests.support.dockerfiles import REPOSITORY
from tools.image.locked import canonical, names_in, roots_of, subset
from tools.image.programs import IMAGES, SITE
from tools.image.sameness import bytes_in, digests

MIB = 1 << 20
MIB_MAX = {"sidecar": 140, "controller": 260}
"""Found: 117 and 233. An image that grows past this has got something that it should not have."""

NAMES = list(IMAGES)
IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.remove("") if "" in sys.path else None
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        importlib.import_module(module.name)
print(len([name for name in sys.modules if name.partition(".")[0] in sys.argv]))
"""

pytestmark = pytest.mark.timeout(2_000)


def packages(made: Made) -> dict[str, Distribution]:
    found = distributions(path=[str(made.root / SITE)])
    return {canonical(one.metadata["Name"]): one for one in found}


@pytest.mark.parametrize("name", NAMES)
def test_two_builds_give_the_same_files(made: Mapping[str, Made], name: str, say: Say) -> None:
    one = made[name]
    first, again = list(digests(one.root)), list(digests(one.again))
    assert [pair for pair in zip(first, again, strict=True) if pair[0] != pair[1]] == []
    assert {line.split()[2] for line in first} == {"0"}, "a file tells when it was made"
    say(f"{one.said}, twice")


@pytest.mark.parametrize("name", NAMES)
def test_only_the_packages_of_the_extra_are_inside(made: Mapping[str, Made], name: str) -> None:
    lock = (REPOSITORY / "requirements.lock").read_text()
    roots = roots_of((REPOSITORY / "pyproject.toml").read_text(), name)
    inside = packages(made[name])
    assert inside.keys() <= names_in(subset(lock, roots)) | {"farebox"}
    site = made[name].root / SITE
    strangers = {other for other in IMAGES if other != name} | {"farebox/cli", "pip", "hatchling"}
    assert [stranger for stranger in strangers if (site / stranger).exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_of_every_package_is_met(made: Mapping[str, Made], name: str) -> None:
    inside = packages(made[name])
    unmet = [
        f"{package}: {requirement}"
        for package, one in inside.items()
        for requirement in _requirements(one, extra=name if package == "farebox" else "")
        if (found := inside.get(canonical(requirement.name))) is None
        or not requirement.specifier.contains(found.version)
    ]
    assert unmet == []


def _requirements(package: Distribution, *, extra: str) -> Iterator[Requirement]:
    for text in package.requires or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


@pytest.mark.parametrize("name", NAMES)
def test_there_is_no_shell_and_nothing_that_gives_privileges(
    made: Mapping[str, Made], name: str
) -> None:
    root = made[name].root
    programs = [path.name for path in (root / "usr/bin").iterdir()]
    assert len(programs) == 2
    assert f"farebox-{name}" in programs
    for path in root.rglob("*"):
        mode = path.lstat().st_mode
        assert not mode & (stat.S_ISUID | stat.S_ISGID), path
        assert path.is_symlink() or not mode & stat.S_IWOTH or path.is_dir(), path
    writable = [path for path in root.rglob("*") if path.is_dir() and _open_to_all(path)]
    assert sorted(map(str, writable)) == [str(root / "tmp"), str(root / "var/lib/farebox")]


def _open_to_all(path: Path) -> bool:
    mode = path.lstat().st_mode
    return not stat.S_ISLNK(mode) and bool(mode & stat.S_IWOTH)


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_somewhere_inside(made: Mapping[str, Made], name: str) -> None:
    root = made[name].root
    lost = [
        f"{path} -> {target}"
        for path in root.rglob("*")
        if path.is_symlink()
        and not (root / str(target := path.readlink()).lstrip("/")).exists()
        and not (path.parent / target).exists()
    ]
    assert lost == []


@pytest.mark.parametrize("name", NAMES)
def test_the_size_is_what_it_was(made: Mapping[str, Made], name: str, say: Say) -> None:
    root = made[name].root
    sizes = {
        "Python and libraries": bytes_in(root / "usr"),
        "packages": bytes_in(root / SITE),
        "all": bytes_in(root),
    }
    say(
        f"farebox-{name}: {', '.join(f'{key} {size / MIB:.0f} MiB' for key, size in sizes.items())}"
    )
    assert sizes["all"] < MIB_MAX[name] * MIB


@pytest.mark.parametrize("name", NAMES)
def test_every_module_can_be_imported_there(
    made: Mapping[str, Made], name: str, container: MakeContainer
) -> None:
    python = made[name].dockerfile.health[0]
    assert int(container(name).run(python, "-IBc", IMPORT_ALL, name, "farebox")) > 100
