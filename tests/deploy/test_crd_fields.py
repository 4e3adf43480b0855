"""Every field that the readers read is in a schema, and every field of a schema is read.

Enums, bounds and defaults are those of the readers: a new field, member or default fails here.
"""

import enum
import re
from typing import Any, Final, cast

import pytest

from farebox.core import gates
from farebox.core.budgets import Mode, OnExhausted, Per, WhenDisconnected
from farebox.core.gates import GateKind
from farebox.core.tasks import (
    AfterGates,
    ClassifierKind,
    Consequence,
    Freedom,
    StreamGate,
)
from farebox.core.tiers import Api, Capability
from farebox.core.watching import ConditionType
from farebox.core.windows import WindowType
from farebox.manifests.fields import ITEMS_MAX, Fields
from farebox.manifests.gates import CITATIONS_MAX
from farebox.manifests.policies import PERCENT_MAX
from farebox.manifests.resources import Kind
from farebox.manifests.scalars import TEXT_CHARS_MAX, TOKENS_MAX, Reader
from farebox.manifests.tasks import BINS, SAMPLES_MAX, STEPS_MAX
from farebox.manifests.tiers import RANK_MAX
from tests.deploy.crds import node_at, nodes_of
from tests.deploy.resources import GROUPS, read, resource
from tests.manifests.test_reference import REFERENCE, fields_read

OF_THE_SERVER: Final = {"apiVersion", "kind", "metadata"}
"""What every resource has; what stands below metadata is checked by the API server itself."""


@pytest.mark.parametrize("kind", Kind)
def test_every_field_read_is_in_the_schema_and_no_other(kind: Kind) -> None:
    schema = {node.path for node in nodes_of(kind, "spec") if node.is_field}
    read_ = {path for path in fields_read(kind) if path.split(".")[0] not in OF_THE_SERVER}
    assert schema == read_


@pytest.mark.parametrize("kind", Kind)
def test_what_a_resource_has_at_its_top(kind: Kind) -> None:
    tops = {node.path for node in nodes_of(kind) if node.is_field and "." not in node.path}
    assert tops == OF_THE_SERVER | {"spec", "status"}
    assert node_at(kind, "spec").required
    assert not node_at(kind, "status").required


@pytest.mark.parametrize("kind", Kind)
def test_every_field_says_what_it_is_and_what_absence_means(kind: Kind) -> None:
    for node in nodes_of(kind):
        if node.path in {"metadata", "spec", "status"} or not node.is_field:
            continue
        said = node.schema.get("description", "")
        assert len(said) > len("A name."), node.path
        if node.path.startswith("spec."):
            assert node.required or re.search(r"Absent: |Required for th", said), node.path
            assert node.required == bool(re.search(r"Required(?! for th)", said)), node.path


@pytest.mark.parametrize("kind", Kind)
def test_a_default_is_the_one_that_the_description_says(kind: Kind) -> None:
    for node in nodes_of(kind, "spec"):
        if "default" in node.schema:
            said = re.search(r"Absent: (.*)", node.schema["description"])
            assert said is not None, node.path
            assert said[1].startswith(_as_said(node.schema)), node.path


def _as_said(schema: Any) -> str:
    default = schema["default"]
    match default:
        case bool():
            return str(default).lower()
        case list():
            return f"[{', '.join(default)}]"
        case str() if re.fullmatch(r"[\d.]+", default):
            return f'"{default}"'
        case _:
            return str(default)


# Defaults of a reader that stand in no schema, since the API server would write them where the
# readers refuse them, or since they are another field's value.
WITHOUT_DEFAULT: Final = {
    (Kind.BUDGET_POOL, "spec.mode"): "refused with per Request",
    (Kind.BUDGET_POOL, "spec.whenDisconnected"): "refused with per Request",
    (Kind.BUDGET_POOL, "spec.deferFor"): "refused without Defer",
    (Kind.BUDGET_POOL, "spec.window.timeZone"): "refused beside a duration",
    (Kind.BUDGET_POOL, "spec.parent.namespace"): "the pool's own",
    (Kind.MODEL_TIER, "spec.models[].model"): "the model's name",
    (Kind.MODEL_TIER, "spec.models[].secretEnv"): "none",
    (Kind.TASK_PROFILE, "spec.floorTier"): "none",
    (Kind.TASK_PROFILE, "spec.ceilingTier"): "none",
    (Kind.TASK_PROFILE, "spec.escalation.afterGates"): "depends on the consequence",
    (Kind.TASK_PROFILE, "spec.gates[].name"): "the gate's kind",
    **{
        (Kind.TASK_PROFILE, f"spec.gates[].{name}"): "refused with other kinds"
        for name in (
            *("pattern", "tolerance", "citations", "model", "rubric", "passMark", "function"),
            "caseSensitive",
        )
    },
}


