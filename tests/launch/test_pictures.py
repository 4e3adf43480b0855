"""Bar charts: well-formed, the same for the same figures, nothing of a name unescaped."""

from xml.etree import ElementTree as ET

from farebox.launch.pictures import Bar, bars

GROUPS = {"a<b": [Bar(900, "90 %", 800, 950), Bar(1_000, "100 %")], "c": [Bar(0, "0 %", 0, 300)]}


def test_a_chart_is_svg_and_deterministic() -> None:
    drawn = bars("Pass rate", GROUPS, ["small", "mid"], 1_000)
    assert drawn == bars("Pass rate", GROUPS, ["small", "mid"], 1_000)
    root = ET.fromstring(drawn)  # noqa: S314  Written one line above.
    texts = [node.text for node in root.iter() if node.text and node.text.strip()]
    assert texts[:3] == ["Pass rate", "small", "mid"]
    assert {"a<b", "90 %", "100 %", "0 %"} <= set(texts)


def test_nothing_is_drawn_beyond_the_full_width() -> None:
    root = ET.fromstring(bars("x", {"t": [Bar(50, "50")]}, ["one"], 0))  # noqa: S314
    widths = [float(node.get("width", "0")) for node in root.iter() if node.tag.endswith("rect")]
    assert max(widths) <= 640
