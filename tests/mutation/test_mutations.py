"""The seeded bugs fit the code as it is, and the trial of one tells what happened."""

from pathlib import Path

import pytest

from tests.mutation import trial
from tests.mutation.mutations import MUTATIONS, DoesNotApply, Edit, Mutation, mutated
from tests.mutation.trial import ROOT, Broken, Caught, put_in, tried

BUGS = 15


def test_there_are_fifteen_bugs_with_names_of_their_own() -> None:
    assert len(MUTATIONS) == len({mutation.name for mutation in MUTATIONS}) == BUGS


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_bug_can_be_put_into_the_code_as_it_is(mutation: Mutation) -> None:
    put_in(mutation, ROOT, write=False)


@pytest.mark.parametrize("text", ["nothing of it", "old and old"])
def test_a_bug_that_no_longer_applies_is_noticed(text: str) -> None:
    with pytest.raises(DoesNotApply, match=r"sidecar/purse\.py has [02] times"):
        mutated(text, Edit("sidecar/purse.py", "old", "new"))


def test_a_bug_changes_the_copy_it_is_put_into(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one = 1\ntwo = 2\n")
    edits = (Edit("a.py", "one = 1", "one = 3"), Edit("a.py", "two = 2", "two = one"))
    put_in(Mutation("both", edits), tmp_path)
    assert (tmp_path / "a.py").read_text() == "one = 3\ntwo = one\n"


def _simulation(folder: Path, monkeypatch: pytest.MonkeyPatch, says: str, status: int) -> None:
    """In place of the simulator: says something and ends."""
    script = folder / "says.py"
    script.write_text(f"import sys\nprint({says!r})\nsys.exit({status})\n")
    monkeypatch.setattr(trial, "SIMULATION", (str(script),))


def test_a_broken_invariant_is_a_catch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _simulation(tmp_path, monkeypatch, "seed 4: Violation at 1.250 s: I1: too much", 1)
    assert tried(tmp_path, seeds=9) == Caught(by="I1: too much", seeds=5)


def test_a_bug_that_nobody_notices_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _simulation(tmp_path, monkeypatch, "all well", 0)
    assert tried(tmp_path, seeds=9) is None


@pytest.mark.parametrize(
    "says",
    ["seed 4: NameError at 1.250 s: no such name", "seed 4: AssertionError at 1.250 s: ", "?"],
)
def test_a_program_that_breaks_is_no_catch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    _simulation(tmp_path, monkeypatch, says, 1)
    with pytest.raises(Broken):
        tried(tmp_path, seeds=9)
