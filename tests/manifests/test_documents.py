"""YAML becomes documents that know their lines, within bounds, and without tags."""

import pytest

from farebox.manifests.documents import (
    DEPTH_MAX,
    DOCUMENTS_MAX,
    KEY_CHARS_MAX,
    VALUES_MAX,
    Document,
    Scalar,
    Written,
    read_documents,
)


def one(text: str) -> Document:
    found = read_documents("a.yaml", text)
    assert found.problems == ()
    (document,) = found.documents
    return document


def test_every_field_knows_its_line() -> None:
    document = one("# first\na: 1\nb:\n  - c: x\n    d: {e: y}\n  -\n    f\n")
    assert document.lines == {
        "": 2,
        "a": 2,
        "b": 3,
        "b[0]": 4,
        "b[0].c": 4,
        "b[0].d": 5,
        "b[0].d.e": 5,
        "b[1]": 7,
    }
    assert document.line_of("b[0].d.missing") == 5
    assert document.line_of("b[7].missing") == 3
    assert document.line_of("missing") == 2


@pytest.mark.parametrize(
    ("text", "scalar"),
    [
        ("50.00", Scalar("50.00", Written.FRACTION)),
        ("'50.00'", Scalar("50.00", Written.TEXT)),
        ("1e3", Scalar("1e3", Written.TEXT)),
        ("0x10", Scalar("0x10", Written.WHOLE)),
        ("on", Scalar("on", Written.TRUTH)),
        ("2026-01-01", Scalar("2026-01-01", Written.DATE)),
        ("~", Scalar("", Written.NOTHING)),
        ("24h", Scalar("24h", Written.TEXT)),
        ("!!str 5", Scalar("5", Written.TEXT)),
    ],
)
def test_a_value_keeps_its_text(text: str, scalar: Scalar) -> None:
    assert one(f"a: {text}").content == {"a": scalar}


def test_documents_are_separate_and_empty_ones_are_left_out() -> None:
    found = read_documents("a.yaml", "a: 1\n---\n# nothing\n---\nb: 2\n---\n")
    assert [document.lines[""] for document in found.documents] == [1, 5]
    assert [document.lines for document in found.documents][1] == {"": 5, "b": 5}
    assert read_documents("a.yaml", "# only a comment\n").documents == ()


def test_an_alias_is_written_out() -> None:
    document = one("a: &it {b: 1}\nc: *it\n")
    assert document.content == {name: {"b": Scalar("1", Written.WHOLE)} for name in ("a", "c")}


NOT_YAML = {
    "tab": ("a:\n\tb: 1\n", 2, "is not YAML: while scanning"),
    "unclosed": ("a: [1, 2\nb: 3\n", 2, "is not YAML: while parsing a flow sequence"),
    "two-colons": ("a: b: c\n", 1, "is not YAML: mapping values are not allowed here"),
    "unknown-alias": ("a: 1\nb: *nowhere\n", 2, "is not YAML: found undefined alias"),
    "control-character": ("a: 1\nb: \x07\n", 2, "holds a character that YAML does not allow"),
    "too-deep": ("a: " + "[" * 100_000, 1, f"is nested deeper than {DEPTH_MAX} levels"),
}


@pytest.mark.parametrize("case", NOT_YAML)
def test_text_that_is_not_yaml_leaves_out_the_file(case: str) -> None:
    text, line, says = NOT_YAML[case]
    found = read_documents("a.yaml", "x: 1\n---\n" + text)
    assert found.documents == ()
    (problem,) = found.problems
    assert (problem.file, problem.line) == ("a.yaml", line + 2)
    assert says in problem.message


REFUSED = {
    "tag": ("a: !secret x\n", 1, "has the tag '!secret': leave it out"),
    "python-tag": ("a: !!python/object:os.system x\n", 1, "tags are not read"),
    "binary": ("a: !!binary aGk=\n", 1, "tags are not read"),
    "set": ("a: !!set {b}\n", 1, "tags are not read"),
    "merge": ("a: &it {b: 1}\nc:\n  <<: *it\n", 3, "<< is not read: write the fields out"),
    "key-twice": ("a: 1\nb: 2\na: 3\n", 3, "a is written twice, first in line 3: keep one"),
    "key-no-text": ("a: 1\n1: 2\n", 2, "the key 1 is not text: put it in quotes"),
    "key-yes": ("yes: 1\n", 1, "the key yes is not text: put it in quotes"),
    "key-list": ("? [a]\n: 1\n", 1, "the key is not text"),
    "key-too-long": ("a" * (KEY_CHARS_MAX + 1) + ": 1\n", 1, "has a key of over 320 characters"),
    "key-newline": ('"a\\nb": 1\n', 1, "has a key with invisible characters"),
    "inside-itself": ("a: &it\n  b: *it\n", 1, "is nested deeper than"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_document_that_is_refused_is_left_out_alone(case: str) -> None:
    text, line, says = REFUSED[case]
    found = read_documents("a.yaml", "x: 1\n---\n" + text + "---\ny: 1\n")
    assert [list(document.lines) for document in found.documents] == [["", "x"], ["", "y"]]
    (problem,) = found.problems
    assert problem.line == line + 2
    assert says in problem.message


def test_aliases_that_multiply_are_stopped() -> None:
    rows = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    found = read_documents("a.yaml", "\n".join(["a0: &a0 [x]", *rows]))
    assert found.documents == ()
    assert f"has over {VALUES_MAX} values: split the file" in found.problems[0].message


def test_documents_of_a_file_are_bounded() -> None:
    found = read_documents("a.yaml", "---\na: 1\n" * (DOCUMENTS_MAX + 1))
    assert found.documents == ()
    assert found.problems[0].message == f"has over {DOCUMENTS_MAX} documents: split the file"
    assert found.problems[0].line == 2 * (DOCUMENTS_MAX + 1)
