"""The commands after launch: `replay` and `retune`, their arguments.

The one rule: a command is imported when it runs. This module must not know what a command does.
"""

from pathlib import Path
from typing import Final

import click

from farebox.cli.running import FILE, FOLDER, leave_with
from farebox.core.instant import DurationMs, parse_duration

PORT_DEFAULT: Final = 15_002
OUT_FILE: Final = click.Path(dir_okay=False, path_type=Path)

_LABELS: Final = click.option(
    "--label", "labels", multiple=True, metavar="NAME=VALUE", help="Label of the pod that called."
)


@click.command()
@click.option("--prompts", type=FILE, help="JSON lines, plain or gzip.")
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
@click.option("--output", type=OUT_FILE, help="JSON lines file, one line for each call.")
@click.option("--tag-all", is_flag=True, help="Every prompt says its task in the task header.")
@click.option(
    "--against", type=FOLDER, help="Send nothing: what would this folder of manifests have done?"
)
@click.option("--receipts", type=FILE, multiple=True, help="With --against: sidecars' receipts.")
@click.option("--namespace", default="default", show_default=True, help="Of the pod, for --against")
@_LABELS
@click.option(
    "--over", default="24h", show_default=True, help="With --against and prompts: spread over this."
)
@click.option("--weights-dir", type=FOLDER, help="With --against: your own NAME.weights.")
def replay(
    *,
    prompts: Path | None,
    concurrency: int,
    base_urls: tuple[str, ...],
    limit: int | None,
    output: Path | None,
    tag_all: bool,
    against: Path | None,
    receipts: tuple[Path, ...],
    namespace: str,
    labels: tuple[str, ...],
    over: str,
    weights_dir: Path | None,
) -> None:
    """Send prompts through the openai package and count what became of them.

    With --against nothing is sent: receipts or prompts are decided about again, by the policy of a
    folder of manifests, and its cost and refusals stand beside what happened.
    """
    if against is not None:
        from farebox.cli.against import Question, run_against

        if (prompts is None) == (not receipts):
            raise click.UsageError("With --against name --receipts or --prompts, one of them.")
        leave_with(
            run_against(
                Question(
                    manifests=against,
                    receipts=receipts,
                    prompts=prompts,
                    limit=limit,
                    namespace=namespace,
                    labels=labels_of(labels),
                    over=_duration(over),
                    weights=weights_dir,
                    output=output,
                )
            )
        )
    if prompts is None or receipts:
        raise click.UsageError("Name --prompts to send, or --against to ask a policy.")
    from farebox.cli.replay import run_replay

    leave_with(
        run_replay(
            prompts,
            base_urls=base_urls,
            callers=concurrency,
            limit=limit,
            output=output,
            tag_all=tag_all,
        )
    )


@click.command()
@click.option("--manifests", type=FOLDER, required=True, help="Resources (YAML); only read.")
@click.option(
    "--receipts", type=FILE, multiple=True, required=True, help="Sidecars' receipts, all of them."
)
@click.option("--profile", type=FOLDER, help="Folder of `farebox profile`, for tiers not used yet.")
@click.option("--namespace", default="default", show_default=True)
@click.option("--out", type=OUT_FILE, help="Write the proposed manifests here (YAML).")
@click.option("--weights-dir", type=FOLDER, help="Folder of your own NAME.weights.")
def retune(
    *,
    manifests: Path,
    receipts: tuple[Path, ...],
    profile: Path | None,
    namespace: str,
    out: Path | None,
    weights_dir: Path | None,
) -> None:
    """Propose other tiers, baselines and thresholds, from what really happened.

    Your manifests are only read; each proposal comes with its reason and what it changes a month.
    """
    from farebox.cli.retune import run_retune

    leave_with(
        run_retune(
            manifests,
            receipts=receipts,
            profile=profile,
            namespace=namespace,
            out=out,
            weights=weights_dir,
        )
    )


def labels_of(pairs: tuple[str, ...]) -> dict[str, str]:
    """Labels as given on a command line. Raises click.BadParameter."""
    labels = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name or not equals or "," in pair:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--label")
        labels[name] = value
    return labels


def _duration(text: str) -> DurationMs:

    try:
        return parse_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--over") from error


COMMANDS: Final = (replay, retune)
