"""Every function and test that the proof of the lease protocol names exists."""

import ast
import re

from tests.repo import docs
from tests.repo.files import ROOT, text_of, tracked

DOCUMENT = "docs/lease-protocol.md"
NAMED = re.compile(r"`([\w/.-]+\.py)::([\w.]+)`")


def names_in(text: str) -> set[str]:
    """What a Python file defines, the insides of classes with the class's name before a dot."""
    found: set[str] = set()

    def add(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    found.add(prefix + node.name)
                case ast.ClassDef():
                    found.add(prefix + node.name)
                    add(node.body, f"{prefix}{node.name}.")
                case ast.Assign(targets=[ast.Name(id=name)]):
                    found.add(prefix + name)
                case ast.AnnAssign(target=ast.Name(id=name)):
                    found.add(prefix + name)

    add(ast.parse(text).body, "")
    return found


def missing_names(document: str) -> list[str]:
    """What a document names as `file::name` and is not there; sorted."""
    files = set(tracked())
    known = {path: names_in(text_of(path)) for path, _ in NAMED.findall(document) if path in files}
    return sorted(
        f"{path}::{name}"
        for path, name in set(NAMED.findall(document))
        if name not in known.get(path, set())
    )


def test_every_function_and_test_that_the_proof_names_exists() -> None:
    text = ROOT.joinpath(DOCUMENT).read_text()
    assert missing_names(text) == []
    assert docs.missing_paths(text, set(tracked())) == []


def test_every_make_target_that_the_proof_names_exists() -> None:
    text = ROOT.joinpath(DOCUMENT).read_text()
    assert docs.unknown_make_words(text, ROOT.joinpath("Makefile").read_text()) == []


def test_each_step_of_the_proof_names_code_and_a_test() -> None:
    text = ROOT.joinpath(DOCUMENT).read_text()
    for step in ("(G)", "(R)", "(H)", "(C)"):
        words = text.split(f"**{step}", 1)[1].split("\n\n", 1)[0]
        paths = [path for path, _ in NAMED.findall(words)]
        assert any(path.startswith("tests/") for path in paths), step
        assert any(not path.startswith("tests/") for path in paths), step


def test_a_name_that_is_gone_is_found() -> None:
    text = "`tests/repo/files.py::tracked`, `tests/repo/files.py::gone` and `lost.py::x`"
    assert missing_names(text) == ["lost.py::x", "tests/repo/files.py::gone"]
