"""Fields are read one by one, and whatever is not asked for is a problem."""

import pytest

from farebox.core.tasks import Consequence
from farebox.manifests.documents import read_documents
from farebox.manifests.fields import ITEMS_MAX, Fields, Report
from farebox.manifests.scalars import AMOUNT, NAME, TEXT, choice, whole


def fields_of(text: str) -> tuple[Fields, Report]:
    (document,) = read_documents("a.yaml", text).documents
    assert isinstance(document.content, dict)
    report = Report(document=document)
    return Fields(report, "", document.content), report


def said(report: Report) -> list[str]:
    return [f"{one.line} {one.field}: {one.message}" for one in report.problems]


def test_a_default_stands_for_an_absent_field_only() -> None:
    fields, report = fields_of("a: 5\n")
    assert fields.one("a", whole(0, 9), 1) == 5
    assert fields.one("b", whole(0, 9), 1) == 1
    assert fields.one("c", whole(0, 9), 0) == 0
    assert fields.optional("d", AMOUNT) is None
    assert said(report) == []


def test_a_field_without_default_is_required() -> None:
    fields, report = fields_of("a:\n")
    fields.one("a", whole(1, 9))
    fields.one("b", whole(1, 9))
    fields.one("a", whole(1, 9), 3)
    assert said(report) == [
        "1 a: is empty: write a whole number from 1 to 9",
        "1 b: is missing: write a whole number from 1 to 9",
        "1 a: is empty: write a whole number from 1 to 9, or leave the line out",
    ]


def test_lists() -> None:
    fields, report = fields_of("a: [x, y]\nb: x\nc: [x, x]\nd: [[x], {y: z}, ]\n")
    assert fields.many("a", TEXT) == ("x", "y")
    assert fields.many("absent", TEXT) == ()
    for name in "bcd":
        fields.many(name, NAME)
    assert said(report) == [
        f'2 b: is "x": write a list of {NAME.wanted}',
        '3 c[1]: is "x" for the second time: keep one',
        f"4 d[0]: is a list: write {NAME.wanted}",
        f"4 d[1]: is a group of fields: write {NAME.wanted}",
    ]


def test_groups_inside_groups() -> None:
    fields, report = fields_of("a:\n  b:\n    c: 1\nd: 1\n")
    inner = fields.section("a").section("b")
    assert inner.one("c", whole(0, 9)) == 1
    assert inner.path("c") == "a.b.c"
    assert not fields.section("absent").has("x")
    fields.section("d")
    fields.section("needed", required=True)
    assert said(report) == [
        "4 d: is the number 1: write fields and their values below it",
        "1 needed: is missing: write it with its fields below",
    ]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("a: [{b: 1}, {b: 2}]", []),
        ("x: 1", ["1 a: is missing: write a list with at least one entry"]),
        ("a: []", ["1 a: is missing: write a list with at least one entry"]),
        ("a: {b: 1}", ["1 a: is a group of fields: write a list with at least one entry"]),
        ("a:\n- 1", ["2 a[0]: is the number 1: write fields and their values"]),
    ],
)
def test_lists_of_groups(text: str, problems: list[str]) -> None:
    fields, report = fields_of(text)
    groups = fields.sections("a")
    assert said(report) == problems
    assert [group.one("b", whole(0, 9)) for group in groups] == ([] if problems else [1, 2])


def test_a_map_of_texts() -> None:
    fields, report = fields_of("a: {x: y, Z: w, v: 1}\n")
    assert fields.text_map("a", NAME, NAME)["x"] == "y"
    assert [problem.field for problem in report.problems] == ["a.Z", "a.v"]


def test_nothing_is_ignored() -> None:
    fields, report = fields_of("known: 1\nknwon: 2\nplanned: 3\n")
    fields.one("known", whole(0, 9))
    fields.close({"planned": "write known"})
    assert said(report) == [
        "2 knwon: is not a field here: did you mean known?",
        "3 planned: is not in this version: write known",
    ]


def test_what_was_asked_for_is_noted() -> None:
    fields, report = fields_of("a: [{b: 1}, {b: 2}]\n")
    for group in fields.sections("a"):
        group.one("b", whole(0, 9))
        group.one("c", choice(Consequence), Consequence.LOW)
    assert report.asked == {"a", "a[].b", "a[].c"}


def test_lists_and_maps_are_bounded() -> None:
    fields, report = fields_of(f"a: [{', '.join(f'x{n}' for n in range(ITEMS_MAX + 1))}]\n")
    fields.many("a", TEXT)
    assert said(report) == [f"1 a: has {ITEMS_MAX + 1} entries: write at most {ITEMS_MAX}"]
