"""Bar charts as SVG text: tasks on one side, a bar for each tier, whiskers where a rate is unsure.

The one rule: the same figures give the same bytes. This module must not know what is drawn.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

_WIDTH: Final = 640
_LEFT, _TOP, _RIGHT, _BOTTOM = 130, 56, 90, 24
_BAR, _GAP = 14, 12
_COLOURS: Final = ("#1b6ca8", "#c1440e", "#2e7d32", "#7b1fa2", "#b8860b", "#00838f")


class Bar(NamedTuple):
    """One bar: its length and label; `low` and `high` bound it where it has an interval."""

    value: int
    label: str
    low: int | None = None
    high: int | None = None


def bars(title: str, groups: Mapping[str, Sequence[Bar]], series: Sequence[str], top: int) -> str:
    """A chart of groups of bars, one for each of `series`; `top` is the value at full width."""
    step = _BAR * len(series) + _GAP
    height = _TOP + step * len(groups) + _BOTTOM
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            'font-family="sans-serif" font-size="11">'
        ),
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        _text(10, 20, title, size=14),
        *_legend(series),
    ]
    for number, (name, group) in enumerate(groups.items()):
        y = _TOP + step * number
        parts.append(_text(_LEFT - 8, y + step / 2 - 2, name, anchor="end"))
        for place, bar in enumerate(group):
            parts += _bar(bar, y + _BAR * place, _COLOURS[place % len(_COLOURS)], top)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend(series: Sequence[str]) -> list[str]:
    parts = []
    for place, name in enumerate(series):
        x = _LEFT + 120 * place
        colour = _COLOURS[place % len(_COLOURS)]
        parts.append(f'<rect x="{x}" y="34" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(x + 15, 43, name))
    return parts


def _bar(bar: Bar, y: int, colour: str, top: int) -> list[str]:
    room = _WIDTH - _LEFT - _RIGHT

    def at(value: int) -> float:
        return _LEFT + room * min(value, top) / (top or 1)

    end = at(bar.value)
    parts = [
        f'<rect x="{_LEFT}" y="{y}" width="{end - _LEFT:.1f}" height="{_BAR - 3}" fill="{colour}"/>'
    ]
    furthest = end
    if bar.low is not None and bar.high is not None:
        middle = y + (_BAR - 3) / 2
        furthest = max(end, at(bar.high))
        parts.append(
            f'<path d="M{at(bar.low):.1f} {middle:.1f}H{at(bar.high):.1f}" stroke="#222222"/>'
        )
    parts.append(_text(furthest + 5, y + _BAR - 5, bar.label))
    return parts


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 11) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
        f"{escape(text)}</text>"
    )
