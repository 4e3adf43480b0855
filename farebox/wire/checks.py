"""Checks of single fields of a message from the other side.

The one rule: what is malformed is refused with a sentence that names the field, never repaired and
never passed on. This module must not know any message.
"""

import enum
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from typing import Final, TypeVar

from farebox.core.money import Nanos

INT64_MAX: Final = 2**63 - 1
NAME_CHARS_MAX: Final = 512
"""Names and uids; "namespace/name" of two Kubernetes names has at most 507 characters."""

TEXT_CHARS_MAX: Final = 4_096
"""Sentences and addresses."""

_Choice = TypeVar("_Choice", bound=enum.StrEnum)


class CodecError(ValueError):
    """A message is malformed, or a value can't be put into one; says which field and why."""


@contextmanager
def encoding(what: str) -> Iterator[None]:
    """Turn what protobuf says about a value that doesn't fit its field into a CodecError."""
    try:
        yield
    except CodecError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise CodecError(f"{what} can't be sent: {error}") from error


def number(value: int, field: str, *, least: int = 0, most: int = INT64_MAX) -> int:
    """A whole number within its bounds."""
    if not least <= value <= most:
        raise CodecError(f"{field} is {value}: it must be {least} to {most}")
    return value


def amount(value: int, field: str) -> Nanos:
    """An amount of money; negative ones never cross the wire."""
    if value < 0:
        raise CodecError(f"{field} is {value} n$: an amount is never negative")
    return Nanos(value)


def text(value: str, field: str, *, chars_max: int = TEXT_CHARS_MAX) -> str:
    """A text that may be empty."""
    if len(value) > chars_max:
        raise CodecError(f"{field} has {len(value)} characters: at most {chars_max} are taken")
    return value


def name(value: str, field: str) -> str:
    """A text that must not be empty."""
    if not value:
        raise CodecError(f"{field} is empty: it must be said")
    return text(value, field, chars_max=NAME_CHARS_MAX)


def choice(kind: type[_Choice], value: str, field: str) -> _Choice:
    """A member of a closed set."""
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(kind)
        raise CodecError(
            f"{field} is {value[:NAME_CHARS_MAX]!r}: it must be one of {known}"
        ) from None


def few(values: Sized, field: str, *, most: int) -> None:
    """Refuse a list that is longer than its bound."""
    if len(values) > most:
        raise CodecError(f"{field} has {len(values)} entries: at most {most} are taken")


def present(there: bool, field: str) -> None:  # noqa: FBT001  HasField has no name for its answer
    """Refuse a message without a part that it must have."""
    if not there:
        raise CodecError(f"{field} is missing")
