"""Whether two answers say the same in the end."""

from typing import Any

import pytest

from farebox.gates.agreement import agree

LONG = "The mail complains about a parcel that arrived late and asks for the money to be returned"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("complaint", "Complaint.", True),
        ("complaint", "question", False),
        ("B", "The answer is (B).", True),
        ("B", "C) Rome", False),
        ("42", "So it is #### 42.00", True),
        ("3/4", "0.75", True),
        ("41", "#### 42", False),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', True),
        ('{"a": 1}', '{"a": 2}', False),
        ('{"a": 1}', "a is 1", False),
        (LONG, f"{LONG} soon.", True),
        (LONG, "Quarterly revenue rose by a tenth because new customers joined us", False),
        (f"{LONG}: 40 euros", f"{LONG}: 50 euros", False),
        ("", "", False),
        ("Paris", "", False),
        ("yes", "no", False),
    ],
)
def test_when_answers_agree(one: str, other: str, same: bool) -> None:
    assert agree(one, other) is same
    assert agree(other, one) is same


@pytest.mark.parametrize("text", ["[" * 10_000, "9" * 10**6, "word " * 10**5, "\ud800"])
def test_hostile_answers_are_compared_too(text: str) -> None:
    other: Any = LONG
    assert agree(text, other) is False
