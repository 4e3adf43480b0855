"""What each resource's status should be, from a world at work."""

from dataclasses import replace

import pytest

from controller.engine import Engine
from controller.kube.conditions import Seen, conditions_of
from controller.kube.drafts import Drafting
from controller.kube.plan import Draft
from farebox.core.tasks import RoutingPolicy
from farebox.core.tiers import Tier
from farebox.manifests.resources import Kind, Problem, ResourceId
from tests.support.kube_statuses import id_of, in_force
from tests.support.policies import SMALL
from tests.support.scenes import Scene, has, pool, wants
from tests.support.watched import MEASURED, scene_of

ORG = pool(limit=100)
TASK = ResourceId(Kind.TASK_PROFILE, "acme", "intent")
TIER = ResourceId(Kind.MODEL_TIER, "", "small")
POLICY = ResourceId(Kind.ROUTING_POLICY, "acme", "routing")


def drafts(engine: Engine, *seen: Seen, drafting: Drafting | None = None) -> list[Draft]:
    steps = (drafting or Drafting()).drafts(engine, seen, {ORG.uid: 2})
    return [draft for draft in steps if draft is not None]


def test_a_pool_shows_its_money_and_who_is_not_counted() -> None:
    scene = Scene(ORG)
    scene.connect("a").report(want=wants(30))
    (draft,) = drafts(scene.engine, in_force(id_of(ORG), ORG))
    assert (draft.status["leased"], draft.status["holders"]) == ("0.00000003", 1)
    assert conditions_of(draft.status)["Enforced"]["reason"] == "PodsWithoutSidecar"


def test_a_version_that_the_engine_has_not_taken_yet_waits() -> None:
    scene = Scene(ORG)
    newer = replace(pool(limit=200), generation=0)
    assert drafts(scene.engine, in_force(id_of(ORG), newer, generation=2)) == []
    scene.change(newer)
    (draft,) = drafts(scene.engine, in_force(id_of(ORG), newer, generation=2))
    assert draft.status["limit"] == "0.0000002"


def test_a_version_that_was_not_judged_yet_waits() -> None:
    seen = replace(in_force(id_of(ORG), ORG), generation=2)
    assert drafts(Scene(ORG).engine, seen) == []


def test_a_pool_that_was_never_good_says_so() -> None:
    problem = Problem(file="", line=0, resource="", field="spec.limit", message="is not an amount")
    seen = replace(in_force(id_of(ORG), None), in_force=None, problems=(problem,))
    (draft,) = drafts(Scene(pool("other")).engine, seen)
    assert {type_: row["status"] for type_, row in conditions_of(draft.status).items()} == {
        "Ready": "False",
        "Enforced": "False",
        "Exhausted": "Unknown",
        "OverCommitted": "Unknown",
    }


def test_what_stands_as_it_should_is_not_made_again_until_something_moves() -> None:
    scene, drafting = Scene(ORG), Drafting()
    seen = in_force(id_of(ORG), ORG)
    (first,) = drafts(scene.engine, seen, drafting=drafting)
    stands = replace(seen, status=first.status)
    assert drafts(scene.engine, stands, drafting=drafting) != []
    assert drafts(scene.engine, stands, drafting=drafting) == []
    scene.connect("a").report(want=wants(30))
    (moved,) = drafts(scene.engine, stands, drafting=drafting)
    assert moved.status["leased"] == "0.00000003"
    written_over = replace(stands, status={"limit": "999.00"})
    assert drafts(scene.engine, written_over, drafting=drafting) != []


def test_tiers_and_policies_have_statuses() -> None:
    tier = in_force(TIER, Tier(name="small", rank=1, max_difficulty=350, models=(SMALL,)))
    found = drafts(Scene(ORG).engine, tier, in_force(POLICY, RoutingPolicy()))
    assert [list(conditions_of(one.status)) for one in found] == [["Ready", "Priced"], ["Ready"]]


def test_a_task_shows_what_the_watch_has_found_once_it_has_looked() -> None:
    scene, seen = scene_of(MEASURED), in_force(TASK, MEASURED)
    assert drafts(scene.engine, seen) == [], "what an earlier controller has found stands"
    scene.pass_time(5_000)
    (draft,) = drafts(scene.engine, seen)
    assert conditions_of(draft.status)["Escalating"]["status"] == "Unknown"


def test_a_task_that_was_never_good_has_nothing_to_wait_for() -> None:
    problem = Problem(file="", line=0, resource="", field="spec.defaultTier", message="is missing")
    seen = replace(in_force(TASK, None), in_force=None, problems=(problem,))
    (draft,) = drafts(Scene(ORG).engine, seen)
    assert list(conditions_of(draft.status)) == ["Ready"]


def test_sidecars_that_fall_silent_are_told_of_once() -> None:
    scene, drafting, seen = Scene(ORG), Drafting(), in_force(id_of(ORG), ORG)
    sidecar = scene.connect("a")
    sidecar.report(want=wants(40))
    sidecar.report(has(granted=40, spent=10))
    sidecar.leave()
    scene.pass_time(scene.terms.ttl + 1)
    (draft,) = drafts(scene.engine, seen, drafting=drafting)
    (news,) = draft.news
    assert (news.type, news.reason) == ("Warning", "SidecarsSilent")
    assert news.note.startswith("1 of 1 sidecars with a lease are silent; $0.00000003 that they")
    (draft,) = drafts(scene.engine, seen, drafting=drafting)
    assert draft.news == ()


def test_one_status_that_can_not_be_made_leaves_out_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = replace(in_force(TIER, Tier(name="s", rank=1, max_difficulty=1, models=())), spec=None)  # type: ignore[arg-type]  # what can't be
    drafting, engine = Drafting(), Scene(ORG).engine
    for _ in range(2):
        found = drafts(engine, broken, in_force(POLICY, RoutingPolicy()), drafting=drafting)
        assert [one.seen.id for one in found] == [POLICY]
    assert [record.message for record in caplog.records] == [
        "ModelTier/small: no status can be made of it"
    ]
