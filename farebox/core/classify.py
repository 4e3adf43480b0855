"""How hard a call is: task rules first, then what the policy's classifier makes of the prompt.

The application's own tag is worth more than any guess. Consequence raises the floor whatever the
difficulty. Difficulties are whole thousandths, 0 to 1000. The one rule: every result names the rule
that fired. This module must not know prices or what money is left.
"""

import hashlib
from typing import Final, NamedTuple

from farebox.core.call import Call
from farebox.core.features import features_of
from farebox.core.gates import Gate
from farebox.core.heuristics import difficulty_of, guess
from farebox.core.opinions import opinion_on
from farebox.core.pacing import Pace
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.scoring import Score
from farebox.core.tasks import (
    AUTO_MODEL,
    ClassifierKind,
    Consequence,
    Escalation,
    Freedom,
    RoutingPolicy,
    TaskMarks,
    TaskProfile,
)

FINGERPRINT_CHARS: Final = 16

_USUAL_ESCALATION: Final = Escalation()

_new: Final = tuple.__new__
"""Makes a NamedTuple of all its fields in half the time; most calls make one."""


class Classification(NamedTuple):
    """A call's task ("" when unknown), its difficulty in thousandths, and why.

    Tier names bound the choice; "" leaves a bound open. `output_expected` and `output_min` are
    tokens, 0 when unknown. `score` is the small model's, when it was asked. With `cascade` the
    candidates from `cascade_from` on are tried cheapest first, and the gates decide.
    """

    difficulty: int
    reason: Reason
    rule: str
    task: str = ""
    floor_tier: str = ""
    ceiling_tier: str = ""
    output_expected: int = 0
    output_min: int = 0
    score: Score | None = None
    gates: tuple[Gate, ...] = ()
    escalation: Escalation = _USUAL_ESCALATION
    cascade: bool = False
    cascade_from: int = 0
    residency: tuple[str, ...] = ()

    @property
    def difficulty_needed(self) -> int:
        """What a tier must be good for to be asked first."""
        return self.cascade_from if self.cascade else self.difficulty


def classify(call: Call, policy: Policy, pace: Pace | None = None) -> Classification:
    """Classify a call by the policy's tasks, then by its classifier, else as the policy says.

    `pace` makes the small model choosier, where the pools' money would not last.
    """
    tagged = _by_rules(call, policy.marks)
    if tagged is not None:
        task, reason, rule = tagged
        return _of_task(task, policy, reason, rule)
    match policy.routing.classifier:
        case ClassifierKind.RULES:
            return _unsure(policy.routing)
        case ClassifierKind.HEURISTIC:
            return _by_heuristics(call, policy) or _unsure(policy.routing)
        case ClassifierKind.MODEL:
            return _by_model(call, policy, pace, shortcuts=False)
        case ClassifierKind.HYBRID | ClassifierKind.CASCADE:
            guessed = _by_heuristics(call, policy) if policy.tasks else None
            # A kind of task that nobody has written down is no measured opinion.
            if guessed is not None and guessed.task in policy.marks.by_name:
                return guessed
            found = _by_model(call, policy, pace, shortcuts=True)
            return found if guessed is None else found._replace(task=guessed.task)


def classify_again(call: Call, policy: Policy, before: Classification) -> Classification:
    """Classify a call whose text is gone, by what was found `before` under some other policy.

    The task is found anew where a rule names it without the text; what was found in the text stays,
    where the policy's classifier would look into it at all.
    """
    tagged = _by_rules(call, policy.marks)
    if tagged is not None:
        task, reason, rule = tagged
        return _of_task(task, policy, reason, rule)
    known, kind = policy.marks.by_name.get(before.task), policy.routing.classifier
    if before.reason in {Reason.TASK_TAGGED, Reason.TASK_MATCHED}:
        return (
            _unsure(policy.routing)
            if known is None
            else _of_task(known, policy, before.reason, before.rule)
        )
    guessed = before.reason is Reason.HEURISTIC_MATCHED
    if before.reason is Reason.NOTHING_MATCHED or kind is ClassifierKind.RULES:
        return _unsure(policy.routing)
    if not guessed and kind is ClassifierKind.HEURISTIC:
        return _unsure(policy.routing)
    if not guessed or known is None:
        return Classification(before.difficulty, before.reason, before.rule, before.task)
    profile = _of_task(known, policy, before.reason, before.rule)
    difficulty = max(profile.difficulty, difficulty_of(before.rule))
    return profile._replace(difficulty=difficulty)


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
    high = task.consequence is Consequence.HIGH
    if high:
        difficulty = max(difficulty, policy.routing.high_consequence_difficulty)
    # By position, in the order of the fields: this is made for every call of a known task.
    found = (
        difficulty,
        reason,
        rule,
        task.name,
        task.floor_tier,
        task.ceiling_tier,
        task.expected_output_tokens,
        task.output_tokens_min,
        None,
        task.gates,
        task.escalation,
        bool(task.gates) and policy.routing.classifier is ClassifierKind.CASCADE,
        policy.routing.high_consequence_difficulty if high else 0,
        task.residency,
    )
    return _new(Classification, found)


def _unsure(routing: RoutingPolicy) -> Classification:
    return Classification(
        difficulty=routing.unsure_difficulty, reason=Reason.NOTHING_MATCHED, rule="unsure"
    )


def asks_for_any_model(call: Call, marks: TaskMarks) -> bool:
    """Whether the caller leaves the model open: `farebox/auto` or an alias of a task."""
    return call.model == AUTO_MODEL or call.model in marks.aliases


def _by_heuristics(call: Call, policy: Policy) -> Classification | None:
    """What keywords and the shape of the prompt say, with the task of that name if there is one."""
    heuristic = guess(features_of(call))
    if heuristic is None:
        return None
    known = policy.marks.by_name.get(heuristic.task)
    if known is None:
        return Classification(
            task=heuristic.task,
            difficulty=heuristic.difficulty,
            reason=Reason.HEURISTIC_MATCHED,
            rule=heuristic.name,
        )
    profile = _of_task(known, policy, Reason.HEURISTIC_MATCHED, heuristic.name)
    if heuristic.difficulty <= profile.difficulty:
        return profile
    return profile._replace(difficulty=heuristic.difficulty)


def _by_model(call: Call, policy: Policy, pace: Pace | None, *, shortcuts: bool) -> Classification:
    asked = policy.catalogue.find(call.model)
    if asked is not None and (asked[0] is None or policy.routing.freedom is Freedom.PINNED):
        # One model may serve: nothing that could be said of the prompt would change the route.
        return _unsure(policy.routing)
    opinion = opinion_on(call.prompt, policy, pace, shortcuts=shortcuts)
    return Classification(
        difficulty=opinion.difficulty,
        reason=opinion.reason,
        rule=opinion.rule,
        score=opinion.score,
    )
