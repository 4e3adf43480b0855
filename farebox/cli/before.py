"""The commands before launch: `audit`, `profile`, `project`, `ready` and `train`, their arguments.

The one rule: a command is imported when it runs. This module must not know what a command does.
"""

from pathlib import Path
from typing import Final

import click

from farebox.cli.running import FILE, FOLDER, leave_with

OUT_FOLDER: Final = click.Path(file_okay=False, path_type=Path)
OUT_FILE: Final = click.Path(dir_okay=False, path_type=Path)

_manifests = click.option("--manifests", type=FOLDER, required=True, help="Resources (YAML).")
_namespace = click.option("--namespace", default="default", show_default=True)
_weights = click.option(
    "--weights-dir", "weights", type=FOLDER, help="NAME.weights, as a sidecar's."
)


@click.command()
@_manifests
@_namespace
@click.option("--receipts", type=FILE, help="A sidecar's receipts: which calls there were.")
@click.option("--prompts", type=FILE, help="JSON lines of prompts, instead of receipts.")
@click.option("--out", type=OUT_FILE, help="Write proposed TaskProfiles here (YAML).")
@_weights
def audit(
    *,
    manifests: Path,
    namespace: str,
    receipts: Path | None,
    prompts: Path | None,
    out: Path | None,
    weights: Path | None,
) -> None:
    """Say which tasks exist, how they are recognised, and what each lacks."""
    from farebox.cli.audit import run_audit

    if receipts is not None and prompts is not None:
        raise click.UsageError("Name receipts or prompts, not both.")
    leave_with(
        run_audit(
            manifests,
            namespace=namespace,
            receipts=receipts,
            prompts=prompts,
            out=out,
            weights=weights,
        )
    )


@click.command()
@_manifests
@_namespace
@click.option("--prompts", type=FILE, required=True, help="200 to 500 samples, JSON lines.")
@click.option("--out", type=OUT_FOLDER, required=True, help="Results, profile, report, manifests.")
@click.option("--limit", type=click.IntRange(min=1), help="So many samples, from all over.")
@click.option("--concurrency", type=click.IntRange(1, 128), default=8, show_default=True)
@click.option(
    "--max-cost",
    default="2.00",
    show_default=True,
    metavar="DOLLARS",
    help="Hard cap on all that runs into this folder cost; worst cases are held before calls.",
)
@click.option("--tiers", help="Only these tiers, separated by commas; default: all.")
@click.option("--repeat-lost", is_flag=True, help="Pay again for calls whose answers were lost.")
@click.option("--demo", is_flag=True, help="Against a simulated provider with declared pass rates.")
@_weights
def profile(
    *,
    manifests: Path,
    namespace: str,
    prompts: Path,
    out: Path,
    limit: int | None,
    concurrency: int,
    max_cost: str,
    tiers: str | None,
    repeat_lost: bool,
    demo: bool,
    weights: Path | None,
) -> None:
    """Run samples through every tier, judge them by the tasks' gates, propose tiers.

    Ctrl-C stops after the calls under way; the same command goes on and pays for nothing twice.
    Exit status 1 when the cap ended the run before all samples were tried.
    """
    from farebox.cli.profile import Options, run_profile
    from farebox.core.money import AmountError, parse_dollars

    try:
        cap = parse_dollars(max_cost)
    except AmountError as error:
        raise click.BadParameter(str(error), param_hint="--max-cost") from error
    leave_with(
        run_profile(
            Options(
                manifests=manifests,
                namespace=namespace,
                prompts=prompts,
                out=out,
                limit=limit,
                concurrency=concurrency,
                cap=cap,
                tiers=tuple(tiers.split(",")) if tiers else (),
                repeat_lost=repeat_lost,
                simulate=demo,
                weights=weights,
            )
        )
    )


@click.command()
@click.option("--profile", "folder", type=FOLDER, required=True, help="Folder of a profile.")
@click.option("--volume", required=True, metavar="N/day", help='Calls, for example "50000/day".')
@click.option("--mix", metavar="FILE|TASK=SHARE,...", help="Traffic; default: as the samples.")
@click.option("--out", type=OUT_FILE, help="Keep the projection here (JSON), for `ready`.")
@click.option("--classifier-cost", default="0.002", show_default=True, metavar="DOLLARS",
              help="Of one call of a bought classifier.")  # fmt: skip
