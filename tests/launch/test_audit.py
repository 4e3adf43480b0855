"""The audit: calls by task, how each is recognised, what each lacks, what is proposed."""

from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.tasks import TaskProfile
from farebox.launch.audit import Recognised, Seen, audit, proposed_profiles
from tests.support.launching import TASK
from tests.support.policies import TIERS

BARE = TaskProfile(name="bare", default_tier="mid")
CALLS = [
    *(Seen(task="label", reason=Reason.TASK_TAGGED, cost=Nanos(5)) for _ in range(3)),
    Seen(task="label", reason=Reason.TASK_MATCHED),
    *(Seen(task="rag", reason=Reason.HEURISTIC_MATCHED, system="ab12") for _ in range(2)),
    Seen(task="", reason=Reason.NOTHING_MATCHED),
]


def test_tasks_are_counted_and_what_they_lack_is_said() -> None:
    found = audit(CALLS, [TASK, BARE])
    assert [(task.task, task.calls) for task in found.tasks] == [
        ("label", 4),
        ("rag", 2),
        ("", 1),
        ("bare", 0),
    ]
    label, rag, unknown, bare = found.tasks
    assert label.cost == 15
    assert label.recognised == {Recognised.TAG: 3, Recognised.RULE: 1}
    assert (label.lacks, bare.lacks) == ([], ["gates", "baseline"])
    assert rag.lacks == ["TaskProfile", "gates", "baseline"]
    assert "task header" in unknown.lacks[0]
    assert (found.calls, found.untagged) == (7, 3)


def test_profiles_are_proposed_for_what_heuristics_found() -> None:
    (document,) = proposed_profiles(audit(CALLS, [TASK, BARE]), TIERS, "team")
    assert document["metadata"] == {"name": "rag", "namespace": "team"}
    assert document["spec"] == {
        "match": {"modelAliases": ["farebox/rag"], "systemFingerprints": ["ab12"]},
        "defaultTier": "mid",
    }


def test_a_task_type_begins_where_it_usually_belongs() -> None:
    names = ("extraction", "summarization", "code", "something else")
    calls = [Seen(task=name, reason=Reason.HEURISTIC_MATCHED) for name in names]
    found = proposed_profiles(audit(calls, []), TIERS, "default")
    tiers = {one["metadata"]["name"]: one["spec"]["defaultTier"] for one in found}
    assert tiers == {
        "extraction": "small",
        "summarization": "mid",
        "code": "frontier",
        "something else": "frontier",
    }
    assert all(one["spec"]["match"].keys() == {"modelAliases"} for one in found)


def test_with_one_tier_everything_begins_there() -> None:
    calls = [Seen(task="code", reason=Reason.HEURISTIC_MATCHED)]
    (found,) = proposed_profiles(audit(calls, []), TIERS[:1], "default")
    assert found["spec"]["defaultTier"] == "small"
    assert proposed_profiles(audit(calls, []), (), "default") == []
