"""The arguments of `farebox`.

The one rule: a command is imported when it runs, so that `--help` is instant; and what goes wrong
is one text on standard error and exit status 2. This module must not know what a command does.
"""

from pathlib import Path
from typing import Final

import click

from farebox.cli import after, asking, before
from farebox.cli.after import PORT_DEFAULT, labels_of
from farebox.cli.running import FILE, FOLDER, leave_with

STATE: Final = click.Path(file_okay=False, path_type=Path)
STATE_DEFAULT: Final = Path(".farebox")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="farebox")
def main() -> None:
    """A hard cap on LLM spend, and the cheapest sufficient model for every call."""


@main.command()
@click.option("--manifests", type=FOLDER, required=True, help="Folder of resources (YAML).")
@click.option(
    "--state",
    type=STATE,
    default=STATE_DEFAULT,
    show_default=True,
    help="Where leases, journals, receipts and logs are kept; survives restarts.",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=PORT_DEFAULT, show_default=True)
@click.option("--namespace", default="default", show_default=True)
@click.option("--name", default="local", show_default=True, help="Name of the pod that calls.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", help="Label of that pod.")
@click.option("--demo", is_flag=True, help="Also start a simulated provider of the tiers' models.")
@click.option(
    "--keep-prompts", is_flag=True, help="Receipts of calls that gates judged hold the prompt."
)
def up(
    *,
    manifests: Path,
    state: Path,
    port: int,
    namespace: str,
    name: str,
    labels: tuple[str, ...],
    demo: bool,
    keep_prompts: bool,
) -> None:
    """Run a controller and one sidecar until Ctrl-C."""
    from farebox.cli.fleet import Pod
    from farebox.cli.up import run_up

    pod = Pod(name=name, namespace=namespace, labels=labels_of(labels))
    leave_with(
        run_up(
            manifests=manifests,
            state=state,
            port=port,
            pod=pod,
            simulate=demo,
            keep_prompts=keep_prompts,
        )
    )


@main.command()
@click.option("--controller-admin", metavar="URL", help="The controller's admin address.")
@click.option(
    "--state",
    type=STATE,
    default=STATE_DEFAULT,
    show_default=True,
    help="State folder of `farebox up`, asked for the address when none is given.",
)
@click.option("--once", is_flag=True, help="Print once and end.")
def top(*, controller_admin: str | None, state: Path, once: bool) -> None:
    """Show pools, leases and spend, live."""
    from farebox.cli.top import run_top

    leave_with(run_top(controller_admin, state=state, once=once))


@main.command()
@click.option("--prompts", type=FILE, help="JSON lines, plain or gzip; default: the demo's own.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="So many prompts, from all over the file."
)
@click.option("--manifests", type=FOLDER, help="Other resources than examples/demo.")
@click.option("--keep", is_flag=True, help="Keep logs, receipts and the provider's ledger.")
def demo(*, prompts: Path | None, limit: int | None, manifests: Path | None, keep: bool) -> None:
    """Show the cap holding while a sidecar and the controller are killed.

    Exit status 1 when the provider billed more than a cap, 2 when something else broke.
    """
    from farebox.cli.demo import run_demo

    leave_with(run_demo(prompts=prompts, limit=limit, manifests=manifests, keep=keep))


for command in (*before.COMMANDS, *after.COMMANDS, *asking.COMMANDS):
    main.add_command(command)
