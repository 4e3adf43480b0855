"""Is it ready for the first real request: ten lines, each checked by the program.

The one rule: nothing is taken on somebody's word. Each line looks at what is there (manifests, a
profile, a projection, receipts of a rehearsal) and says what is missing and what to do. This module
must not know files or paper.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NamedTuple

from farebox.core.call import Call, Identity
from farebox.core.classify import Classification
from farebox.core.estimate import BYTES_PER_TOKEN_EXPECTED
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import plan
from farebox.core.tasks import AUTO_MODEL, RoutingPolicy, TaskProfile
from farebox.core.tiers import Catalogue
from farebox.launch.profiles import Profile, oracle_of
from farebox.launch.projection import Projection
from farebox.launch.proposals import SAMPLES_MIN, Trust, percent
from farebox.launch.samples import PATH

NAMES_SHOWN_MAX: Final = 6
GUARD_MAX: Final = Fraction(4, 5)
ESCALATION_ALERT_MAX: Final = 15
ATTRIBUTED_MIN: Final = 950
"""Thousandths of the money in the receipts that must have a task."""


class Rehearsed(NamedTuple):
    """What a receipt says of one call. `gates` are the names of those that ran on its answers."""

    task: str
    served: bool
    response_model: str
    cost: int
    gates: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What there is to look at. None where the user named nothing.

    `routing` is None when no RoutingPolicy is written; `tasks` are those of the namespace.
    """

    tasks: Sequence[TaskProfile]
    catalogue: Catalogue
    routing: RoutingPolicy | None
    profile: Profile | None
    projection: Projection | None
    receipts: Sequence[Rehearsed] | None

    @property
    def gated(self) -> Mapping[str, TaskProfile]:
        return {task.name: task for task in self.tasks if task.gates}


class Checked(NamedTuple):
    """One line of the list. `missing` says what is wrong and what to do, "" when all is well."""

    title: str
    missing: str
    found: str


def check_all(evidence: Evidence) -> list[Checked]:
    """All ten lines, in their order."""
    return [Checked(title, *_LINES[title](evidence)) for title in _LINES]


Result = tuple[str, str]
"""What is missing (or ""), and what was found."""


def _tasks_enumerated(evidence: Evidence) -> Result:
    known = {task.name for task in evidence.tasks}
    seen = {one.task for one in evidence.receipts or ()}
    if evidence.profile is not None:
        seen |= {task.task for task in evidence.profile.tasks}
    if not known:
        return "no TaskProfile: run `farebox audit` and write one for each task", ""
    if unknown := seen - known - {""}:
        return f"no TaskProfile for {_names(unknown)}: write one for each", ""
    return "", f"{len(known)} tasks, all that were seen among them"


def _oracles_defined(evidence: Evidence) -> Result:
    lacking = {task.name for task in evidence.tasks} - evidence.gated.keys()
    if lacking or not evidence.tasks:
        return f"no gates for {_names(lacking) or 'any task'}: write spec.gates as code", ""
    count = sum(len(task.gates) for task in evidence.tasks)
    return "", f"{count} gates on {len(evidence.tasks)} tasks"


def _profiled(evidence: Evidence) -> Result:
    profile = evidence.profile
    if profile is None:
        return "no profile: run `farebox profile` and name its folder with --profile", ""
    if not profile.complete:
        return "the profile is not complete: run the same `farebox profile` again", ""
    if profile.catalogue != evidence.catalogue.version:
        return "tiers or prices changed since the profile: run `farebox profile` again", ""
    for task in evidence.tasks:
        if why := _why_unmeasured(task, profile):
            return f"{task.name}: {why}", ""
    return "", f"{profile.samples} samples on {profile.measured}, tiers as measured"


def _why_unmeasured(task: TaskProfile, profile: Profile) -> str:
    measured = profile.task(task.name)
    if measured is None or measured.proposal.trust is Trust.UNMEASURED:
        return "was not profiled: add samples of it and run `farebox profile` again"
    if measured.oracle != oracle_of(task.gates):
        return "has other gates than were profiled: run `farebox profile` again, answers are kept"
    answered = min((cell.answered for cell in measured.cells), default=0)
    if answered < SAMPLES_MIN:
        return f"has {answered} answered samples on a tier, {SAMPLES_MIN} are needed: add some"
    if task.baseline is None:
        return "has no baseline: apply the manifests that `farebox profile` wrote"
    proposed, ranks = measured.proposal.tier, profile.tiers
    if task.default_tier not in ranks or ranks.index(task.default_tier) < ranks.index(proposed):
        return f"goes to {task.default_tier}, measured good enough is {proposed}: apply the profile"
    return ""


def _projected(evidence: Evidence) -> Result:
    if evidence.projection is None:
        return "no projection: run `farebox project --out FILE` and name it with --projection", ""
    if evidence.profile is None or evidence.projection.profile != evidence.profile.digest:
        return "the projection rests on another profile: run `farebox project` again", ""
    saved = evidence.projection.strongest - evidence.projection.routed
    share = saved * 1000 // (evidence.projection.strongest or 1)
    return "", f"{evidence.projection.calls} calls a month, {percent(share)} below the highest tier"


