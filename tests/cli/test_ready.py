"""`farebox ready`: what was named and cannot be read is as good as none, and said."""

from pathlib import Path

import msgspec
import pytest

from farebox.cli.demo import MANIFESTS
from farebox.cli.ready import NOT_READY, READY, run_ready
from farebox.cli.resources import read_resources
from farebox.core.instant import UtcMs
from farebox.launch.profiles import oracle_of, write_profile
from farebox.launch.projection import Classifier, project
from farebox.launch.rewriting import write_manifests
from tests.cli.test_rehearsals import receipt, write
from tests.support.launching import make_measured, make_profile, make_trials

CATALOGUE = read_resources(MANIFESTS).catalogue
TASKS = ("classification", "extraction", "summarization", "rag", "reasoning", "code")
GATES = {task.name: task.gates for task in read_resources(MANIFESTS).tasks["default"]}
NOW = UtcMs(1_790_000_000_000)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """All that a launch needs: profile, manifests, projection, receipts."""
    tried = [make_trials(40, {"small": 0, "mid": 40, "frontier": 40}, task=task) for task in TASKS]
    profile = make_profile(
        *tried,
        catalogue=CATALOGUE.version,
        tasks=tuple(
            make_measured(trials, oracle=oracle_of(GATES[trials[0].task])) for trials in tried
        ),
    )
    write_profile(tmp_path, profile)
    write_manifests(MANIFESTS, tmp_path / "manifests", profile, now=NOW)
    projection = project(profile, calls_per_day=10, mix={}, classifier=Classifier())
    (tmp_path / "projection.json").write_bytes(msgspec.json.encode(projection))
    write(
        tmp_path,
        *(
            receipt(
                task=task, attempts=[{"verdicts": [{"gate": gate.name} for gate in GATES[task]]}]
            )
            for task in TASKS
        ),
    )
    return tmp_path


async def ready(state: Path, **changes: Path | None) -> int:
    named: dict[str, Path | None] = {
        "folder": state,
        "projection": state / "projection.json",
        "receipts": state / "receipts.jsonl",
        **changes,
    }
    return await run_ready(state / "manifests", namespace="default", **named)


async def test_a_finished_state_is_ready(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = await ready(state)
    said = capsys.readouterr().out
    assert status == READY, said
    assert said.count(" ok ") == 10
    assert said.endswith("READY.\n")


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("folder", None, "run `farebox profile"),
        ("projection", None, "is no projection"),
        ("receipts", None, "can't be read"),
        ("projection", "{}", "is no projection"),
        ("receipts", "{}\n", "holds no receipts"),
    ],
)
async def test_what_cannot_be_read_is_missing(
    state: Path, capsys: pytest.CaptureFixture[str], name: str, content: str | None, wanted: str
) -> None:
    path = state / "other"
    if content is not None:
        path.write_text(content)
    assert await ready(state, **{name: path}) == NOT_READY
    assert wanted in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "lines"), [("folder", (3, 4)), ("projection", (4,)), ("receipts", (5, 6, 9))]
)
async def test_what_is_not_named_is_missing(
    state: Path, capsys: pytest.CaptureFixture[str], name: str, lines: tuple[int, ...]
) -> None:
    assert await ready(state, **{name: None}) == NOT_READY
    said = capsys.readouterr().out
    missing = [line.split()[0] for line in said.splitlines() if " MISSING " in line]
    assert missing == [str(number) for number in lines]


async def test_the_manifests_as_they_were_are_not_ready(state: Path) -> None:
    status = await run_ready(
        MANIFESTS,
        namespace="default",
        folder=state,
        projection=state / "projection.json",
        receipts=state / "receipts.jsonl",
    )
    assert status == NOT_READY
