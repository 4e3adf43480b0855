"""The commands that ask what happened and why: `receipts`, `why`, `explain`, `completion`.

The one rule: a command is imported when it runs. This module must not know what a command does.
"""

from pathlib import Path
from typing import Final

import click

from farebox.cli.running import FILE, leave_with

LAST_MAX: Final = 1_000
STATE: Final = click.Path(file_okay=False, path_type=Path)

_STATE: Final = click.option(
    "--state",
    type=STATE,
    default=Path(".farebox"),
    show_default=True,
    help="State folder of `farebox up`.",
)
_RECEIPTS: Final = click.option(
    "--receipts", "files", type=FILE, multiple=True, help="Sidecars' receipts, in place of --state."
)
_SIDECAR: Final = click.option(
    "--sidecar-admin", metavar="URL", help="Ask a sidecar that runs, by its admin address."
)


@click.command()
@_STATE
@_RECEIPTS
@_SIDECAR
@click.option("--last", type=click.IntRange(1, LAST_MAX), default=20, show_default=True)
@click.option("--refused", is_flag=True, help="Only calls that were refused.")
@click.option("--json", "as_json", is_flag=True, help="JSON lines, with everything.")
def receipts(
    *,
    state: Path,
    files: tuple[Path, ...],
    sidecar_admin: str | None,
    last: int,
    refused: bool,
    as_json: bool,
) -> None:
    """List the newest calls: who asked for what, who served it, what it cost."""
    from farebox.cli.receipts import Wanted, read_from, run_receipts

    wanted = Wanted(last=last, refused=refused, as_json=as_json)
    leave_with(run_receipts(read_from(state, files, sidecar_admin), wanted))


@click.command()
@click.argument("request")
@_STATE
@_RECEIPTS
@_SIDECAR
def why(*, request: str, state: Path, files: tuple[Path, ...], sidecar_admin: str | None) -> None:
    """Say in sentences why a call went where it went and what it cost.

    REQUEST is the call's id, as in the answer's header x-farebox-call.
    """
    from farebox.cli.receipts import read_from, run_why

    where = sidecar_admin or ", ".join(map(str, files)) or str(state)
    leave_with(run_why(read_from(state, files, sidecar_admin), request, where=where))


@click.command()
@click.argument("pod", required=False)
@_STATE
@_SIDECAR
@click.option("--controller-admin", metavar="URL", help="The controller's admin address.")
def explain(
    *, pod: str | None, state: Path, sidecar_admin: str | None, controller_admin: str | None
) -> None:
    """Show what is in force for a pod: its pools, its leases, its models."""
    from farebox.cli.explain import run_explain

    leave_with(run_explain(pod, state=state, sidecar=sidecar_admin, controller=controller_admin))


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what SHELL reads to complete this program's words.

    bash: source <(farebox completion bash)
    """
    from farebox.cli.completion import script

    root = context.find_root()
    click.echo(script(root.command, root.info_name or "farebox", shell))


COMMANDS: Final = (receipts, why, explain, completion)
