"""Shortcuts: what the shape of a prompt alone says of its route, as the small model would.

They are grown from the model's own routes (`farebox.learn.rules`), and measured against it. The one
rule: each has a name that says what was seen. This module must not know outcomes, tiers or money.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from farebox.core.wording import STRUCTURE_NAMES


class Bound(NamedTuple):
    """One comparison of a number of `Wording.structure`: whether it is at most `cut`, or not."""

    number: int
    cut: float
    at_most: bool


class Shortcut(NamedTuple):
    """When all bounds hold the strong model is wanted, or it is not."""

    name: str
    bounds: tuple[Bound, ...]
    strong: bool


def shortcut_for(shortcuts: Iterable[Shortcut], structure: Sequence[float]) -> Shortcut | None:
    """The shortcut that holds for a shape; at most one does, since they are a tree's leaves."""
    for shortcut in shortcuts:
        for number, cut, at_most in shortcut.bounds:
            if (structure[number] <= cut) is not at_most:
                break
        else:
            return shortcut
    return None


def shortcuts_of(stored: Iterable[Mapping[str, Any]]) -> tuple[Shortcut, ...]:
    """Shortcuts as they are stored; raises ValueError for a number that no prompt has."""
    return tuple(
        Shortcut(
            str(one["name"]),
            tuple(
                Bound(STRUCTURE_NAMES.index(number), float(cut), bool(at_most))
                for number, cut, at_most in one["tests"]
            ),
            bool(one["strong"]),
        )
        for one in stored
    )
