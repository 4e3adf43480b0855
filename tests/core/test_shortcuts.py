"""A shortcut holds when all its bounds do, and says what was seen."""

import json
from importlib import resources

import pytest

from farebox.core.shortcuts import Bound, Shortcut, shortcut_for, shortcuts_of
from farebox.core.wording import STRUCTURE_NAMES, wording_of

SHORT = Shortcut(
    "x <= 1, y <= 5", (Bound(0, 1.0, at_most=True), Bound(1, 5.0, at_most=True)), False
)
LONG = Shortcut("x > 1", (Bound(0, 1.0, at_most=False),), True)


@pytest.mark.parametrize(
    ("structure", "found"),
    [
        ((1.0, 5.0), SHORT),
        ((1.0, 5.1), None),
        ((1.1, 5.0), LONG),
    ],
)
def test_all_bounds_must_hold(structure: tuple[float, ...], found: Shortcut | None) -> None:
    assert shortcut_for((SHORT, LONG), structure) is found


def test_the_shortcuts_that_ship_can_be_read_and_decide() -> None:
    file = resources.files("farebox.data") / "routing" / "rules.json"
    shortcuts = shortcuts_of(json.loads(file.read_bytes())["A"])
    assert {shortcut.strong for shortcut in shortcuts} == {True, False}
    sum_ = "Tom has 12 apples and gives 5 to each of his 2 friends. How many apples are left?"
    found = shortcut_for(shortcuts, wording_of(sum_).structure)
    assert found is None or found.name


def test_a_number_that_no_prompt_has_is_refused() -> None:
    stored = {"name": "odd", "strong": True, "tests": [["smell", 1, True]]}
    with pytest.raises(ValueError, match="not in"):
        shortcuts_of([stored])
    stored["tests"] = [[STRUCTURE_NAMES[3], 1, True]]
    assert shortcuts_of([stored])[0].bounds == (Bound(3, 1.0, at_most=True),)
