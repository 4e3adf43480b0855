"""`python -m controller`: reads the configuration, runs the controller, and says how it ended.

Exit status: 0 ended as asked, 1 failed while running, 2 the configuration is wrong.
"""

import asyncio
import logging
import os
import sys

from controller.app import run
from controller.config import USAGE, ConfigError, read_config
from controller.kube.client import KubeError
from controller.store.protocol import StoreError
from farebox.runtime.logs import configure_logs

_LOG = logging.getLogger("controller")


def main() -> int:
    """Run the controller with this process's arguments and environment."""
    arguments = sys.argv[1:]
    if "--help" in arguments:
        sys.stdout.write(USAGE)
        return 0
    try:
        config = read_config(arguments, os.environ)
    except ConfigError as error:
        sys.stderr.writelines(f"{mistake}\n" for mistake in error.mistakes)
        return 2
    configure_logs(config.log_level)
    try:
        asyncio.run(run(config))
    except Exception as error:  # noqa: BLE001  the process ends, and the ledger outlives it
        _tell(_innermost(error))
        return 1
    return 0


def _innermost(error: BaseException) -> BaseException:
    """The first failure inside the groups that supervision makes."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _tell(error: BaseException) -> None:
    if isinstance(error, (StoreError, KubeError, OSError)):
        _LOG.error("the controller can't go on: %s", error)  # its sentence says all; no trace
    else:
        _LOG.error("the controller has failed: %s", error, exc_info=error)


if __name__ == "__main__":
    sys.exit(main())
