"""Which policy a sidecar gets, and when."""

from dataclasses import replace

from controller.policies import policy_of
from farebox.core.budgets import PoolUid
from farebox.core.money import Nanos
from farebox.core.tasks import RoutingPolicy, TaskProfile
from farebox.manifests.resources import Resources
from farebox.wire.messages import PolicyPush, Workload
from tests.support.scenes import Scene, pool, resources

ORG = pool("org", selector=None)
TEAM = pool("team", selector={"app": "assistant"}, parent=ORG.uid)
OTHER = pool("batch", selector={"app": "batch"})


def test_a_pod_gets_the_pools_that_select_it_and_their_ancestors_leaves_first() -> None:
    policy = policy_of(
        resources(ORG, TEAM, OTHER),
        Workload(namespace="acme", name="pod", labels={"app": "assistant", "tier": "web"}),
        generation=7,
    )

    assert [one.name for one in policy.pools] == ["team", "org"]
    assert policy.generation == 7


def test_tasks_and_routing_are_those_of_the_pods_namespace() -> None:
    task = TaskProfile(name="rag", default_tier="mid")
    routing = RoutingPolicy(name="ours")
    given = Resources(tasks={"acme": (task,)}, routing={"acme": routing})

    ours = policy_of(given, Workload(namespace="acme", name="pod"), generation=1)
    theirs = policy_of(given, Workload(namespace="umbrella", name="pod"), generation=1)

    assert (ours.tasks, ours.routing) == ((task,), routing)
    assert (theirs.tasks, theirs.routing) == ((), RoutingPolicy())


def test_a_changed_policy_is_pushed_to_those_whom_it_changes() -> None:
    scene = Scene(ORG, TEAM, OTHER)
    assistant = scene.connect("a", labels={"app": "assistant"})
    batch = scene.connect("b", labels={"app": "batch"})
    first = assistant.got_one(PolicyPush)
    batch.got(PolicyPush)

    scene.change(ORG, replace(TEAM, limit=Nanos(200)), OTHER)

    pushed = assistant.got_one(PolicyPush)
    assert pushed.policy.generation > first.policy.generation
    assert pushed.policy.pools[0].limit == 200
    assert batch.got(PolicyPush) == []


def test_a_holder_that_was_away_gets_the_present_policy_with_its_hello() -> None:
    scene = Scene(ORG, TEAM)
    scene.connect("a", labels={"app": "assistant"}).leave()
    scene.change(ORG)

    pushed = scene.connect("a", labels={"app": "assistant"}).got_one(PolicyPush)
    assert pushed.policy.pools == ()


def test_a_pod_that_no_pool_selects_gets_a_policy_without_pools() -> None:
    scene = Scene(pool("elsewhere", uid=PoolUid("umbrella/org"), namespace="umbrella"))

    assert scene.connect("a").got_one(PolicyPush).policy.pools == ()


def test_where_a_limit_cannot_be_enforced_nobody_gets_a_policy_until_it_can() -> None:
    scene = Scene(ORG, TEAM)
    scene.apply(replace(resources(ORG), closed=frozenset({"acme"})))
    newcomer = scene.connect("a", labels={"app": "assistant"})
    assert newcomer.got(PolicyPush) == []

    scene.change(ORG, TEAM)

    assert [one.name for one in newcomer.got_one(PolicyPush).policy.pools] == ["team", "org"]


def test_a_sidecar_that_has_a_policy_keeps_it_when_a_new_limit_cannot_be_read() -> None:
    scene = Scene(ORG, TEAM)
    old = scene.connect("a", labels={"app": "assistant"})
    old.got(PolicyPush)

    scene.apply(replace(resources(ORG), closed=frozenset({"acme"})))

    assert old.got(PolicyPush) == []
