"""The cap benchmark as a whole: its options, and one real run with kills."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from bench import cap
from bench.cap_scenario import Kill, storm

SHORT = replace(
    storm(1),
    storm_ms=2_500,
    kills=(
        Kill(at_ms=600, victim="sidecar-0", pause_ms=0),
        Kill(at_ms=900, victim="controller", pause_ms=0),
    ),
)


def test_options() -> None:
    assert cap.read_options([]).seeds == range(1, 21)
    asked = cap.read_options(["--seeds", "3", "--first-seed", "7", "--json", "x.json", "--keep"])
    assert asked == cap.Options(seeds=range(7, 10), json_path=Path("x.json"), keep=True)


@pytest.mark.parametrize("count", ["0", "1001", "many"])
def test_seeds_beyond_the_bounds_are_refused(
    count: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cap.read_options(["--seeds", count])
    assert "--seeds" in capsys.readouterr().err


async def test_a_short_storm_holds_every_bound_and_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = await cap._run(SHORT, keep=False)
    assert not result.findings
    assert result.billed_calls > 0
    assert result.stranded_nanos == 0
    assert not result.folder.exists()


async def test_a_process_that_ends_by_itself_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    result = await cap._run(replace(SHORT, heartbeat_ms=0), keep=False)
    (finding,) = result.findings
    assert finding.breach == "died"
    assert finding.sentence.startswith("controller ended by itself")
    assert result.folder.exists(), "a bad run keeps its files"
