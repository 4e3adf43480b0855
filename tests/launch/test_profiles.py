"""profile.json: written whole, read back as it was, refused with advice."""

from dataclasses import replace
from pathlib import Path

import pytest

from farebox.launch.profiles import ProfileError, oracle_of, read_profile, write_profile
from tests.support.launching import LABELS, make_profile, make_trials

PROFILE = make_profile(make_trials(4, {"small": 3, "mid": 4}))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = write_profile(tmp_path, PROFILE)
    assert read_profile(tmp_path) == read_profile(path) == PROFILE
    assert read_profile(tmp_path).digest == PROFILE.digest
    assert [file.name for file in tmp_path.iterdir()] == ["profile.json"]


def test_an_oracle_is_named_by_all_that_it_checks() -> None:
    stricter = replace(LABELS, case_sensitive=True)
    assert oracle_of((LABELS,)) == oracle_of([LABELS])
    assert len({oracle_of(gates) for gates in ((), (LABELS,), (stricter,))}) == 3


def test_another_run_has_another_digest() -> None:
    assert make_profile(make_trials(4, {"small": 4})).digest != PROFILE.digest


def test_tasks_and_their_answers_are_found() -> None:
    assert PROFILE.task("label") is PROFILE.tasks[0]
    assert PROFILE.task("none") is None
    assert set(PROFILE.answered("label")["s-000"]) == {"small", "mid"}
    assert PROFILE.answered("none") == {}


@pytest.mark.parametrize(("content", "want"), [(None, "farebox profile"), ("{}", "not a profile")])
def test_what_cannot_be_used_is_said(tmp_path: Path, content: str | None, want: str) -> None:
    if content is not None:
        (tmp_path / "profile.json").write_text(content)
    with pytest.raises(ProfileError, match=want):
        read_profile(tmp_path)
