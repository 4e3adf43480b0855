"""A policy gets the weights that it names, or none and a problem that says what to do."""

from dataclasses import replace
from pathlib import Path

import pytest

from farebox.core.policy import Policy
from farebox.core.tasks import ClassifierKind, RoutingPolicy
from farebox.runtime.small_model import SHORTCUTS_QUALITY, SmallModel
from tests.support.policies import make_policy
from tests.support.weights import header, packed


def asking(**changes: object) -> Policy:
    routing = RoutingPolicy(classifier=ClassifierKind.HYBRID)
    return replace(
        make_policy(),
        routing=replace(routing, **changes),  # type: ignore[arg-type]  # names its fields
    )


@pytest.mark.parametrize(
    "classifier", [ClassifierKind.MODEL, ClassifierKind.HYBRID, ClassifierKind.CASCADE]
)
def test_packaged_weights(classifier: ClassifierKind) -> None:
    model = SmallModel()
    policy = model.filled(asking(classifier=classifier, weights="c2"))
    assert policy.scorer is not None
    assert (policy.scorer.name, model.problem) == ("C2", "")
    assert policy.shortcuts


@pytest.mark.parametrize("classifier", [ClassifierKind.RULES, ClassifierKind.HEURISTIC])
def test_who_asks_no_model_gets_none(classifier: ClassifierKind) -> None:
    model, policy = SmallModel(), asking(classifier=classifier, weights="nothing")
    assert model.filled(policy) is policy
    assert model.problem == ""


def test_shortcuts_hold_for_the_threshold_that_they_were_grown_at() -> None:
    assert RoutingPolicy().quality == SHORTCUTS_QUALITY
    policy = SmallModel().filled(asking(quality="0.99"))
    assert (policy.scorer is None, policy.shortcuts) == (False, ())


def test_weights_of_ones_own_count_first_and_have_no_shortcuts(tmp_path: Path) -> None:
    (tmp_path / "a.weights").write_bytes(packed(header()))
    policy = SmallModel(tmp_path).filled(asking())
    assert policy.scorer is not None
    assert (policy.scorer.name, policy.shortcuts) == ("hand-made", ())


def test_weights_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    file, model = tmp_path / "ours.weights", SmallModel(tmp_path)
    file.write_bytes(packed(header()))
    first = model.filled(asking(weights="ours")).scorer
    assert model.filled(asking(weights="ours")).scorer is first
    file.write_bytes(packed({**header(), "name": "another", "usual": [0.0, 0.1, 0.2]}))
    second = model.filled(asking(weights="ours")).scorer
    assert second is not None
    assert second.name == "another"


@pytest.mark.parametrize(
    ("case", "name", "content", "says"),
    [
        ("no such weights", "ours", None, "No weights ours are packaged, nor is "),
        ("no weights at all", "ours", b"hello", "Train them anew with this version"),
        ("too large a file", "ours", b"x" * 2_000_000, "are more than 1000000"),
        ("a path for a name", "../ours", None, "is no name of weights"),
    ],
)
def test_what_can_not_be_used_is_told_and_never_saves(
    case: str, name: str, content: bytes | None, says: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / f"{name}.weights").write_bytes(content)
    model = SmallModel(tmp_path)
    policy = model.filled(asking(weights=name))
    assert (policy.scorer, policy.shortcuts) == (None, ()), case
    assert says in model.problem, case


def test_a_quality_without_a_threshold_is_a_problem_until_it_has_one() -> None:
    model = SmallModel()
    assert model.filled(asking(quality="0.5")).scorer is None
    assert "write one of 0.95, 0.99 into the RoutingPolicy" in model.problem
    assert model.filled(asking(quality="0.99")).scorer is not None
    assert model.problem == ""


def test_weights_that_no_folder_can_have(tmp_path: Path) -> None:
    (tmp_path / "ours.weights").mkdir()
    model = SmallModel(tmp_path)
    assert model.filled(asking(weights="ours")).scorer is None
    assert "can't be read" in model.problem
