"""What a single value may be: amounts, numbers, shares, texts, times, members of closed sets.

The one rule: a reader gives an exact value or says what to write instead; no number passes through
a float. This module must not know fields or documents' structure.
"""

import enum
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from typing import Final, Generic, TypeVar

from farebox.core.instant import (
    DurationError,
    DurationMs,
    InstantError,
    UtcMs,
    format_duration,
    parse_duration,
    parse_utc,
)
from farebox.core.money import ZERO, AmountError, Nanos, parse_dollars
from farebox.manifests.documents import Node, Scalar, Written

SHOWN_CHARS_MAX: Final = 60
"""How much of a wrong value a problem repeats."""

NAMES_SHOWN_MAX: Final = 12
"""How many known names a problem lists."""

TEXT_CHARS_MAX: Final = 512

TOKENS_MAX: Final = 100_000_000
"""More than any context window; keeps products with rates within 64 bits."""

_WHOLE: Final = re.compile(r"-?(?:0|[1-9]\d{0,17})")
_SHARE: Final = re.compile(r"([01])(?:\.(\d{1,9}))?")
_DECIMAL: Final = re.compile(r"-?\d{1,18}(?:\.\d{1,9})?")

Read = TypeVar("Read")
Member = TypeVar("Member", bound=enum.StrEnum)


class Unfit(Exception):
    """A value is not what its field wants; the message says what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader(Generic[Read]):
    """Reads one kind of value.

    `read` raises Unfit; `wanted` says what to write; `stand_in` is returned where there is a
    problem, and never used.
    """

    wanted: str
    read: Callable[[Scalar], Read]
    stand_in: Read


def described(node: Node) -> str:
    """What a document has in a place, in the words of a problem."""
    match node:
        case Scalar(written=Written.NOTHING):
            return "empty"
        case Scalar(written=Written.TEXT, text=text):
            return shown(text)
        case Scalar(written=written, text=text):
            return f"{written} {shorten(text)}"
        case list():
            return "a list"
        case _:
            return "a group of fields"


def shown(text: str) -> str:
    """A text as a problem repeats it: in quotes, cut when it is long, on one line."""
    return f'"{shorten(text)}"'


def shorten(text: str) -> str:
    """A text on one line and at most SHOWN_CHARS_MAX long."""
    line = "".join(char if char.isprintable() else "?" for char in text[: SHOWN_CHARS_MAX + 1])
    return line if len(line) <= SHOWN_CHARS_MAX else f"{line[:SHOWN_CHARS_MAX]}..."


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Advice for a name that is not known: the one that is close, else all of them."""
    lowered = {candidate.lower(): candidate for candidate in known}
    begun = [candidate for candidate in lowered if candidate.startswith(name.lower())]
    close = get_close_matches(name.lower(), lowered, n=1) or begun
    if close:
        return f"did you mean {lowered[close[0]]}?"
    if not known:
        return "there is none yet"
    some = sorted(known)[:NAMES_SHOWN_MAX]
    more = ", ..." if len(known) > len(some) else ""
    return f"write one of {', '.join(some)}{more}"


# Texts.


def text(pattern: str, wanted: str, *, secret: bool = False) -> Reader[str]:
    """A text that a regular expression matches whole. A `secret` one is never repeated."""
    compiled = re.compile(pattern)

    def read(scalar: Scalar) -> str:
        if scalar.written is not Written.TEXT:
            raise Unfit(f"is {described(scalar)}: put it in quotes if it is meant as text")
        if len(scalar.text) > TEXT_CHARS_MAX:
            raise Unfit(f"is longer than {TEXT_CHARS_MAX} characters: write {wanted}")
        if not scalar.text.isprintable():
            raise Unfit(f"has invisible characters: write {wanted} without them")
        if not compiled.fullmatch(scalar.text):
            raise Unfit(f"is {'not fit' if secret else shown(scalar.text)}: write {wanted}")
        return scalar.text

    return Reader(wanted=wanted, read=read, stand_in="")


TEXT: Final = text(r"[^ ](?:.*[^ ])?", "a text that neither begins nor ends with a space")
NAME: Final = text(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?",
    'a name of lower-case letters, digits, "-" and ".", for example "support"',
)
LABEL: Final = text(
    r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?",
    'a label of lower-case letters, digits, "-" and ".", for example "eu"',
)
NAMESPACE: Final = text(
    r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?",
    'a namespace of lower-case letters, digits and "-", for example "support"',
)


def long_text(chars_max: int, wanted: str) -> Reader[str]:
    """A text of any characters that can be written, on one line or several; not blank."""

    def read(scalar: Scalar) -> str:
        if scalar.written is not Written.TEXT:
            raise Unfit(f"is {described(scalar)}: put it in quotes if it is meant as text")
        if len(scalar.text) > chars_max:
            raise Unfit(f"is longer than {chars_max} characters: write {wanted}")
        if not scalar.text.strip():
            raise Unfit(f"is blank: write {wanted}")
        return scalar.text

    return Reader(wanted=wanted, read=read, stand_in="")


