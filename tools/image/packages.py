"""The Python packages of an image: those of its extra, as locked, and Farebox itself.

The one rule: nothing is installed that the lock does not pin with a hash, and nothing is built but
Farebox's own wheel. This module must not know the rest of the file system.
"""

import csv
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tools.image.locked import roots_of, subset
from tools.image.programs import PROGRAMS_FOLDER, SITE, Image

BUILDER: Final = "hatchling"
INSTALL_S_MAX: Final = 600
LAUNCHER: Final = """#!/{home}/bin/python -IB
import sys
from {application}.__main__ import main
sys.exit(main())
"""


def install(image: Image, source: Path, root: Path, *, home: str) -> None:
    """Fill the image's site folder and write its program. Raises CalledProcessError, LockError."""
    site = root / SITE
    with tempfile.TemporaryDirectory() as scratch:
        _install(image, source, site, Path(scratch))
    _leave_out(site, image.left_out)
    program = root / PROGRAMS_FOLDER / image.program
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(LAUNCHER.format(home=home, application=image.application))
    program.chmod(0o755)


def _install(image: Image, source: Path, site: Path, scratch: Path) -> None:
    lock = (source / "requirements.lock").read_text()
    wanted, builder = scratch / "wanted.lock", scratch / "builder.lock"
    roots = roots_of((source / "pyproject.toml").read_text(), image.application)
    wanted.write_text(subset(lock, roots))
    builder.write_text(subset(lock, [BUILDER]))
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    locked = ("install", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile")
    wheels, tools = str(scratch / "wheels"), str(scratch / "builder")
    _run(*pip, *locked, "--target", tools, "-r", str(builder))
    built = ("wheel", "--no-deps", "--no-build-isolation", "-w", wheels)
    _run(*pip, *built, str(source), search=tools)
    _run(*pip, *locked, "--target", str(site), "-r", str(wanted))
    own = ("install", "--no-deps", "--no-index", "--find-links", wheels, "--no-compile")
    # The launchers name the build's Python; a second --target would not replace the first one's.
    shutil.rmtree(site / "bin", ignore_errors=True)
    _run(*pip, *own, "--target", str(site), "farebox")
    shutil.rmtree(site / "bin", ignore_errors=True)


def _leave_out(site: Path, folders: tuple[str, ...]) -> None:
    """Remove folders, packages' own tests, and from their records all that is not there."""
    for folder in (*(site / name for name in folders), *site.glob("*/tests")):
        shutil.rmtree(folder)
    for record in site.glob("*.dist-info/RECORD"):
        with record.open(newline="") as file:
            rows = [row for row in csv.reader(file) if (site / row[0]).exists()]
        with record.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(sorted(rows))


def _run(*words: str, search: str = "") -> None:
    """Run a tool; `search` is where its Python looks for packages first."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": search}
    subprocess.run(words, check=True, timeout=INSTALL_S_MAX, env=environment)
