"""The CRDs take what the readers take, and refuse what they refuse.

CEL rules are not evaluated here: what only a rule refuses is taken, and its rule is found by its
message; a real API server evaluates it.
"""

from collections.abc import Mapping
from typing import Any, Final

import pytest
import yaml

from farebox.manifests.resources import Kind
from tests.deploy import pool_refusals, routing_refusals
from tests.deploy.crds import CRDS, nodes, nodes_of
from tests.deploy.refusals import By, Refused
from tests.deploy.resources import examples, good, read, resource
from tests.deploy.validation import faults, with_defaults
from tests.manifests.builders import load_text

REFUSED: Final = (*pool_refusals.REFUSED, *routing_refusals.REFUSED)
GOOD: Final = [*good(), *((kind, found) for _, kind, found in examples())]
SHAPES: Final = [f"{found['kind']} {found['spec']}"[:70] for _, found in GOOD]


@pytest.mark.parametrize(("kind", "found"), GOOD, ids=SHAPES)
def test_what_the_readers_take_fits_the_schema(kind: Kind, found: Mapping[str, Any]) -> None:
    assert read_problems(found) == []
    assert faults(kind, found) == []


@pytest.mark.parametrize(("kind", "found"), GOOD, ids=SHAPES)
def test_a_default_means_what_absence_means(kind: Kind, found: Mapping[str, Any]) -> None:
    filled = with_defaults(kind, found)
    assert read_problems(filled) == []
    assert read(filled)[0] == read(found)[0]


def test_every_kind_has_an_example() -> None:
    assert {kind for _, kind, _ in examples()} == set(Kind)


@pytest.mark.parametrize("wrong", REFUSED, ids=lambda wrong: wrong.what)
def test_what_is_wrong_is_refused_by_what_it_says(wrong: Refused) -> None:
    found = faults(wrong.kind, resource(wrong.kind, wrong.spec))
    if wrong.by is By.STRUCTURE:
        assert found
        assert all(is_around(fault.split(":")[0], wrong.field) for fault in found)
    else:
        assert found == []
        assert any(message.startswith(wrong.says) for message in messages(wrong.kind))


def is_around(path: str, field: str) -> bool:
    """Whether a fault stands at a field, or at the group in which the field is missing."""
    return path == field or field.startswith((f"{path}.", f"{path}["))


def messages(kind: Kind) -> list[str]:
    return [rule["message"] for node in nodes_of(kind) for rule in node.rules]


@pytest.mark.parametrize(
    "wrong", [one for one in REFUSED if one.by is not By.CHANGE], ids=lambda wrong: wrong.what
)
def test_the_readers_refuse_it_too(wrong: Refused) -> None:
    # What a reader sees has been given its defaults by the API server.
    filled = with_defaults(wrong.kind, resource(wrong.kind, wrong.spec))
    loaded = load_text(yaml.safe_dump(filled))
    assert wrong.field in {problem.field for problem in loaded.problems}


@pytest.mark.parametrize(
    "wrong", [one for one in REFUSED if one.by is By.CHANGE], ids=lambda wrong: wrong.what
)
def test_a_change_that_is_refused_is_between_two_good_resources(wrong: Refused) -> None:
    for spec in (wrong.was, wrong.spec):
        found = resource(wrong.kind, spec)
        assert faults(wrong.kind, found) == []
        assert read_problems(found) == []


@pytest.mark.parametrize("kind", Kind)
def test_every_rule_has_a_resource_that_it_refuses(kind: Kind) -> None:
    said = [wrong.says for wrong in REFUSED if wrong.kind is kind and wrong.by is not By.STRUCTURE]
    assert [
        message for message in messages(kind) if not any(message.startswith(one) for one in said)
    ] == []


def test_enough_is_refused() -> None:
    assert len(REFUSED) > 100
    assert len({(wrong.kind, wrong.what) for wrong in REFUSED}) == len(REFUSED)


def test_a_key_in_the_wrong_place_is_never_repeated() -> None:
    (secret,) = (node for node in nodes(CRDS[Kind.MODEL_TIER].schema) if node.name == "secretEnv")
    assert "pattern" not in secret.schema
    assert "enum" not in secret.schema


def read_problems(found: Mapping[str, Any]) -> list[str]:
    return [str(problem) for problem in read(found)[1]]
