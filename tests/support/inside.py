"""Runs a module inside a network namespace: `python -m tests.support.inside NAMESPACE MODULE ...`.

The one rule: the namespace is entered before anything of the module is imported, so that every
thread and socket of the process belongs to it. Needs root.
"""

import ctypes
import os
import runpy
import sys
from pathlib import Path
from typing import Final

NAMESPACES: Final = Path("/run/netns")
_CLONE_NEWNET: Final = 0x40000000


def enter(namespace: str) -> None:
    """Let sockets that this thread makes from now on be of a namespace. Raises OSError."""
    descriptor = os.open(NAMESPACES / namespace, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), namespace)
    finally:
        os.close(descriptor)


def main() -> None:
    _, namespace, module, *arguments = sys.argv
    enter(namespace)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
