"""Line charts as SVG text: a few lines of arithmetic instead of a plotting library.

The one rule: the same figures give the same bytes, so that a changed picture is a changed result.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

_WIDTH: Final = 560
_HEIGHT: Final = 360
_LEFT, _TOP, _RIGHT, _BOTTOM = 60, 40, 150, 50
_COLOURS: Final = ("#1b6ca8", "#c1440e", "#2e7d32", "#7b1fa2", "#b8860b", "#00838f", "#555555")
_TICKS: Final = 5
POINTS_MAX: Final = 120

Points = Sequence[tuple[float, float]]


def chart(title: str, x_label: str, y_label: str, lines: Mapping[str, Points]) -> str:
    """A chart of named lines; each line is thinned to POINTS_MAX points."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    low_x, high_x, low_y, high_y = min(xs), max(xs), min(ys), max(ys)

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - low_x) / ((high_x - low_x) or 1)
        up = (y - low_y) / ((high_y - low_y) or 1)
        return (
            _LEFT + across * (_WIDTH - _LEFT - _RIGHT),
            _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM),
        )

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            'font-family="sans-serif" font-size="11">'
        ),
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        _text(_LEFT, 22, title, size=14),
        _text((_WIDTH - _RIGHT + _LEFT) / 2, _HEIGHT - 12, x_label, anchor="middle"),
        _text(_LEFT - 45, _TOP - 8, y_label),
    ]
    for tick in range(_TICKS + 1):
        x = low_x + (high_x - low_x) * tick / _TICKS
        y = low_y + (high_y - low_y) * tick / _TICKS
        at_x, at_y = place(x, low_y)[0], place(low_x, y)[1]
        parts.append(_text(at_x, _HEIGHT - _BOTTOM + 16, f"{x:.2f}", anchor="middle"))
        parts.append(_text(_LEFT - 6, at_y + 4, f"{y:.2f}", anchor="end"))
        parts.append(
            f'<path d="M{_LEFT} {at_y:.1f}H{_WIDTH - _RIGHT}" stroke="#dddddd" fill="none"/>'
        )
    for number, (name, points) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        drawn = " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in thinned(points))
        parts.append(f'<polyline points="{drawn}" fill="none" stroke="{colour}"/>')
        at_y = _TOP + 16 * number
        parts.append(
            f'<path d="M{_WIDTH - _RIGHT + 10} {at_y}h16" stroke="{colour}" stroke-width="2"/>'
        )
        parts.append(_text(_WIDTH - _RIGHT + 30, at_y + 4, name))
    return "\n".join([*parts, "</svg>"]) + "\n"


def thinned(points: Points) -> Points:
    """At most POINTS_MAX of the points, evenly, with both ends."""
    if len(points) <= POINTS_MAX:
        return points
    step = (len(points) - 1) / (POINTS_MAX - 1)
    return [points[round(step * n)] for n in range(POINTS_MAX)]


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 11) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">'
        f"{escape(text)}</text>"
    )
