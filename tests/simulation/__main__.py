"""`python -m tests.simulation [SEEDS] [--from N] [--trace] [--workers N] [--until-failure]`.

Runs seeds on all cores and says which fail, how much of everything really happened, and the one
command that replays a failure with a trace. The one rule: the order of sets must not matter, so
Python's hash seed is fixed before anything else is imported.
"""

import os
import sys

HASH_SEED = "0"


def main() -> int:
    """Start anew with a fixed hash seed, then run."""
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        os.environ["PYTHONHASHSEED"] = HASH_SEED
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])  # noqa: S606
    from tests.simulation.command import command

    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
