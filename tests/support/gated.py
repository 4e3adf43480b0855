"""Calls whose task has gates: policies, identities and gates for tests."""

from dataclasses import replace
from typing import Any

from farebox.core.call import Identity
from farebox.core.gates import Gate, GateKind
from farebox.core.instant import DurationMs
from farebox.core.policy import Policy
from farebox.core.tasks import ClassifierKind, Escalation, RoutingPolicy, TaskProfile
from tests.support.policies import make_policy

TAGGED = Identity(task="mails")
TAG = {"x-farebox-task": "mails"}
"""The caller's own word for the task, as identity and as header."""

LABELS = Gate(name="label", kind=GateKind.LABELS, labels=("complaint", "question"))
FUNCTION = Gate(name="own", kind=GateKind.FUNCTION, function="tests.support.gate_functions:says_ok")
GRADER = Gate(name="graded", kind=GateKind.GRADER, model="gpt-4o-mini", rubric="It is polite.")
AGREEMENT = Gate(name="second", kind=GateKind.AGREEMENT, model="gpt-4o-mini")


def gated_policy(
    *gates: Gate,
    base: Policy | None = None,
    escalation: Escalation | None = None,
    routing: RoutingPolicy | None = None,
    **task: Any,
) -> Policy:
    """The usual policy with a task "mails" that has these gates (by default a label)."""
    profile = TaskProfile(
        **{"name": "mails", "default_tier": "small", **task},
        gates=gates or (LABELS,),
        escalation=escalation or Escalation(),
    )
    policy = base or make_policy()
    return replace(policy, tasks=(profile, *policy.tasks), routing=routing or policy.routing)


def steps(steps_max: int = 2, *, within_ms: int = 30_000, **more: Any) -> Escalation:
    """How far a call may go up."""
    return Escalation(steps_max=steps_max, added_latency_max=DurationMs(within_ms), **more)


CASCADE = RoutingPolicy(classifier=ClassifierKind.CASCADE)