def _truth(scalar: Scalar) -> bool:
    if scalar.written is Written.TRUTH and scalar.text in {"true", "false"}:
        return scalar.text == "true"
    raise Unfit(f"is {described(scalar)}: write {TRUTH.wanted}")


TRUTH: Final = Reader(wanted="true or false", read=_truth, stand_in=False)


# Numbers.


def _amount(scalar: Scalar) -> Nanos:
    if scalar.written in {Written.WHOLE, Written.FRACTION}:
        raise Unfit(
            f'is the number {shorten(scalar.text)}: put it in quotes, "{shorten(scalar.text)}", '
            "so that nothing rounds it"
        )
    try:
        return parse_dollars(scalar.text)
    except AmountError:
        raise Unfit(f"is {described(scalar)}: write {AMOUNT.wanted}") from None


AMOUNT: Final = Reader(
    wanted='dollars in quotes, at most 9 digits and 9 decimals, for example "50.00"',
    read=_amount,
    stand_in=ZERO,
)


def whole(low: int, high: int) -> Reader[int]:
    """A whole number within bounds, written in plain decimal digits."""
    wanted = f"a whole number from {low} to {high}"

    def read(scalar: Scalar) -> int:
        digits = _WHOLE.fullmatch(scalar.text) is not None
        if scalar.written is not Written.WHOLE or not digits:
            hint = ", without quotes" if digits else ""
            raise Unfit(f"is {described(scalar)}: write {wanted}{hint}")
        if not low <= int(scalar.text) <= high:
            raise Unfit(f"is {scalar.text}: write {wanted}")
        return int(scalar.text)

    return Reader(wanted=wanted, read=read, stand_in=low)


def share(decimals: int) -> Reader[int]:
    """A decimal from 0 to 1, in quotes or not, as a whole number of 10^-decimals."""
    wanted = f'a decimal from 0 to 1 with at most {decimals} decimals, for example "0.35"'

    def read(scalar: Scalar) -> int:
        match = _SHARE.fullmatch(scalar.text)
        if match is None:
            raise Unfit(f"is {described(scalar)}: write {wanted}")
        whole_part, digits = match.group(1), (match.group(2) or "").rstrip("0")
        if len(digits) > decimals or (whole_part == "1" and digits):
            raise Unfit(f"is {described(scalar)}: write {wanted}")
        return int(whole_part + digits.ljust(decimals, "0"))

    return Reader(wanted=wanted, read=read, stand_in=0)


def _decimal(scalar: Scalar) -> Decimal:
    if scalar.written is Written.NOTHING or not _DECIMAL.fullmatch(scalar.text):
        raise Unfit(f"is {described(scalar)}: write {DECIMAL.wanted}")
    return Decimal(scalar.text)


DECIMAL: Final = Reader(
    wanted="a plain decimal number with at most 9 decimals, for example 0.5",
    read=_decimal,
    stand_in=Decimal(0),
)


def _date(scalar: Scalar) -> str:
    try:
        if scalar.written in {Written.TEXT, Written.DATE}:
            return date.fromisoformat(scalar.text).isoformat()
    except ValueError:
        pass
    raise Unfit(f"is {described(scalar)}: write {DATE.wanted}")


DATE: Final = Reader(wanted='a day, for example "2026-11-01"', read=_date, stand_in="")


# Time.


def duration(low: DurationMs, high: DurationMs, example: str) -> Reader[DurationMs]:
    """A duration within bounds."""
    bounds = f"from {format_duration(low)} to {format_duration(high)}"
    wanted = f'a duration {bounds}, for example "{example}"'

    def read(scalar: Scalar) -> DurationMs:
        try:
            found = parse_duration(scalar.text) if scalar.written is Written.TEXT else None
        except DurationError:
            found = None
        if found is None or not low <= found <= high:
            raise Unfit(f"is {described(scalar)}: write {wanted}")
        return found

    return Reader(wanted=wanted, read=read, stand_in=low)


def _instant(scalar: Scalar) -> UtcMs:
    try:
        # YAML takes a date without quotes for what it is; the text is the same.
        if scalar.written in {Written.TEXT, Written.DATE}:
            return parse_utc(scalar.text)
    except InstantError:
        pass
    raise Unfit(f"is {described(scalar)}: write {INSTANT.wanted}")


INSTANT: Final = Reader(
    wanted='a date, a time and its distance from UTC, for example "2026-11-01T00:00:00Z"',
    read=_instant,
    stand_in=UtcMs(0),
)


# Closed sets.


def choice(options: type[Member], later: Collection[str] = ()) -> Reader[Member]:
    """A member of a closed set; `later` are values that are planned and not in this version."""
    names = [option.value for option in options]
    wanted = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"

    def read(scalar: Scalar) -> Member:
        if scalar.text in names and scalar.written is Written.TEXT:
            return options(scalar.text)
        if scalar.text in later:
            raise Unfit(f"is {scalar.text}, which is not in this version: write {wanted}")
        raise Unfit(f"is {described(scalar)}: write {wanted}")

    return Reader(wanted=wanted, read=read, stand_in=next(iter(options)))
