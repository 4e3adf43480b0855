"""Usage has disjoint kinds, so that totals are plain sums, and never gives anything back."""

from dataclasses import fields

import pytest
from hypothesis import given

from farebox.core.usage import Usage, UsageKind
from tests.core.strategies import usages


def test_every_kind_is_a_field_and_every_field_a_kind() -> None:
    assert [field.name for field in fields(Usage)] == [kind.value for kind in UsageKind]


@pytest.mark.parametrize("kind", UsageKind)
def test_a_negative_count_is_refused_in_every_kind(kind: UsageKind) -> None:
    with pytest.raises(ValueError, match="never negative"):
        Usage(**{kind.value: -1})


@given(usages())
def test_every_token_is_either_read_or_written(usage: Usage) -> None:
    tokens = sum(count for kind, count in usage.counts().items() if kind is not UsageKind.CALL)
    assert usage.input_total + usage.output_total == tokens


def test_only_what_was_used_is_counted() -> None:
    assert Usage().counts() == {}
    assert Usage(cached_input=3, reasoning=2).counts() == {
        UsageKind.CACHED_INPUT: 3,
        UsageKind.REASONING: 2,
    }
