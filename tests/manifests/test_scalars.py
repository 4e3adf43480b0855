"""A value is read exactly, or the problem says what to write."""

import re

import pytest

from farebox.core.tasks import Consequence
from farebox.manifests.documents import Scalar, Written
from farebox.manifests.scalars import (
    AMOUNT,
    NAME,
    NAMESPACE,
    SHOWN_CHARS_MAX,
    TEXT,
    TEXT_CHARS_MAX,
    Reader,
    Unfit,
    choice,
    described,
    did_you_mean,
    share,
    shown,
    text,
    whole,
)


def quoted(value: str) -> Scalar:
    return Scalar(value, Written.TEXT)


@pytest.mark.parametrize(
    ("reader", "scalar", "value"),
    [
        (AMOUNT, quoted("50.00"), 50_000_000_000),
        (AMOUNT, quoted("0.000000001"), 1),
        (AMOUNT, quoted("0"), 0),
        (whole(0, 10), Scalar("10", Written.WHOLE), 10),
        (whole(-5, 10), Scalar("-5", Written.WHOLE), -5),
        (share(3), quoted("0.35"), 350),
        (share(3), Scalar("0.35", Written.FRACTION), 350),
        (share(3), Scalar("1", Written.WHOLE), 1000),
        (share(3), quoted("1.000"), 1000),
        (share(2), Scalar("0.8", Written.FRACTION), 80),
        (share(2), quoted("0.5000"), 50),
        (choice(Consequence), quoted("High"), Consequence.HIGH),
        (NAME, quoted("team-1.support"), "team-1.support"),
        (TEXT, quoted("Grüße an alle"), "Grüße an alle"),
    ],
)
def test_what_fits(reader: Reader[object], scalar: Scalar, value: object) -> None:
    assert reader.read(scalar) == value


@pytest.mark.parametrize(
    ("reader", "scalar", "says"),
    [
        (AMOUNT, Scalar("0.1", Written.FRACTION), 'put it in quotes, "0.1", so that nothing'),
        (AMOUNT, Scalar("1_000", Written.WHOLE), "is the number 1_000"),
        (AMOUNT, quoted(" 1"), 'is " 1": write dollars in quotes'),
        (whole(1, 10), Scalar("0", Written.WHOLE), "is 0: write a whole number from 1 to 10"),
        (whole(1, 10), Scalar("11", Written.WHOLE), "is 11: write a whole number from 1 to 10"),
        (whole(1, 10), quoted("5"), 'is "5": write a whole number from 1 to 10, without quotes'),
        (whole(1, 10), Scalar("010", Written.WHOLE), "is the number 010: write a whole number"),
        (whole(1, 10), Scalar("5.0", Written.FRACTION), "is the decimal number 5.0: write a whole"),
        (whole(1, 9), Scalar("9" * 99, Written.WHOLE), "is the number 999"),
        (share(3), quoted("1.001"), 'is "1.001": write a decimal from 0 to 1'),
        (share(3), quoted("0.3535"), "at most 3 decimals"),
        (share(2), quoted("80%"), 'is "80%": write a decimal from 0 to 1'),
        (share(2), Scalar(".8", Written.FRACTION), "is the decimal number .8: write"),
        (share(2), quoted("-0.5"), 'is "-0.5"'),
        (choice(Consequence), quoted("high"), 'is "high": write Low, Medium or High'),
        (choice(Consequence, ("Huge",)), quoted("Huge"), "is Huge, which is not in this version"),
        (NAME, quoted("Team"), 'is "Team": write a name of lower-case letters'),
        (NAME, quoted("a/b"), 'is "a/b": write a name'),
        (NAME, quoted("a" * 254), "write a name"),
        (NAMESPACE, quoted("a.b"), 'is "a.b": write a namespace'),
        (NAME, Scalar("12", Written.WHOLE), "is the number 12: put it in quotes if it is meant as"),
        (TEXT, quoted("x" * (TEXT_CHARS_MAX + 1)), "is longer than 512 characters"),
        (TEXT, quoted(" x"), 'is " x": write a text'),
        (TEXT, quoted("x\ny"), "has invisible characters: write a text"),
        (TEXT, quoted("x\u200b"), "has invisible characters: write a text"),
    ],
)
def test_what_does_not_fit(reader: Reader[object], scalar: Scalar, says: str) -> None:
    with pytest.raises(Unfit, match=re.escape(says)):
        reader.read(scalar)


def test_a_secret_is_not_repeated() -> None:
    with pytest.raises(Unfit) as unfit:
        text("[A-Z]+", "capitals", secret=True).read(quoted("sk-secret"))
    assert str(unfit.value) == "is not fit: write capitals"


def test_a_long_value_is_cut() -> None:
    assert shown("x" * 1000) == f'"{"x" * SHOWN_CHARS_MAX}..."'


def test_a_place_is_described() -> None:
    assert described(Scalar("", Written.NOTHING)) == "empty"
    assert described([]) == "a list"
    assert described({}) == "a group of fields"


def test_a_near_name_is_proposed_and_otherwise_all() -> None:
    assert did_you_mean("BASEURL", {"baseURL", "name"}) == "did you mean baseURL?"
    assert did_you_mean("user", {"userHeader", "taskHeader"}) == "did you mean userHeader?"
    assert did_you_mean("zzz", {"b", "a"}) == "write one of a, b"
    assert did_you_mean("zzz", [f"{n:02}" for n in range(13)]).endswith("10, 11, ...")
    assert did_you_mean("zzz", set()) == "there is none yet"
