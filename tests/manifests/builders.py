"""Manifests as tests write them, and the one way that tests read them.

The one rule: a spec begins at line 5 of its document, so that tables can name lines.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import dedent, indent

from farebox.core.instant import UtcMs
from farebox.manifests.adoption import Loaded, adopt
from farebox.manifests.pricebook import built_in_prices
from farebox.manifests.reading import API_VERSION, read_file
from farebox.manifests.resources import Kind, Problem
from farebox.manifests.tiers import Surroundings

NOW = UtcMs(1_795_000_000_000)
"""2026-11-18T11:06:40Z."""

AROUND = Surroundings(
    prices=built_in_prices(), now=NOW, variables={"ADDRESS": "http://127.0.0.1:9100"}
)

MODEL = """\
name: gpt-4o-mini
provider: openai
baseURL: https://api.openai.com/v1
contextWindow: 128000
maxOutputTokens: 16384
"""


def manifest(kind: Kind, spec: str, name: str = "one") -> str:
    """A document of a kind; the first line of `spec` is its line 5."""
    head = f"apiVersion: {API_VERSION}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n"
    return head + indent(dedent(spec), "  ")


def pool(name: str, spec: str = "", *, limit: str = "1.00") -> str:
    """A pool with a limit (line 5) and more."""
    return manifest(Kind.BUDGET_POOL, f'limit: "{limit}"\n{dedent(spec)}', name)


def pool_of(namespace: str, name: str, spec: str = "") -> str:
    """A pool of a namespace."""
    return pool(name, spec).replace(f"name: {name}}}", f"name: {name}, namespace: {namespace}}}", 1)


def tier(name: str, rank: int, model: str = MODEL, *, max_difficulty: str = "0.5") -> str:
    """A tier of one model; the fields of the model begin in line 8."""
    head = f'rank: {rank}\nmaxDifficulty: "{max_difficulty}"\nmodels:\n'
    fields = indent(model, "  ").strip()
    return manifest(Kind.MODEL_TIER, f"{head}- {fields}\n", name)


def named_model(name: str) -> str:
    """A model that goes by another name than the price book's."""
    return MODEL.replace("name: gpt-4o-mini", f"name: {name}") + "model: gpt-4o-mini\n"


def task(name: str, spec: str) -> str:
    return manifest(Kind.TASK_PROFILE, spec, name)


def policy(name: str, spec: str = "classifier: Rules") -> str:
    return manifest(Kind.ROUTING_POLICY, spec, name)


def together(*documents: str) -> str:
    """Several documents in one file."""
    return "---\n".join(text if text.endswith("\n") else f"{text}\n" for text in documents)


def load(
    files: Mapping[str, str], previous: Loaded | None = None, around: Surroundings = AROUND
) -> Loaded:
    """Read texts by file name and decide what is in force."""
    readings = [read_file(name, files[name], around) for name in sorted(files)]
    return adopt(readings, previous, around)


def load_text(text: str) -> Loaded:
    """Read one file of which nothing was in force."""
    return load({"a.yaml": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """A wrong manifest and where its only problem is; `says` is a piece of the message."""

    text: str
    line: int
    field: str
    says: str


def assert_found(wrong: Wrong) -> Problem:
    """The manifest has that problem and no other, and nothing of it is in force."""
    loaded = load_text(wrong.text)
    assert len(loaded.problems) == 1, [str(problem) for problem in loaded.problems]
    problem = loaded.problems[0]
    assert (problem.file, problem.line, problem.field) == ("a.yaml", wrong.line, wrong.field)
    assert wrong.says in problem.message
    return problem
