"""The arguments of `farebox`.

The one rule: a command is imported when it runs, so that `--help` is instant; and what goes wrong
is one text on standard error and exit status 2. This module must not know what a command does.
"""

import sys
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import click

from farebox.cli.processes import ChildError, run

FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
STATE: Final = click.Path(file_okay=False, path_type=Path)
STATE_DEFAULT: Final = Path(".farebox")
PORT_DEFAULT: Final = 15_002
BROKEN: Final = 2


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
def up(
    *,
    manifests: Path,
    state: Path,
    port: int,
    namespace: str,
    name: str,
    labels: tuple[str, ...],
    demo: bool,
) -> None:
    """Run a controller and one sidecar until Ctrl-C."""
    from farebox.cli.fleet import Pod
    from farebox.cli.up import run_up

    pod = Pod(name=name, namespace=namespace, labels=_labels(labels))
    _run(run_up(manifests=manifests, state=state, port=port, pod=pod, simulate=demo))


@main.command()
@click.option("--prompts", type=FILE, required=True, help="JSON lines, plain or gzip.")
@click.option("--concurrency", type=click.IntRange(1, 512), default=8, show_default=True)
@click.option(
    "--base-url",
    "base_urls",
    multiple=True,
    metavar="URL",
    envvar="OPENAI_BASE_URL",
    default=(f"http://127.0.0.1:{PORT_DEFAULT}/openai/v1",),
    show_default=True,
    help="Where to send; given several times, callers are spread over them.",
)
@click.option(
    "--limit", type=click.IntRange(min=1), help="So many prompts, from all over the file."
)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="JSON lines file.")
def replay(
    *,
    prompts: Path,
    concurrency: int,
    base_urls: tuple[str, ...],
    limit: int | None,
    output: Path | None,
) -> None:
    """Send prompts through the openai package and count what became of them."""
    from farebox.cli.replay import run_replay

    _run(run_replay(prompts, base_urls=base_urls, callers=concurrency, limit=limit, output=output))


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

    _run(run_top(controller_admin, state=state, once=once))


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

    _run(run_demo(prompts=prompts, limit=limit, manifests=manifests, keep=keep))


def _labels(pairs: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals or "," in pair:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--label")
        labels[name] = value
    return labels


def _run(work: Coroutine[Any, Any, int]) -> None:
    """Run a command and leave with its exit status."""
    from farebox.cli.admin import AdminError
    from farebox.cli.prompts import PromptError
    from farebox.cli.records import RecordError
    from farebox.cli.resources import ManifestError

    try:
        status = run(work)
    except (ChildError, AdminError, ManifestError, PromptError, RecordError) as error:
        click.echo(f"farebox: {error}", err=True)
        status = BROKEN
    except Exception:  # noqa: BLE001  Python would leave with 1, which says that a cap is broken.
        traceback.print_exc()
        status = BROKEN
    sys.exit(status)
