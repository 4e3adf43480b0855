"""Train the routing weights that ship with the project: `make routing-weights DATA=DIR`.

Writes farebox/data/routing/*.weights and rules.json. The one rule: the same data gives the
same files; figures about them are measured by `make bench-routing`, not here.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from farebox.learn.outcomes import BadOutcomes, Outcome, read_folder
from farebox.learn.rules import as_json
from farebox.learn.shipped import (
    RELEASES,
    RULED,
    RULES_FILE,
    file_name,
    make,
    make_rules,
    release_named,
    weights,
)

FOLDER = Path(__file__).parent.parent / "farebox" / "data" / "routing"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train all releases, or those named; 1 when the data cannot be used."""
    parser = argparse.ArgumentParser(prog="tools.routing_weights")
    parser.add_argument("data", type=Path, help="folder of outcomes, *.jsonl.gz")
    parser.add_argument("--only", action="append", metavar="NAME", help="one of the releases")
    asked = parser.parse_args(arguments)
    releases = [one for one in RELEASES if not asked.only or one.name in asked.only]
    try:
        rows = read_folder(asked.data)
        FOLDER.mkdir(exist_ok=True)
        for name, content in make(rows, releases):
            (FOLDER / file_name(name)).write_bytes(content)
            print(f"{file_name(name)}: {len(content):,} bytes", flush=True)
        if not asked.only:
            _write_rules(rows)
    except (BadOutcomes, ValueError) as problem:
        print(f"routing weights: {problem}", file=sys.stderr)
        return 1
    return 0


def _write_rules(rows: Sequence[Outcome]) -> None:
    found = {name: as_json(make_rules(rows, release_named(name), weights(name))) for name in RULED}
    (FOLDER / RULES_FILE).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
