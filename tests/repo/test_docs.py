"""What the documents name exists: source files, make targets, make variables."""

import pytest

from tests.repo import docs
from tests.repo.files import ROOT, tracked

DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/ARCHITECTURE.md",
    "docs/after-launch.md",
    "docs/before-launch.md",
    "docs/dependencies.md",
    "docs/etcd.md",
    "docs/images.md",
    "docs/kubectl-plugin.md",
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_source_files_named_in_a_document_exist(document: str) -> None:
    text = ROOT.joinpath(document).read_text()
    assert docs.missing_paths(text, set(tracked())) == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_commands_in_a_document_work(document: str) -> None:
    text = ROOT.joinpath(document).read_text()
    assert docs.unknown_make_words(text, ROOT.joinpath("Makefile").read_text()) == []


def test_the_architecture_names_source_files() -> None:
    named = docs.paths_in(ROOT.joinpath("docs/ARCHITECTURE.md").read_text())
    assert any(path.startswith("sidecar/") for path in named)
    assert any(path.startswith("controller/") for path in named)


def test_a_missing_file_is_found() -> None:
    text = "See `sidecar/app.py`, `sidecar/gone.py`, `lost.py`, `app.py`, `sidecar/`, `deny/x` ok."
    files = {"sidecar/app.py"}
    assert docs.missing_paths(text, files) == ["lost.py", "sidecar/gone.py"]


def test_an_unknown_make_target_or_variable_is_found() -> None:
    makefile = "demo: x\n\trun $(PROMPTS)\ntest: y\n"
    text = """Run `make demo`, make sure it ends, or `make fly`.

```sh
make demo PROMPTS=x LIMIT=5   # make way
make test
```
"""
    assert docs.unknown_make_words(text, makefile) == ["LIMIT=5", "fly"]
