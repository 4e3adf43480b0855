"""Entry point of `make bench-routing-live`: hard budgets end to end, through the real processes.

    python -m bench.routing_live [--data DIR] [--default-data DIR] [--out DIR]
                                 [--prompts N] [--window-ms N]

The prompts are a fixed sample of those that `bench.routing` evaluates. The one rule: the section is
written whatever it shows. Exit status 1 when a bill exceeds its budget or quality and spend are not
as the offline figures say, 2 when the data cannot be used or a process failed.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.routing import DEFAULT_DATA, evaluated
from bench.routing_live_report import TITLE, Line, lines_of, section, with_section
from bench.routing_live_run import run
from bench.routing_live_setup import budgets, questions, sampled
from farebox.cli.admin import AdminError
from farebox.cli.processes import ChildError
from farebox.learn import shipped
from farebox.learn.outcomes import BadOutcomes
from farebox.learn.pairs import Pooled, pooled
from farebox.learn.savings import online_order

RELEASE = "A"
PROMPTS = 1_000
PROMPTS_MIN = 20
WINDOW_MS = 60_000
_EXIT_MISSED, _EXIT_UNUSABLE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print and write; returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench.routing_live", description="route end to end")
    parser.add_argument("--data", type=Path, metavar="DIR", help="sample all rows of a folder")
    parser.add_argument("--default-data", type=Path, default=DEFAULT_DATA, metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("docs"), metavar="DIR")
    parser.add_argument("--prompts", type=int, default=PROMPTS, metavar="N")
    parser.add_argument("--window-ms", type=int, default=WINDOW_MS, metavar="N")
    asked = parser.parse_args(arguments)
    try:
        rows, what = evaluated(asked.data, asked.default_data)
    except BadOutcomes as problem:
        print(f"bench-routing-live: {problem}", file=sys.stderr)
        return _EXIT_UNUSABLE
    release = shipped.release_named(RELEASE)
    whole = pooled(rows, release.pair)
    pool = sampled(whole, min(asked.prompts, len(whole)))
    if len(pool) < PROMPTS_MIN:
        said = f"Not measured: these outcomes have {len(pool)} rows of pool {RELEASE}."
        _write(asked.out, [TITLE, "", said, ""])
        print(f"bench-routing-live: {said}")
        return 0
    print(
        f"bench-routing-live: {len(pool)} calls per budget in a window of about "
        f"{asked.window_ms // 1000} s"
    )
    try:
        lines = measure(pool, asked.window_ms)
    except (ChildError, AdminError) as problem:
        print(f"bench-routing-live: {problem}", file=sys.stderr)
        return _EXIT_UNUSABLE
    text = section(pool, lines, what)
    _write(asked.out, text)
    print("\n".join(text))
    return _EXIT_MISSED if any(one.failures for one in lines) else 0


def measure(pool: Pooled, window_ms: int) -> list[Line]:
    """Run the budgets in a folder of their own and compare. Raises ChildError, AdminError."""
    asked, found = questions(pool, online_order(pool)), budgets(pool)
    with tempfile.TemporaryDirectory(prefix="farebox-routing-") as folder:
        results = asyncio.run(run(pool, asked, found, window_ms=window_ms, folder=Path(folder)))
    return lines_of(pool, shipped.weights(RELEASE), results)


def _write(folder: Path, lines: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    document = folder / "routing-figures.md"
    before = document.read_text(encoding="utf-8") if document.exists() else ""
    document.write_text(with_section(before, lines), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