@pytest.mark.parametrize("kind", Kind)
def test_every_default_of_a_reader_is_in_the_schema(
    kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()
    real = Fields.one

    def one(self: Fields, name: str, reader: Reader[Any], default: Any = None) -> Any:
        if default is not None:
            seen.add(re.sub(r"\[\d+\]", "[]", self.path(name)))
        return real(self, name, reader, default)

    monkeypatch.setattr(Fields, "one", one)
    _, problems = read(resource(kind, GROUPS[kind]))
    assert problems == []
    written = {node.path for node in nodes_of(kind, "spec") if "default" in node.schema}
    exempt = {path for other, path in WITHOUT_DEFAULT if other is kind}
    unread = {"spec.onExhausted"} & written  # The reader writes this one without `one`.
    assert written - unread | exempt == {path for path in seen if path.startswith("spec.")}
    assert not written & exempt


MEMBERS: Final[dict[tuple[Kind, str], type[enum.StrEnum] | tuple[str, ...]]] = {
    (Kind.BUDGET_POOL, "spec.window.type"): WindowType,
    (Kind.BUDGET_POOL, "spec.per"): Per,
    (Kind.BUDGET_POOL, "spec.reserve.priority"): ("High",),
    (Kind.BUDGET_POOL, "spec.onExhausted[]"): OnExhausted,
    (Kind.BUDGET_POOL, "spec.mode"): Mode,
    (Kind.BUDGET_POOL, "spec.whenDisconnected"): WhenDisconnected,
    (Kind.MODEL_TIER, "spec.models[].api"): Api,
    (Kind.MODEL_TIER, "spec.models[].capabilities[]"): Capability,
    (Kind.TASK_PROFILE, "spec.consequence"): Consequence,
    (Kind.TASK_PROFILE, "spec.gates[].kind"): GateKind,
    (Kind.TASK_PROFILE, "spec.escalation.afterGates"): AfterGates,
    (Kind.ROUTING_POLICY, "spec.classifier"): ClassifierKind,
    (Kind.ROUTING_POLICY, "spec.streamedGates"): StreamGate,
    (Kind.ROUTING_POLICY, "spec.modelName"): Freedom,
}


def test_every_enum_has_the_members_of_the_core() -> None:
    found = {
        (kind, node.path): node.schema["enum"]
        for kind in Kind
        for node in nodes_of(kind, "spec")
        if "enum" in node.schema
    }
    assert found == {place: [str(one) for one in members] for place, members in MEMBERS.items()}


BOUNDS: Final = (
    (Kind.BUDGET_POOL, "spec.selector.matchLabels", "maxProperties", ITEMS_MAX),
    (Kind.BUDGET_POOL, "spec.allowedChildren.namespaces", "maxItems", ITEMS_MAX),
    (Kind.BUDGET_POOL, "spec.onExhausted", "maxItems", len(OnExhausted)),
    (Kind.MODEL_TIER, "spec.rank", "maximum", RANK_MAX),
    (Kind.MODEL_TIER, "spec.models", "maxItems", ITEMS_MAX),
    (Kind.MODEL_TIER, "spec.models[].name", "maxLength", TEXT_CHARS_MAX),
    (Kind.MODEL_TIER, "spec.models[].contextWindow", "maximum", TOKENS_MAX),
    (Kind.MODEL_TIER, "spec.models[].maxOutputTokens", "maximum", TOKENS_MAX),
    (Kind.MODEL_TIER, "spec.models[].capabilities", "maxItems", len(Capability)),
    (Kind.MODEL_TIER, "spec.models[].residency", "maxItems", ITEMS_MAX),
    (Kind.TASK_PROFILE, "spec.match.headerValues", "maxItems", ITEMS_MAX),
    (Kind.TASK_PROFILE, "spec.match.headerValues[]", "maxLength", TEXT_CHARS_MAX),
    (Kind.TASK_PROFILE, "spec.expectedOutputTokens", "maximum", TOKENS_MAX),
    (Kind.TASK_PROFILE, "spec.minOutputTokens", "maximum", TOKENS_MAX),
    (Kind.TASK_PROFILE, "spec.gates", "maxItems", gates.GATES_MAX),
    (Kind.TASK_PROFILE, "spec.gates[].pattern", "maxLength", gates.PATTERN_CHARS_MAX),
    (Kind.TASK_PROFILE, "spec.gates[].rubric", "maxLength", gates.RUBRIC_CHARS_MAX),
    (Kind.TASK_PROFILE, "spec.gates[].citations", "maximum", CITATIONS_MAX),
    (Kind.TASK_PROFILE, "spec.escalation.maxSteps", "maximum", STEPS_MAX),
    (Kind.TASK_PROFILE, "spec.baseline.samples", "maximum", SAMPLES_MAX),
    (Kind.TASK_PROFILE, "spec.baseline.difficulties", "minItems", BINS),
    (Kind.TASK_PROFILE, "spec.baseline.difficulties", "maxItems", BINS),
    (Kind.ROUTING_POLICY, "spec.thresholds.driftAlertPercent", "maximum", PERCENT_MAX),
    (Kind.ROUTING_POLICY, "spec.minOutputTokens", "maximum", TOKENS_MAX),
)


@pytest.mark.parametrize(("kind", "path", "bound", "value"), BOUNDS)
def test_a_bound_is_the_readers(kind: Kind, path: str, bound: str, value: int) -> None:
    assert node_at(kind, path).schema[bound] == value


def test_the_conditions_of_a_task_are_named() -> None:
    said = cast("str", node_at(Kind.TASK_PROFILE, "status.conditions").schema["description"])
    of_all = {ConditionType.PRICES_OLD}
    assert [one for one in ConditionType if one not in of_all and one not in said] == []


def test_the_reference_knows_the_short_names() -> None:
    for kind in Kind:
        assert f"## {kind}" in REFERENCE
