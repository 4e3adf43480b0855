"""`farebox replay`: a file of prompts through one or more base URLs.

The one rule: it knows nothing of what is behind the URLs; it works against any OpenAI-compatible
server, and shows Farebox's headers where there are any.
"""

import asyncio
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from farebox.cli.calls import Ending, Outcome, send_all
from farebox.cli.progress import Progress
from farebox.cli.prompts import read_prompts
from farebox.cli.reports import calls_by_task, unserved
from farebox.cli.tables import make_console, tasks_table, unserved_table

KEY_OF_NOBODY: Final = "farebox-replay"
"""The package wants a key; a sidecar whose tier holds the secret puts its own in its place."""


async def run_replay(
    path: Path,
    *,
    base_urls: Sequence[str],
    callers: int,
    limit: int | None,
    output: Path | None,
    tag_all: bool = False,
) -> int:
    """Send, show and keep; exit status 0, or 2 when not one call was served or refused."""
    console = make_console()
    prompts = read_prompts(path, limit=limit, tag_all=tag_all)
    with Progress(console, "replay", len(prompts)) as progress:
        outcomes = await send_all(
            prompts,
            base_urls=base_urls,
            callers=callers,
            api_key=os.environ.get("OPENAI_API_KEY", KEY_OF_NOBODY),
            note=lambda outcome: progress.note(outcome.ending),
        )
    if output is not None:
        await asyncio.to_thread(write_outcomes, output, outcomes)
    console.print(tasks_table(calls_by_task(outcomes)))
    if lines := unserved(outcomes):
        console.print(unserved_table(lines))
    return 0 if any(one.ending is not Ending.FAILED for one in outcomes) else 2


def write_outcomes(path: Path, outcomes: Iterable[Outcome]) -> None:
    """One JSON object for each call."""
    with path.open("w", encoding="utf-8") as file:
        for outcome in outcomes:
            file.write(json.dumps(asdict(outcome)) + "\n")
