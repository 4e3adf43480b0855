"""Results: written before and after each call, read back after any end of a run."""

from pathlib import Path

import pytest

from farebox.core.money import Nanos
from farebox.launch.results import ANSWERED, LOST, REFUSED, Line, Results, ResultsError


def begin(results: Results, key: str, held: int = 100) -> None:
    results.begin(key, model="m", held=Nanos(held))


def test_what_was_answered_is_known_to_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Results(path) as results:
        for key in "abc":
            begin(results, key)
        results.end(Line(event=ANSWERED, key="a", text="yes", cost=30, usage={"input": 3}))
        results.end(Line(event=REFUSED, key="b", why="busy"))
        results.end(Line(event=LOST, key="c", held=100))
        assert results.spent == 130
    with Results(path) as again:
        assert again.answered["a"].text == "yes"
        assert set(again.lost) == {"c"}
        assert again.spent == 130
    assert path.stat().st_mode & 0o077 == 0


def test_a_call_under_way_at_a_kill_counts_in_full(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Results(path) as results:
        begin(results, "a", 70)
    with Results(path) as again:
        assert set(again.lost) == {"a"}
        assert again.spent == 70
        begin(again, "a", 50)
        assert again.spent == 120
        again.end(Line(event=ANSWERED, key="a", cost=20))
        assert (again.spent, set(again.lost)) == (90, set())
    with Results(path) as third:
        assert third.spent == 90


def test_a_line_that_a_kill_has_cut_is_taken_off(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Results(path) as results:
        begin(results, "a", 70)
        results.end(Line(event=ANSWERED, key="a", cost=20))
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with Results(path) as again:
        assert (again.spent, set(again.lost)) == (70, {"a"})
    assert path.read_bytes().endswith(b"\n")


def test_two_runs_cannot_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    with Results(path), pytest.raises(ResultsError, match="Another run"), Results(path):
        pass
    with Results(path):
        pass


@pytest.mark.parametrize("content", [b"{}\n", b"what\n"])
def test_an_edited_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match=r"results\.jsonl:1 is no result"), Results(path):
        pass


def test_a_file_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="can't be opened"), Results(tmp_path / "no" / "r"):
        pass
