"""`python -m tools.image NAME FOLDER`: make the root file system of an image in an empty folder.

These are all the steps there are: the Dockerfiles run this and copy FOLDER into an empty image, and
`make e2e-images` runs this and starts the programs in FOLDER. The one rule: what comes out depends
on the source, the lock and the machine's Python and libraries, on nothing else. SOURCE_DATE_EPOCH
(seconds, 0 when absent) is the time of every file. This module must not know how a step is done.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

from tools.image.locked import LockError
from tools.image.packages import install
from tools.image.programs import HOME, IMAGES, SITE, Image
from tools.image.sameness import bytes_in, compile_all, digest, settle
from tools.image.system import WRITABLE, BaseError, add_libraries, lay_out

SOURCE: Final = Path(__file__).resolve().parent.parent.parent
MIB: Final = 1 << 20


def make(image: Image, root: Path, *, source: Path = SOURCE, epoch: int = 0) -> None:
    """Make the image's root file system in `root`, which must be empty or not be there.

    Raises BaseError, LockError, or CalledProcessError of a tool that has said why.
    """
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise BaseError(f"{root} is not empty: name a new folder.")
    root = root.resolve()
    lay_out(image, root)
    install(image, source, root, home=HOME)
    add_libraries(root)
    compile_all(root, sysconfig.get_path("stdlib").lstrip("/"), SITE)
    settle(root, epoch=epoch, writable=WRITABLE)


def main() -> int:
    """Make what the arguments say; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tools.image", description="Make an image's files.")
    parser.add_argument("image", choices=IMAGES)
    parser.add_argument("folder", type=Path)
    asked = parser.parse_args()
    image, root = IMAGES[asked.image], asked.folder
    try:
        make(image, root, epoch=int(os.environ.get("SOURCE_DATE_EPOCH") or 0))
    except (BaseError, LockError, subprocess.CalledProcessError) as error:
        print(f"The image can't be made: {error}", file=sys.stderr)
        return 1
    print(f"{image.program}: {bytes_in(root) / MIB:.1f} MiB, digest {digest(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
