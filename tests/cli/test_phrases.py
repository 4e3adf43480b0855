"""Every reason has words, and one place where they are."""

from itertools import chain

import pytest

from farebox.cli.phrases import CLASSIFIED, ENDED, REJECTED, ROUTED, in_words, why_not
from farebox.core.reasons import REFUSALS, Reason


def test_every_reason_is_in_one_group() -> None:
    groups = (CLASSIFIED, ROUTED, REJECTED, ENDED, REFUSALS)
    assert sorted(chain.from_iterable(groups)) == sorted(Reason)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_words(reason: Reason) -> None:
    assert len(in_words(reason).split()) > 1


def test_a_reason_of_another_version_is_shown_as_it_is() -> None:
    assert in_words("not_known_yet") == "not_known_yet"


def test_a_candidate_is_not_told_what_a_caller_is_told() -> None:
    assert why_not(Reason.GATE_FAILED) == "its answer did not pass the gates"
    assert why_not(Reason.COSTS_MORE) == in_words(Reason.COSTS_MORE)
