"""Each check lets its bounds through and refuses what lies just beyond, in a sentence."""

from collections.abc import Callable

import pytest

from farebox.core.tasks import Consequence
from farebox.wire import checks
from farebox.wire.checks import CodecError


def test_bounds_belong_to_what_is_taken() -> None:
    assert checks.number(0, "seq") == 0
    assert checks.number(checks.INT64_MAX, "seq") == checks.INT64_MAX
    assert checks.amount(0, "spent") == 0
    assert checks.text("", "refusal") == ""
    assert checks.text("x" * checks.TEXT_CHARS_MAX, "refusal")
    assert checks.name("x" * checks.NAME_CHARS_MAX, "uid")
    assert checks.choice(Consequence, "High", "consequence") is Consequence.HIGH
    checks.few([1, 2], "wants", most=2)
    checks.present(True, "lease")


def test_what_lies_beyond_is_refused_in_a_sentence() -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: checks.number(5, "rank", most=4), "rank is 5: it must be 0 to 4"),
        (lambda: checks.amount(-1, "spent"), "spent is -1 n$: an amount is never negative"),
        (
            lambda: checks.text("abc", "key", chars_max=2),
            "key has 3 characters: at most 2 are taken",
        ),
        (lambda: checks.name("", "uid"), "uid is empty: it must be said"),
        (
            lambda: checks.choice(Consequence, "Dire", "consequence"),
            "consequence is 'Dire': it must be one of Low, Medium, High",
        ),
        (
            lambda: checks.few([1, 2], "wants", most=1),
            "wants has 2 entries: at most 1 are taken",
        ),
        (lambda: checks.present(False, "lease"), "lease is missing"),
    ]
    for refuse, sentence in cases:
        with pytest.raises(CodecError) as caught:
            refuse()
        assert str(caught.value) == sentence


def test_a_long_wrong_word_is_not_echoed_whole() -> None:
    with pytest.raises(CodecError) as caught:
        checks.choice(Consequence, "x" * 100_000, "consequence")
    assert len(str(caught.value)) < 1_000


def test_an_error_that_names_its_field_already_is_passed_on() -> None:
    with pytest.raises(CodecError, match=r"^rank is wrong$"), checks.encoding("a policy"):
        raise CodecError("rank is wrong")


def test_what_protobuf_says_is_put_in_a_sentence() -> None:
    sentence = r"^a policy can't be sent: out of range$"
    with pytest.raises(CodecError, match=sentence), checks.encoding("a policy"):
        raise ValueError("out of range")
