"""The small model offline: the one that the policy names, or a sentence about why there is none."""

from dataclasses import replace
from pathlib import Path

from farebox.after.scorer import with_scorer
from farebox.core.tasks import ClassifierKind, RoutingPolicy
from tests.support.policies import make_policy

HYBRID = RoutingPolicy(classifier=ClassifierKind.HYBRID, weights="a")


def test_the_packaged_weights_are_found_where_the_classifier_asks() -> None:
    policy = make_policy()
    assert with_scorer(policy) == (policy, "")
    found, problem = with_scorer(replace(policy, routing=HYBRID))
    assert problem == ""
    assert found.scorer is not None
    assert found.shortcuts, "shapes stand in for the model offline as they do in a sidecar"


def test_weights_that_can_not_be_used_are_told(tmp_path: Path) -> None:
    gone = replace(make_policy(), routing=replace(HYBRID, weights="nobodys"))
    found, problem = with_scorer(gone, tmp_path)
    assert found.scorer is None
    assert "nobodys.weights" in problem
    (tmp_path / "a.weights").write_bytes(b"no weights")
    _, problem = with_scorer(replace(make_policy(), routing=HYBRID), tmp_path)
    assert "nothing is saved by guessing" in problem
