"""Resources, problems and lines are named as people read them."""

import pytest

from farebox.manifests.resources import Kind, Problem, ResourceId, Source, line_of


def test_a_resource_is_named_by_kind_namespace_and_name() -> None:
    assert str(ResourceId(Kind.BUDGET_POOL, "support", "team")) == "BudgetPool/support/team"
    assert str(ResourceId(Kind.MODEL_TIER, "", "small")) == "ModelTier/small"


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            Problem(file="a.yaml", line=3, resource="ModelTier/a", field="spec.rank", message="no"),
            "a.yaml:3: ModelTier/a: spec.rank: no",
        ),
        (Problem(file="a.yaml", line=3, message="no"), "a.yaml:3: no"),
        (Problem(file="a.yaml", line=0, message="no"), "a.yaml: no"),
    ],
)
def test_a_problem_leaves_out_what_is_not_known(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_a_field_that_is_not_written_has_the_line_of_what_is_around_it() -> None:
    lines = {"": 1, "spec": 4, "spec.models": 5, "spec.models[0]": 6, "spec.models[0].name": 6}
    assert line_of(lines, "spec.models[0].price.input") == 6
    assert line_of(lines, "spec.models[3].name") == 5
    assert line_of(lines, "spec.limit") == 4
    assert line_of(lines, "status") == 1
    assert line_of({}, "status") == 0


def test_a_source_knows_its_place() -> None:
    id_ = ResourceId(Kind.MODEL_TIER, "", "small")
    source = Source(id=id_, file="a.yaml", lines={"": 7, "spec": 10}, value=None)
    assert source.place == "a.yaml:7"
    assert source.line_of("spec.rank") == 10
