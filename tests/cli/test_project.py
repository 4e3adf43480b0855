"""`farebox project`: what is read of the user's traffic, and what is shown and kept."""

import json
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest

from farebox.cli.project import calls_per_day, read_mix, run_project
from farebox.launch.problems import LaunchError
from farebox.launch.profiles import write_profile
from farebox.launch.projection import Classifier, Projection
from tests.support.launching import make_profile, make_trials

PASSING = {"small": 38, "mid": 40, "frontier": 40}


@pytest.mark.parametrize(
    ("volume", "calls"), [("50000/day", 50_000), ("1,500,000/month", 50_000), ("3_000", 3_000)]
)
def test_volumes_are_read(volume: str, calls: int) -> None:
    assert calls_per_day(volume) == calls


@pytest.mark.parametrize("volume", ["", "many", "1.5/day", "5/week", "0/day", "20/month"])
def test_other_volumes_are_refused(volume: str) -> None:
    with pytest.raises(LaunchError, match="write"):
        calls_per_day(volume)


def test_a_mix_is_read_from_words_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mix.json"
    path.write_text('{"a": 0.7, "b": "30%"}')
    assert read_mix(None) == {}
    assert read_mix("a=0.7, b=30%") == read_mix(str(path))
    assert read_mix("a=3,b=1") == {"a": Fraction(3), "b": Fraction(1)}


@pytest.mark.parametrize("mix", ["a=some", "a=0", "nowhere.json", "a=-1"])
def test_other_mixes_are_refused(mix: str) -> None:
    with pytest.raises(LaunchError):
        read_mix(mix)


@pytest.mark.parametrize(
    ("monthly", "verdict"),
    [(20_000_000_000, "never pays"), (0, "never pays")],
)
async def test_a_projection_is_shown_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monthly: int, verdict: str
) -> None:
    hard = make_trials(40, {"small": 0, "mid": 0, "frontier": 0}, task="unmeasured")
    profile = make_profile(make_trials(40, PASSING), hard, simulated=True, complete=False)
    write_profile(tmp_path, profile)
    out = tmp_path / "projection.json"
    status = await run_project(
        tmp_path, volume="100/day", mix="label=1", out=out, classifier=Classifier(monthly=monthly)
    )
    said = capsys.readouterr().out
    assert status == 0
    assert "A month of 100 calls a day" in said
    assert verdict in said
    assert "a rehearsal, not a forecast" in said
    assert "Not in it, for nothing was measured: unmeasured" in said
    assert "not complete" in said
    kept = msgspec.json.decode(out.read_bytes(), type=Projection)
    assert kept.profile == profile.digest
    assert json.loads(out.read_text())["calls_per_day"] == 100


async def test_a_classifier_that_costs_nothing_pays_from_a_volume_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_profile(tmp_path, make_profile(make_trials(40, PASSING)))
    cheap = Classifier(per_call=0, monthly=1_000_000)
    await run_project(tmp_path, volume="1/day", mix=None, out=None, classifier=cheap)
    assert "pays from " in capsys.readouterr().out
