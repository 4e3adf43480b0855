"""How a command ends: its exit status, or one text on standard error and exit status 2.

The one rule: a mistake of the user is a sentence, a fault of this program is a traceback; neither
leaves with the status of a verdict. This module must not know what a command does.
"""

import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from farebox.cli.processes import ChildError, run

FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
BROKEN: Final = 2


def leave_with(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a command and leave with its exit status."""
    from farebox.cli.admin import AdminError
    from farebox.cli.prompts import PromptError
    from farebox.cli.records import RecordError
    from farebox.cli.resources import ManifestError
    from farebox.launch.problems import LaunchError

    try:
        status = run(work)
    except (ChildError, AdminError, ManifestError, PromptError, RecordError, LaunchError) as error:
        click.echo(f"farebox: {error}", err=True)
        status = BROKEN
    except Exception:  # noqa: BLE001  Python would leave with 1, which is a verdict.
        traceback.print_exc()
        status = BROKEN
    sys.exit(status)
