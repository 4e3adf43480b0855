"""Reading what an answer says in the end, from tidy, sloppy and hostile texts."""

from decimal import Decimal
from typing import Any

import pytest

from farebox.gates.readings import NotJsonError, is_same, json_of, letter_of, number_of, plain


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", "42"),
        ("1,234.50", "1234.50"),
        ("The total is $1,234.50.", "1234.50"),
        ("#### 42", "42"),
        ("3 + 4 = 7, so\n#### 7", "7"),
        ("\\boxed{12} as 3 and 4 are 7", "12"),
        ("The answer is 1,234 apples, not 99.", "1234"),
        ("answer: 3/4.", "0.75"),
        ("about -5%", "-5"),
        ("minus signs: \u22127", "-7"),
        ("1.5e3", "1500"),
        ("between 5-3", "3"),
        ("Chapter 3. It costs 1.", "1"),
    ],
)
def test_the_number_that_an_answer_ends_with(text: str, number: str) -> None:
    assert number_of(text) == Decimal(number)


@pytest.mark.parametrize(
    "text",
    ["", "none", "NaN", "Infinity", "GPT4", "v1.2.3", "1,23", "1/0", "9" * 100, "x" * 10**6],
)
def test_what_is_no_number(text: str) -> None:
    assert number_of(text) is None


@pytest.mark.parametrize(
    "text", ["9" * 10**6, "1,111" * 10**5, "answer is " * 10**5, " " * 10**6, "1/" * 10**5]
)
def test_a_huge_answer_is_read_all_the_same(text: str) -> None:
    number_of(text)
    letter_of(text)
    plain(text)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("(b)", "B"),
        ("**B**.", "B"),
        ("B) Paris", "B"),
        ("The answer is B.", "B"),
        ("A. is wrong.\nThe correct answer is (C)", "C"),
        ("Answer: option D", "D"),
        ("A man walked", ""),
        ("The answer is a mess", ""),
        ("I think so", ""),
    ],
)
def test_the_option_that_an_answer_names(text: str, letter: str) -> None:
    assert letter_of(text) == letter


@pytest.mark.parametrize("text", ["complaint", " Complaint.\n", '"complaint"', "**COMPLAINT**!"])
def test_what_surrounds_an_answer_does_not_count(text: str) -> None:
    assert plain(text) == "complaint"


def test_case_counts_where_it_is_asked_for() -> None:
    assert plain(" Yes. ", case_sensitive=True) == "Yes"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Here it is: {}",
        '```json\n{"a": 1}\n```',
        "NaN",
        "[Infinity]",
        "1e999",
        "[" * 10_000 + "]" * 10_000,
        "{'a': 1}",
        '{"a": 1} and more',
        '"\\ud800"',
        '"\ud800"',
    ],
)
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(NotJsonError) as caught:
        json_of(text)
    assert not text or text[:20] not in str(caught.value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1, "b": [1, 2]}, {"b": [1, 2], "a": 1.0}, True),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (True, 1, False),
        (None, 0, False),
        ("a", "a", True),
    ],
)
def test_when_json_values_are_the_same(one: Any, other: Any, same: bool) -> None:
    assert is_same(one, other) is same


def test_values_beyond_all_depth_are_not_the_same() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    other = [deep[0]]
    assert not is_same(deep, [other])
