"""From trials to a profile: cells, proposals, baselines, and what could not be measured.

The one rule: a gap is said, never filled. This module must not know how a trial was made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from farebox.core.classify import classify
from farebox.core.policy import Policy
from farebox.core.scoring import Weights
from farebox.core.tasks import Consequence, Escalation, RoutingPolicy, TaskProfile
from farebox.core.tiers import Catalogue
from farebox.launch.battery import ANSWERED, UNFIT, Battery, Plan, Trial
from farebox.launch.measures import THOUSAND, Cell, cells_of, rate_of
from farebox.launch.profiles import Profile, TaskMeasured, oracle_of
from farebox.launch.proposals import SAMPLES_MIN, Proposal, Trust, propose
from farebox.launch.samples import Sample, call_of
from farebox.launch.till import Till

UNTASKED: Final = "(untagged)"
"""The task of samples that neither say theirs nor are recognised."""

BINS: Final = 10
GAPS_MAX: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a run is measured against. `measured` is a date (ISO); `scorer` is the small model."""

    measured: str
    namespace: str
    catalogue: Catalogue
    tasks: Sequence[TaskProfile]
    routing: RoutingPolicy
    simulated: bool
    scorer: Weights | None = None

    @property
    def policy(self) -> Policy:
        """The namespace's policy, as far as calls are classified by it."""
        return Policy(
            catalogue=self.catalogue,
            tasks=tuple(self.tasks),
            routing=self.routing,
            scorer=self.scorer,
        )


def task_of(sample: Sample, policy: Policy) -> str:
    """The task that a sample says, or that the policy recognises."""
    return sample.task or classify(call_of(sample), policy).task or UNTASKED


def profile_of(plan: Plan, battery: Battery, till: Till, setting: Setting) -> Profile:
    """All that a run has measured and proposes."""
    order = [rung.tier.name for rung in plan.rungs]
    cells = cells_of(battery.trials, order)
    names = sorted({task for _, task in plan.samples})
    tasks = tuple(_measured(name, plan, cells, setting) for name in names)
    return Profile(
        measured=setting.measured,
        namespace=setting.namespace,
        catalogue=setting.catalogue.version,
        tiers=tuple(order),
        complete=battery.complete,
        simulated=setting.simulated,
        samples=len(plan.samples),
        spent=till.spent,
        cap=till.cap,
        gaps=tuple(_gaps(tasks, battery, setting))[:GAPS_MAX],
        tasks=tasks,
        trials=tuple(sorted(battery.trials, key=lambda one: (one.task, one.sample, one.tier))),
    )


def _measured(name: str, plan: Plan, cells: Sequence[Cell], setting: Setting) -> TaskMeasured:
    samples = [sample for sample, task in plan.samples if task == name]
    gates = plan.gates.get(name, ())
    own = [cell for cell in cells if cell.task == name]
    known = next((task for task in setting.tasks if task.name == name), None)
    consequence = known.consequence if known is not None else Consequence.LOW
    proposal = propose(name, own if gates else [], setting.routing, consequence)
    proposal = _bounded(proposal, own, known, setting.catalogue)
    at_tier = [cell for cell in own if cell.tier == proposal.tier]
    accepted, answered = (sum(getattr(cell, of) for cell in at_tier) for of in _COUNTS)
    escalation = known.escalation if known is not None else Escalation()
    return TaskMeasured(
        task=name,
        samples=len(samples),
        expected=sum(sample.expected is not None for sample in samples),
        gates=tuple(gate.name for gate in gates),
        oracle=oracle_of(gates),
        proposal=proposal,
        tier_before=known.default_tier if known is not None else "",
        expected_output_tokens=max((cell.output_mean for cell in at_tier), default=0),
        escalation_rate=THOUSAND - rate_of(accepted, answered) if answered else 0,
        steps_max=escalation.steps_max if gates else 0,
        difficulties=_difficulties(samples, proposal, setting),
        cells=tuple(own),
    )


_COUNTS: Final = ("accepted", "answered")


def _bounded(
    proposal: Proposal, cells: Sequence[Cell], known: TaskProfile | None, catalogue: Catalogue
) -> Proposal:
    """The proposal within the floor and the ceiling that the team has set for the task."""
    if known is None or not proposal.tier:
        return proposal
    ranks = {tier.name: tier.rank for tier in catalogue.tiers}
    low = ranks.get(known.floor_tier, min(ranks.values()))
    high = ranks.get(known.ceiling_tier, max(ranks.values()))
    if low <= ranks[proposal.tier] <= high:
        return proposal
    allowed = [cell for cell in cells if low <= ranks[cell.tier] <= high]
    if not allowed:
        says = f"no tier that was tried lies within its bounds (measured: {proposal.says})"
        return Proposal(task=proposal.task, tier="", trust=Trust.UNMEASURED, says=says)
    cell = allowed[0] if ranks[proposal.tier] < low else allowed[-1]
    return Proposal(
        task=proposal.task,
        tier=cell.tier,
        trust=proposal.trust,
        rate=cell.rate,
        low=cell.low,
        high=cell.high,
        says=f"{cell.tier}, the bound of the task's own profile (measured: {proposal.says})",
    )


def _difficulties(
    samples: Sequence[Sample], proposal: Proposal, setting: Setting
) -> tuple[int, ...]:
    """Shares (thousandths) of ten bins of difficulty, as the sidecar will see such calls."""
    if proposal.trust is Trust.UNMEASURED or not samples:
        return ()
    tasks = tuple(
        replace(task, default_tier=proposal.tier) if task.name == proposal.task else task
        for task in setting.tasks
    )
    policy = replace(setting.policy, tasks=tasks)
    bins = [0] * BINS
    for sample in samples:
        difficulty = classify(call_of(sample), policy).difficulty
        bins[min(BINS - 1, difficulty * BINS // THOUSAND)] += 1
    return tuple(count * THOUSAND // len(samples) for count in bins)


def _gaps(tasks: Sequence[TaskMeasured], battery: Battery, setting: Setting) -> list[str]:
    known = {task.name for task in setting.tasks}
    found = [f"{task.task}: no TaskProfile; `farebox audit` proposes one" for task in tasks
             if task.task not in known]  # fmt: skip
    found += [f"{task.task}: no gates, so nothing says whether an answer is good" for task in tasks
              if not task.gates]  # fmt: skip
    found += [f"{name}: no samples" for name in sorted(known - {task.task for task in tasks})]
    for task in tasks:
        if task.gates and task.expected < task.samples:
            found.append(
                f"{task.task}: {task.samples - task.expected} of {task.samples} samples name no "
                "right answer; gates alone judged them"
            )
        if 0 < task.samples < SAMPLES_MIN:
            found.append(f"{task.task}: {task.samples} samples, {SAMPLES_MIN} or more are wanted")
    found += _endings(battery.trials)
    return [*found, f"the run ended early: {battery.cap_reached}"] if battery.cap_reached else found


def _endings(trials: Sequence[Trial]) -> list[str]:
    """One sentence for each kind of trial that gave no answer, with an example."""
    sentences = []
    for ending in sorted({trial.ending for trial in trials} - {ANSWERED}):
        those = [trial for trial in trials if trial.ending == ending]
        said = "did not fit the model" if ending == UNFIT else f"ended {ending}"
        example = f"for example {those[0].sample} on {those[0].model}: {those[0].why}"
        sentences.append(f"{len(those)} calls {said} ({example})")
    return sentences
