"""How hard a call is: task rules first, heuristics where no rule speaks.

The application's own tag is worth more than any guess. Consequence raises the floor whatever the
difficulty. Difficulties are whole thousandths, 0 to 1000. The one rule: every result names the rule
that fired. This module must not know prices or what money is left.
"""

import hashlib
from typing import Final, NamedTuple

from farebox.core.call import Call
from farebox.core.features import Features, features_of
from farebox.core.heuristics import guess
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.tasks import (
    AUTO_MODEL,
    ClassifierKind,
    Consequence,
    RoutingPolicy,
    TaskMarks,
    TaskProfile,
)

FINGERPRINT_CHARS: Final = 16


class Classification(NamedTuple):
    """A call's task ("" when unknown), its difficulty in thousandths, and why.

    Tier names bound the choice; "" leaves a bound open. `output_expected` and `output_min` are
    tokens, 0 when unknown.
    """

    difficulty: int
    reason: Reason
    rule: str
    task: str = ""
    floor_tier: str = ""
    ceiling_tier: str = ""
    output_expected: int = 0
    output_min: int = 0


def classify(call: Call, policy: Policy) -> Classification:
    """Classify a call by the policy's tasks, then by heuristics, else as the policy says."""
    tagged = _by_rules(call, policy.marks)
    if tagged is not None:
        task, reason, rule = tagged
        return _of_task(task, policy, reason, rule)
    if policy.routing.classifier is ClassifierKind.RULES:
        return _unsure(policy.routing)
    guessed = _by_heuristics(features_of(call))
    if guessed is None:
        return _unsure(policy.routing)
    known = policy.marks.by_name.get(guessed.task)
    if known is None:
        return guessed
    profile = _of_task(known, policy, guessed.reason, guessed.rule)
    if guessed.difficulty <= profile.difficulty:
        return profile
    return profile._replace(difficulty=guessed.difficulty)


def fingerprint(system: str) -> str:
    """Name a system prompt: the first hexadecimal digits of its SHA-256."""
    return hashlib.sha256(system.encode(errors="surrogatepass")).hexdigest()[:FINGERPRINT_CHARS]


def _by_rules(call: Call, marks: TaskMarks) -> tuple[TaskProfile, Reason, str] | None:
    """The task that a rule names: what the application says counts before what is recognised."""
    if (task := marks.tags.get(call.identity.task)) is not None:
        return task, Reason.TASK_TAGGED, f"header:{task.name}"
    if (task := marks.aliases.get(call.model)) is not None:
        return task, Reason.TASK_TAGGED, f"alias:{task.name}"
    if (task := marks.paths.get(call.path)) is not None:
        return task, Reason.TASK_MATCHED, f"path:{task.name}"
    if marks.systems and call.system:
        task = marks.systems.get(fingerprint(call.system))
        if task is not None:
            return task, Reason.TASK_MATCHED, f"system:{task.name}"
    return None


def _of_task(task: TaskProfile, policy: Policy, reason: Reason, rule: str) -> Classification:
    tier = policy.catalogue.tier_named(task.default_tier)
    difficulty = tier.max_difficulty if tier is not None else policy.routing.unsure_difficulty
    if task.consequence is Consequence.HIGH:
        difficulty = max(difficulty, policy.routing.high_consequence_difficulty)
    return Classification(
        task=task.name,
        difficulty=difficulty,
        reason=reason,
        rule=rule,
        floor_tier=task.floor_tier,
        ceiling_tier=task.ceiling_tier,
        output_expected=task.expected_output_tokens,
        output_min=task.output_tokens_min,
    )


def _unsure(routing: RoutingPolicy) -> Classification:
    return Classification(
        difficulty=routing.unsure_difficulty, reason=Reason.NOTHING_MATCHED, rule="unsure"
    )


def asks_for_any_model(call: Call, marks: TaskMarks) -> bool:
    """Whether the caller leaves the model open: `farebox/auto` or an alias of a task."""
    return call.model == AUTO_MODEL or call.model in marks.aliases


def _by_heuristics(seen: Features) -> Classification | None:
    heuristic = guess(seen)
    if heuristic is None:
        return None
    return Classification(
        task=heuristic.task,
        difficulty=heuristic.difficulty,
        reason=Reason.HEURISTIC_MATCHED,
        rule=heuristic.name,
    )
