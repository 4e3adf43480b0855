"""A document says which resource it is, or its file is doubtful."""

from textwrap import dedent

import pytest

from farebox.manifests.reading import read_file
from tests.manifests.builders import AROUND, pool, together

NO_RESOURCE = {
    "text": ("hello\n", 1, "", "write apiVersion, kind, metadata and spec"),
    "list": ("- a\n", 1, "", "is no resource"),
    "no-version": ("kind: BudgetPool\nmetadata: {name: a}\n", 1, "apiVersion", "is missing: write"),
    "other-version": (
        "apiVersion: farebox.dev/v1\nkind: BudgetPool\nmetadata: {name: a}\n",
        1,
        "apiVersion",
        'is "farebox.dev/v1": write farebox.dev/v1alpha1',
    ),
    "no-kind": (
        "apiVersion: farebox.dev/v1alpha1\nmetadata: {name: a}\n",
        1,
        "kind",
        "is missing: write BudgetPool, ModelTier, TaskProfile or RoutingPolicy",
    ),
    "misspelt-kind": (
        "apiVersion: farebox.dev/v1alpha1\nkind: Budgetpool\nmetadata: {name: a}\n",
        2,
        "kind",
        'is "Budgetpool": write BudgetPool, ModelTier',
    ),
    "no-name": (
        "apiVersion: farebox.dev/v1alpha1\nkind: BudgetPool\nmetadata: {}\n",
        3,
        "metadata.name",
        "is missing: write a name",
    ),
    "path-as-name": (
        "apiVersion: farebox.dev/v1alpha1\nkind: BudgetPool\nmetadata: {name: a/b}\n",
        3,
        "metadata.name",
        'is "a/b": write a name of lower-case letters',
    ),
    "number-as-name": (
        "apiVersion: farebox.dev/v1alpha1\nkind: BudgetPool\nmetadata: {name: 2026}\n",
        3,
        "metadata.name",
        "is the number 2026: put it in quotes",
    ),
    "namespace": (
        "apiVersion: farebox.dev/v1alpha1\nkind: BudgetPool\nmetadata: {name: a, namespace: A}\n",
        3,
        "metadata.namespace",
        'is "A": write a namespace',
    ),
}


@pytest.mark.parametrize("case", NO_RESOURCE)
def test_a_document_that_is_no_resource(case: str) -> None:
    text, line, field, says = NO_RESOURCE[case]
    reading = read_file("a.yaml", together(pool("good"), text), AROUND)
    assert [source.id.name for source in reading.sources] == ["good"]
    assert not reading.complete
    (problem,) = reading.problems
    assert (problem.line, problem.field, problem.resource) == (line + 6, field, "")
    assert says in problem.message


def test_metadata_without_a_group() -> None:
    text = "apiVersion: farebox.dev/v1alpha1\nkind: BudgetPool\nmetadata: me\n"
    reading = read_file("a.yaml", text, AROUND)
    assert reading.problems[0].field == "metadata"
    assert not reading.complete


WRONG_TOP = {
    "no-spec": ("", 1, "spec", "is missing: write it with its fields below"),
    "status": ('spec: {limit: "1"}\nstatus: {}', 5, "status", "the controller says what is"),
    "field": ('spec: {limit: "1"}\nspecs: {}', 5, "specs", "did you mean spec?"),
}


@pytest.mark.parametrize("case", WRONG_TOP)
def test_a_resource_that_is_known_and_wrong(case: str) -> None:
    rest, line, field, says = WRONG_TOP[case]
    head = "apiVersion: farebox.dev/v1alpha1\nkind: BudgetPool\nmetadata: {name: a}\n"
    reading = read_file("a.yaml", f"{head}{rest}\n", AROUND)
    (source,) = reading.sources
    assert reading.complete
    assert source.value is None
    problem = reading.problems[0]
    assert (problem.line, problem.field) == (line, field)
    assert problem.resource == "BudgetPool/default/a"
    assert says in problem.message


def test_what_a_cluster_adds_is_refused() -> None:
    text = """\
        apiVersion: farebox.dev/v1alpha1
        kind: BudgetPool
        metadata:
          name: a
          uid: 0b0e
        spec: {limit: "1"}
        """
    (problem,) = read_file("a.yaml", dedent(text), AROUND).problems
    assert (problem.line, problem.field) == (5, "metadata.uid")


def test_text_that_is_no_yaml() -> None:
    reading = read_file("a.yaml", "a: [\n", AROUND)
    assert (reading.complete, reading.sources) == (False, ())
    assert reading.problems[0].message.startswith("is not YAML")