def _model_recorded(evidence: Evidence) -> Result:
    served = [one for one in evidence.receipts or () if one.served]
    if not served:
        return _NO_RECEIPTS, ""
    without = sum(not one.response_model for one in served)
    if without:
        return (
            f"{without} of {len(served)} receipts name no model: see their ends",
            "",
        )
    return "", f"response.model is on all {len(served)} receipts"


def _attributed(evidence: Evidence) -> Result:
    if not evidence.receipts:
        return _NO_RECEIPTS, ""
    total = sum(one.cost for one in evidence.receipts)
    told = sum(one.cost for one in evidence.receipts if one.task)
    share = told * 1000 // total if total else 0
    if share < ATTRIBUTED_MIN:
        return (
            (
                f"only {percent(share)} of the money has a task, not {percent(ATTRIBUTED_MIN)}: "
                "send the task header, see `farebox audit --receipts`"
            ),
            "",
        )
    return "", f"{percent(share)} of the money has a task"


def _configured(evidence: Evidence) -> Result:
    if evidence.routing is None:
        return "no RoutingPolicy in this namespace: write one, so that thresholds have a place", ""
    routing = evidence.routing
    return "", (
        f"RoutingPolicy {routing.name}: trusted from {percent(routing.pass_rate_trusted)}, "
        f"monitored from {percent(routing.pass_rate_monitored)}"
    )


def _guarded(evidence: Evidence) -> Result:
    """Route a prompt that fills nearly all of the lowest tier's window, as the sidecar would."""
    tiers = sorted(evidence.catalogue.tiers, key=lambda tier: tier.rank)
    if not tiers:
        return "no ModelTier: write your tiers", ""
    for tier in tiers[:-1]:
        if tier.context_guard > GUARD_MAX:
            return f"tier {tier.name} guards {tier.context_guard} of its window: write 0.8", ""
        for model in tier.models:
            if model.name not in _too_long_for(model.context_window, evidence):
                return f"a prompt of 9/10 of {model.name}'s window would be sent to it", ""
    return "", f"prompts beyond {GUARD_MAX} of a window pass {tiers[0].name} by (tried)"


def _too_long_for(window: int, evidence: Evidence) -> frozenset[str]:
    long = Call(
        path=PATH,
        model=AUTO_MODEL,
        identity=Identity(),
        body_bytes=window * BYTES_PER_TOKEN_EXPECTED * 9 // 10,
    )
    easy = Classification(difficulty=0, reason=Reason.NOTHING_MATCHED, rule="checklist")
    found = plan(long, easy, Policy(catalogue=evidence.catalogue))
    return frozenset(one.model for one in found.rejected if one.reason is Reason.CONTEXT_TOO_LONG)


def _monitored(evidence: Evidence) -> Result:
    if not evidence.receipts:
        return _NO_RECEIPTS, ""
    if not evidence.gated:
        return "no task has gates, so nothing can escalate: write spec.gates", ""
    for name, task in evidence.gated.items():
        calls = [one for one in evidence.receipts if one.task == name and one.served]
        wanted = {gate.name for gate in task.gates}
        if not calls:
            return f"no receipt of {name}: rehearse each task through the sidecar", ""
        if not any(one.gates & wanted for one in calls):
            return f"no gate ran on any answer of {name}: see streamedGates and its gates", ""
    return "", f"gates ran on answers of all {len(evidence.gated)} gated tasks"


def _alerted(evidence: Evidence) -> Result:
    if evidence.routing is None:
        return "no RoutingPolicy, so no threshold of an alert: write one", ""
    if evidence.routing.escalation_alert_percent > ESCALATION_ALERT_MAX:
        return (
            (
                f"escalationAlertPercent is {evidence.routing.escalation_alert_percent}: write "
                f"{ESCALATION_ALERT_MAX} or less"
            ),
            "",
        )
    lacking = {task.name for task in evidence.tasks if task.baseline is None}
    if lacking or not evidence.tasks:
        return f"no baseline for {_names(lacking) or 'any task'}: apply what was profiled", ""
    return "", f"past the baseline by {evidence.routing.escalation_alert_percent} %"


def _names(names: set[str]) -> str:
    shown = sorted(names)[:NAMES_SHOWN_MAX]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


_NO_RECEIPTS: Final = (
    "no receipts: rehearse with `farebox up` and `farebox replay`, and name the sidecar's receipts "
    "with --receipts"
)

_LINES: Final[Mapping[str, Callable[[Evidence], Result]]] = {
    "task types enumerated": _tasks_enumerated,
    "quality oracle per task, as code": _oracles_defined,
    "profiling run done, tiers from measured quality": _profiled,
    "cost model built from the profile": _projected,
    "response.model recorded on every call": _model_recorded,
    "cost attributed per task": _attributed,
    "thresholds stored as configuration": _configured,
    "context guard before small models": _guarded,
    "quality monitored, escalations per task": _monitored,
    "alert on escalations above the baseline": _alerted,
}
