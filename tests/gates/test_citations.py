"""Citations: what an answer names, and whether it was given."""

import pytest

from farebox.gates.citations import CITATIONS_MAX, cited, is_given, is_plainly_a_source


@pytest.mark.parametrize(
    ("answer", "sources"),
    [
        ("Paris [1].", ("1",)),
        ("Paris[1][2], Rome [1].", ("1", "2")),
        ("Both [1, 3].", ("1", "3")),
        ("See [^2] and 【4†source】.", ("2", "4")),
        ("See [doc-7] and [handbook].", ("doc-7", "handbook")),
        ("See https://a.example/x.", ("https://a.example/x",)),
        ("See [the page](https://a.example/x).", ("https://a.example/x",)),
        ("Nothing at all, [ ] not even an empty box.", ()),
        ("[" * 10_000, ()),
    ],
)
def test_what_an_answer_cites(answer: str, sources: tuple[str, ...]) -> None:
    assert cited(answer) == sources


def test_so_many_are_looked_at() -> None:
    assert len(cited(" ".join(f"[{number}]" for number in range(10_000)))) == CITATIONS_MAX + 1


@pytest.mark.parametrize(
    ("source", "asked", "given"),
    [
        ("1", "[1] Paris is a city.", True),
        ("1", "1. Paris is a city.\n2. So is Rome.", True),
        ("2", "Source 2: Rome", True),
        ("2", '<doc id="2">Rome</doc>', True),
        ("3", "[1] Rome has 3 airports.", False),
        ("doc-7", "doc-7: Rome", True),
        ("doc-70", "doc-7: Rome", False),
        ("https://a.example/x", "From https://a.example/x we know", True),
        ("https://b.example/x", "From https://a.example/x we know", False),
        ("(a+)+$", "aaaa", False),
    ],
)
def test_whether_a_source_was_given(source: str, asked: str, given: bool) -> None:
    assert is_given(source, asked) is given


@pytest.mark.parametrize(
    ("source", "plainly"), [("1", True), ("doc-7", True), ("sic", False), ("https://x", True)]
)
def test_what_can_be_nothing_but_a_source(source: str, plainly: bool) -> None:
    assert is_plainly_a_source(source) is plainly
