"""`python -m sidecar`: read the configuration, run, and say in a sentence why it could not.

The one rule: a mistake of the operator ends in sentences on standard error, never in a traceback.
This module must not know the parts of the sidecar.
"""

import gc
import os
import sys
from typing import Final

import uvloop

from farebox.runtime.logs import configure_logs
from sidecar.app import run
from sidecar.config import ConfigError, load_config, usage
from sidecar.journal_file import JournalInUseError

EXIT_FAILED = 1
EXIT_MISCONFIGURED = 2

GC_OBJECTS: Final = 20_000
"""So many new objects between two searches for cycles."""


def main() -> int:
    """Run the sidecar; returns the exit code."""
    arguments = sys.argv[1:]
    if "--help" in arguments:
        sys.stdout.write(f"farebox-sidecar: the data plane of Farebox\n\n{usage()}\n")
        return 0
    try:
        config = load_config(arguments, os.environ)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_MISCONFIGURED
    configure_logs(config.log_level)
    # A call leaves next to no cycles: looking for them after every few hundred new objects, as is
    # the default, would cost each call more than its routing.
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)
    failed = False
    try:
        uvloop.run(run(config))
    except* (OSError, JournalInUseError) as group:
        failed = True
        for cause in group.exceptions:
            sys.stderr.write(f"The sidecar could not go on: {cause}.\n")
    return EXIT_FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main())
