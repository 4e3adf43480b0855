"""Both images, each made twice from copies of what its Dockerfile copies."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.dockerfiles import (
    BUILD_S_MAX,
    Dockerfile,
    copy_context,
    dockerfile_of,
    start_build,
)
from tests.support.image_containers import ImageContainer
from tools.image.programs import IMAGES

Say = Callable[[str], None]
MakeContainer = Callable[..., ImageContainer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One image: its Dockerfile, its files twice, and what the first build said."""

    name: str
    dockerfile: Dockerfile
    root: Path
    again: Path
    said: str


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Made]:
    """The images by name. Two builds run at a time, in different folders."""
    folder = tmp_path_factory.mktemp("images")
    return {name: _made(name, folder) for name in IMAGES}


def _made(name: str, folder: Path) -> Made:
    dockerfile = dockerfile_of(name)
    roots = {which: folder / which / name for which in ("first", "the-second-one")}
    # One copy for both: this repository may be worked on while it is tested.
    copy_context(dockerfile, folder / f"{name}-context")
    builds = [start_build(dockerfile, folder / f"{name}-context", root) for root in roots.values()]
    try:
        said = [build.communicate(timeout=BUILD_S_MAX)[0].strip() for build in builds]
    finally:
        for build in builds:
            # Does nothing to one that has ended.
            build.kill()
            build.communicate()
    assert [build.returncode for build in builds] == [0, 0], said
    first, again = roots.values()
    return Made(name=name, dockerfile=dockerfile, root=first, again=again, said=said[0])


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Print one line that is always shown."""

    def said(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {line}\n")
            sys.stdout.flush()

    return said


@pytest.fixture
def container(
    made: Mapping[str, Made], tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[MakeContainer]:
    """Make containers of an image; they are gone when the test is over."""
    all_made: list[ImageContainer] = []

    def make(name: str, *arguments: str, **environment: str) -> ImageContainer:
        label = re.sub(r"\W+", "-", request.node.name)
        number = len(all_made)
        one = ImageContainer(
            name=f"farebox-{tmp_path.parent.name}-{label}-{number}"[:120],
            root=made[name].root,
            dockerfile=made[name].dockerfile,
            folder=tmp_path / f"{name}-{number}",
            arguments=arguments,
            environment=environment,
        )
        all_made.append(one)
        return one

    yield make
    for one in all_made:
        one.remove()


@pytest.fixture(scope="session", autouse=True)
def runc() -> str:
    """The version of runc, which must be there."""
    told = subprocess.run(["runc", "--version"], check=True, capture_output=True, text=True)
    return told.stdout.splitlines()[0]
