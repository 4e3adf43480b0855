"""The report shows what the profile says, with its plots, and what is missing."""

from pathlib import Path

from farebox.launch.report import write_report
from tests.support.launching import make_profile, make_trials

TRIALS = make_trials(40, {"small": 38, "mid": 40})


def test_everything_is_on_paper(tmp_path: Path) -> None:
    text = write_report(tmp_path, make_profile(TRIALS)).read_text()
    assert "| label | frontier | small | small is good enough: 95 % of 40 pass" in text
    assert "| label | small | small-model | 40 | 95 % | 83.4 % to 98.7 % | 38 |" in text
    assert "Nothing is missing." in text
    for name in ("pass-rate", "tokens", "latency", "cost"):
        assert f"({name}.svg)" in text
        assert (tmp_path / f"{name}.svg").read_text().startswith("<svg")


def test_a_rehearsal_and_an_unfinished_run_are_called_so(tmp_path: Path) -> None:
    profile = make_profile(TRIALS, simulated=True, complete=False, gaps=("label: no gates",))
    text = write_report(tmp_path, profile).read_text()
    assert "The providers were simulated" in text
    assert "Not complete" in text
    assert "- label: no gates" in text


def test_a_profile_without_tasks_is_drawn_all_the_same(tmp_path: Path) -> None:
    assert write_report(tmp_path, make_profile()).exists()
