"""docs/resources.md describes every field that is read, and no other."""

import re
from pathlib import Path
from typing import Final

import pytest

from farebox.core.tasks import RoutingPolicy
from farebox.manifests import folder
from farebox.manifests.documents import DEPTH_MAX, DOCUMENTS_MAX, VALUES_MAX, read_documents
from farebox.manifests.fields import ITEMS_MAX, Report
from farebox.manifests.reading import read_document
from farebox.manifests.resources import Kind
from farebox.manifests.tiers import UNLISTED_CONTEXT_TOKENS, UNLISTED_OUTPUT_TOKENS
from tests.manifests.builders import AROUND, MODEL, manifest, pool, task, tier

REFERENCE: Final = Path(__file__).parent.parent.parent.joinpath("docs/resources.md").read_text()
ROW: Final = re.compile(
    r"^\| `((?:spec|metadata|apiVersion|kind)[\w.\[\]]*)` \|(.*)\|$", re.MULTILINE
)
MANIFESTS: Final = {
    Kind.BUDGET_POOL: pool("one"),
    Kind.MODEL_TIER: tier("one", 1, MODEL),
    Kind.TASK_PROFILE: task("one", "defaultTier: small\ngates: [{kind: Citation}]"),
    Kind.ROUTING_POLICY: manifest(Kind.ROUTING_POLICY, "{}"),
}


def section(title: str) -> str:
    return re.split(r"^## ", REFERENCE.split(f"\n## {title}\n", 1)[1], flags=re.MULTILINE)[0]


def documented(title: str) -> list[str]:
    return [path for path, _ in ROW.findall(section(title))]


def fields_read(kind: Kind) -> set[str]:
    (document,) = read_documents("a.yaml", MANIFESTS[kind]).documents
    report = Report(document=document)
    read_document(document, report, AROUND)
    assert report.problems == []
    return report.asked


@pytest.mark.parametrize("kind", Kind)
def test_every_field_read_is_documented_and_no_other(kind: Kind) -> None:
    fields = documented(kind)
    assert len(fields) == len(set(fields))
    top = {"apiVersion", "kind", "metadata", "metadata.name", "metadata.labels", "spec"} | {
        "metadata.annotations"
    }
    if kind is not Kind.MODEL_TIER:
        top.add("metadata.namespace")
    assert fields_read(kind) == set(fields) | top


def test_what_all_kinds_share_is_documented() -> None:
    read = set.union(*(fields_read(kind) for kind in Kind))
    assert set(documented("Every resource")) == {
        path for path in read if not path.startswith("spec.")
    }


def test_every_row_says_meaning_unit_and_what_absence_means() -> None:
    rows = ROW.findall(REFERENCE)
    assert len(rows) > 50
    for path, rest in rows:
        cells = [cell.strip() for cell in rest.split("|")]
        assert len(cells) == 3, path
        assert all(cells), path


def test_bounds_and_defaults_are_those_of_the_program() -> None:
    assert (
        f"Bounds: {folder.FILES_MAX} files, {folder.FILE_BYTES_MAX // 1024} KiB a file, "
        f"{DOCUMENTS_MAX} documents a file, {VALUES_MAX:,} values a file, "
        f"{ITEMS_MAX} entries a list, {DEPTH_MAX} levels."
    ) in REFERENCE
    unlisted = (
        f"{UNLISTED_CONTEXT_TOKENS:,} tokens of input and {UNLISTED_OUTPUT_TOKENS:,} of output"
    )
    assert unlisted in REFERENCE
    unset = RoutingPolicy()
    absent = {path: rest.split("|")[-1].strip() for path, rest in ROW.findall(REFERENCE)}
    assert absent["spec.unsureDifficulty"] == f"`{unset.unsure_difficulty / 1000}`"
    assert (
        absent["spec.highConsequenceDifficulty"] == f"`{unset.high_consequence_difficulty / 1000}`"
    )
    assert absent["spec.defaultMaxOutputTokens"] == str(unset.output_tokens_default)
    assert absent["spec.identity.sessionHeader"] == f"`{unset.session_header}`"


def test_the_problem_in_the_text_is_a_real_one() -> None:
    quoted = re.search(r"`(pools\.yaml:8: .*?)`", REFERENCE)
    assert quoted is not None
    text = pool("team", 'window:\n  period: Day\nlimt: "1"')
    (document,) = read_documents("pools.yaml", text).documents
    report = Report(document=document)
    read_document(document, report, AROUND)
    assert [str(problem) for problem in report.problems] == [quoted.group(1)]