@click.option("--classifier-monthly", default="20.00", show_default=True, metavar="DOLLARS",
              help="What keeping it costs a month.")  # fmt: skip
@click.option("--classifier-right", type=click.IntRange(0, 1000), default=840, show_default=True,
              help="Thousandths of calls that it places rightly.")  # fmt: skip
@click.option("--rules-right", type=click.IntRange(0, 1000), default=675, show_default=True,
              help="Thousandths of calls that rules place rightly.")  # fmt: skip
def project(
    *,
    folder: Path,
    volume: str,
    mix: str | None,
    out: Path | None,
    classifier_cost: str,
    classifier_monthly: str,
    classifier_right: int,
    rules_right: int,
) -> None:
    """Say what a month costs with routing and without, and when a classifier pays."""
    from farebox.cli.project import run_project
    from farebox.core.money import AmountError, parse_dollars
    from farebox.launch.projection import Classifier

    try:
        classifier = Classifier(
            rules_right=rules_right,
            right=classifier_right,
            per_call=parse_dollars(classifier_cost),
            monthly=parse_dollars(classifier_monthly),
        )
    except AmountError as error:
        raise click.BadParameter(str(error)) from error
    leave_with(run_project(folder, volume=volume, mix=mix, out=out, classifier=classifier))


@click.command()
@_manifests
@_namespace
@click.option("--profile", "folder", type=OUT_FOLDER, help="Folder of a profile.")
@click.option("--projection", type=OUT_FILE, help="File that `farebox project --out` wrote.")
@click.option("--receipts", type=OUT_FILE, help="A sidecar's receipts of a rehearsal.")
def ready(
    *,
    manifests: Path,
    namespace: str,
    folder: Path | None,
    projection: Path | None,
    receipts: Path | None,
) -> None:
    """Check the ten lines of the list before launch; exit status 1 when one is not met."""
    from farebox.cli.ready import run_ready

    leave_with(
        run_ready(
            manifests,
            namespace=namespace,
            folder=folder,
            projection=projection,
            receipts=receipts,
        )
    )


@click.command()
@click.option("--profile", "folder", type=FOLDER, help="Folder of a profile.")
@click.option("--prompts", type=FILE, help="The samples of that profile: it keeps no prompts.")
@click.option("--outcomes", type=FILE, help="Or a file of outcomes, JSON lines in gzip.")
@click.option(
    "--receipts", type=FILE, multiple=True, help="Or receipts of sidecars with --keep-prompts."
)
@_namespace
@click.option("--manifests", type=FOLDER, required=True, help="Resources (YAML), for prices.")
@click.option("--weak", required=True, metavar="MODEL", help="The cheap one of the two models.")
@click.option("--strong", required=True, metavar="MODEL", help="The dear one.")
@click.option("--out", type=OUT_FILE, required=True, metavar="NAME.weights")
@click.option("--anyway", is_flag=True, help="Write weights also where there is too little data.")
def train(
    *,
    folder: Path | None,
    prompts: Path | None,
    outcomes: Path | None,
    receipts: tuple[Path, ...],
    namespace: str,
    manifests: Path,
    weak: str,
    strong: str,
    out: Path,
    anyway: bool,
) -> None:
    """Train the small model on your own outcomes; exit status 1 when they are too few."""
    from farebox.cli.train import Source, run_train

    named = [outcomes is not None, folder is not None, bool(receipts)]
    if sum(named) != 1 or (folder is None) != (prompts is None):
        raise click.UsageError("Name --profile with its --prompts, or --outcomes, or --receipts.")
    if out.suffix != ".weights":
        raise click.BadParameter("is no NAME.weights", param_hint="--out")
    source = Source(
        folder=folder,
        prompts=prompts,
        outcomes=outcomes,
        receipts=receipts,
        namespace=namespace,
        manifests=manifests,
    )
    leave_with(run_train(source, weak=weak, strong=strong, out=out, anyway=anyway))


COMMANDS: Final = (audit, profile, project, ready, train)
