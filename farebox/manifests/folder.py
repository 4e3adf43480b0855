"""Reads a folder of manifests.

The one rule: what cannot be read is a problem and leaves what is in force alone; nothing here
decides about resources. This is the only module of the package that touches the file system.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from farebox.core.instant import UtcMs
from farebox.manifests.adoption import Loaded, adopt
from farebox.manifests.pricebook import built_in_prices
from farebox.manifests.reading import Reading, read_file
from farebox.manifests.resources import Problem
from farebox.manifests.tiers import Surroundings

FILES_MAX: Final = 256
FILE_BYTES_MAX: Final = 256 * 1024
SUFFIXES: Final = (".yaml", ".yml")


def load_folder(
    path: Path | str,
    previous: Loaded | None,
    *,
    now: UtcMs,
    variables: Mapping[str, str] | None = None,
) -> Loaded:
    """Read all *.yaml and *.yml files of a folder, by name, and decide what is in force.

    Folders below it and names that begin with "." are not read. `previous` is what the last reading
    gave: a resource that is bad now stays as it was then. `variables` are what `${NAME}` in a
    baseURL stands for. Never raises for what the folder holds: every fault is a problem.
    """
    folder = Path(path)
    around = Surroundings(prices=built_in_prices(), now=now, variables=variables or {})
    try:
        files = manifest_files(folder)
    except OSError as error:
        problem = _problem(str(folder), 0, f"{_cause(error)}: name a folder of manifests")
        return replace(previous or Loaded(), problems=(problem,))
    readings = [
        _read(file, around) if number < FILES_MAX else _too_many(file)
        for number, file in enumerate(files)
    ]
    return adopt(readings, previous, around)


def manifest_files(folder: Path) -> tuple[Path, ...]:
    """The files of a folder that are read, by name. Raises OSError when the folder can't be."""
    return tuple(
        sorted(
            file
            for file in folder.iterdir()
            if file.suffix in SUFFIXES and not file.name.startswith(".") and not file.is_dir()
        )
    )


def _read(file: Path, around: Surroundings) -> Reading:
    try:
        if not file.is_file():
            return _unread(file, 0, "is not a plain file: put the manifest itself here")
        with file.open("rb") as opened:
            content = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        return _unread(file, 0, f"{_cause(error)}: let the program read it, or remove it")
    if len(content) > FILE_BYTES_MAX:
        return _unread(file, 0, f"is over {FILE_BYTES_MAX} bytes: split it into several files")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _unread(file, line, "is not UTF-8 text: save it as UTF-8")
    return read_file(file.name, text, around)


def _too_many(file: Path) -> Reading:
    return _unread(file, 0, f"is beyond the {FILES_MAX} files that are read: join some files")


def _unread(file: Path, line: int, message: str) -> Reading:
    return Reading(file=file.name, complete=False, problems=(_problem(file.name, line, message),))


def _problem(file: str, line: int, message: str) -> Problem:
    return Problem(file=file, line=line, message=message)


def _cause(error: OSError) -> str:
    return f"can't be read ({error.strerror or type(error).__name__})"
