"""Outcomes from what gates said of calls that really happened, with what was not seen reckoned in.

The weak tier answers first, and the strong one is heard mostly where the weak one has failed. Taken
as they are, such verdicts make the strong tier look worse than it is, for they show it on the
prompts that are hard. So its usual rate where the weak one passes is reckoned back from the pass
rate that a profile measured (the task's baseline). The one rule: what cannot be reckoned is left
out and named, and every assumption is told. This module must not know what a receipt looks like.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from farebox.core.tasks import Baseline
from farebox.launch.proposals import SAMPLES_MIN
from farebox.launch.training import row
from farebox.learn.outcomes import Outcome

ESCALATED_MIN: Final = 20
"""So many failures of the weak tier must have the strong one's answer, where not all have it."""

OFF_MAX: Final = 0.05
"""A task whose strong tier must pass so much more, or less, than is possible has changed since."""

_THOUSAND: Final = 1_000


class Heard(NamedTuple):
    """One judged call. None: not heard, or not judged; lengths are characters, None unknown.

    `strong` is the verdict on the answer right after a weak one, or on a first answer where the
    weak tier was not asked at all.
    """

    task: str
    prompt: str
    weak: bool | None
    strong: bool | None
    weak_chars: int | None = None
    strong_chars: int | None = None


class Models(NamedTuple):
    """The two models, the tier of the strong one, and the version of the catalogue in force."""

    weak: str
    strong: str
    strong_tier: str
    catalogue: str


class Reckoned(NamedTuple):
    """Outcomes of both models, one row per prompt, and what is to be told about them.

    `told` are sentences for the model card, `left_out` tasks and why, `doubts` speak against use.
    """

    rows: list[Outcome]
    told: list[str]
    left_out: list[str]
    doubts: list[str]


class _Prompt(NamedTuple):
    """One prompt of a task: shares that passed; `strong` is after a weak answer that failed."""

    text: str
    weak: float
    strong: float | None


class _Rates(NamedTuple):
    """How often the strong tier passes after a weak answer that did not pass, and that did."""

    after_failure: float
    after_pass: float
    off: float


def reckon(
    calls: Iterable[Heard], baselines: Mapping[str, Baseline | None], models: Models
) -> Reckoned:
    """Rows for training a weak model against a strong one, from judged calls of any tasks."""
    by_task: dict[str, list[Heard]] = {}
    for call in calls:
        by_task.setdefault(call.task, []).append(call)
    found = Reckoned([], [], [], [])
    scores: dict[str, list[tuple[float, float]]] = {}
    for task, heard in sorted(by_task.items()):
        prompts, straight = _prompts_of(heard), _straight(heard)
        rates = _rates(prompts, straight, baselines.get(task), models)
        if isinstance(rates, str):
            found.left_out.append(f"{task or '(no task)'}: {rates}")
            continue
        found.told.append(_told(task, prompts, straight, rates))
        if rates.off > OFF_MAX:
            found.doubts.append(
                f"{task}: these receipts and the baseline contradict each other by {rates.off:.3f} "
                "of the strong tier's pass rate; profile the task anew"
            )
        for prompt in prompts:
            scores.setdefault(prompt.text, []).append((prompt.weak, _strong(prompt, rates)))
    chars = _chars(by_task, models)
    for text, several in scores.items():
        weak, strong = (_mean(passed) for passed in zip(*several, strict=True))
        both = {models.weak: weak, models.strong: strong}
        found.rows.append(row(str(len(found.rows)), text, both, chars.get(text, {})))
    return found


def _prompts_of(heard: Sequence[Heard]) -> list[_Prompt]:
    """The prompts that the weak tier has answered, each once, however often it was asked."""
    weak: dict[str, list[float]] = {}
    strong: dict[str, list[float]] = {}
    for call in heard:
        if call.weak is None:
            continue
        weak.setdefault(call.prompt, []).append(float(call.weak))
        if not call.weak and call.strong is not None:
            strong.setdefault(call.prompt, []).append(float(call.strong))
    return [
        _Prompt(text, _mean(passed), _mean(strong[text]) if text in strong else None)
        for text, passed in weak.items()
    ]


def _straight(heard: Sequence[Heard]) -> list[float]:
    """How the strong tier did on each of the prompts that went straight to it."""
    found: dict[str, list[float]] = {}
    for call in heard:
        if call.weak is None and call.strong is not None:
            found.setdefault(call.prompt, []).append(float(call.strong))
    return [_mean(passed) for passed in found.values()]


def _rates(
    prompts: Sequence[_Prompt], straight: Sequence[float], baseline: Baseline | None, models: Models
) -> _Rates | str:
    """What is reckoned of one task, or why that cannot be done."""
    if not prompts:
        return "the weak tier gave no first answer"
    tier = models.strong_tier
    measured = None if baseline is None else dict(baseline.pass_rates).get(tier)
    if baseline is None or measured is None:
        return f"its baseline has no pass rate of {tier}; profile it and use those manifests"
    if baseline.samples < SAMPLES_MIN:
        return f"its baseline rests on {baseline.samples} samples; {SAMPLES_MIN} are needed"
    half = len(models.catalogue) // 2
    if baseline.catalogue[:half] != models.catalogue[:half]:
        return "its baseline was measured with other tiers or models; profile it anew"
    failed = [prompt for prompt in prompts if prompt.weak < 1]
    told = [(1 - one.weak, one.strong) for one in failed if one.strong is not None]
    if len(told) < min(ESCALATED_MIN, len(failed)):
        return (
            f"{len(failed)} prompts failed on the weak tier, and {tier} answered {len(told)} of "
            f"them next; {ESCALATED_MIN} are needed"
        )
    weight = sum(share for share, _ in told)
    after_failure = sum(share * passed for share, passed in told) / weight if weight else 0.0
    return _balanced(prompts, straight, measured / _THOUSAND, after_failure)


def _balanced(
    prompts: Sequence[_Prompt], straight: Sequence[float], measured: float, after_failure: float
) -> _Rates:
    """The rate after a pass with which the strong tier passes as often in all as was measured."""
    passed = _mean([prompt.weak for prompt in prompts])
    everything = measured * (len(prompts) + len(straight))
    # What went straight to the strong tier is no part of these prompts, but of the measured rate.
    here = (everything - sum(straight)) / len(prompts)
    rest = here - after_failure * (1 - passed)
    if not passed:
        return _Rates(after_failure, 0.0, abs(rest))
    wanted = rest / passed
    possible = min(1.0, max(0.0, wanted))
    return _Rates(after_failure, possible, abs(wanted - possible) * passed)


def _strong(prompt: _Prompt, rates: _Rates) -> float:
    """The strong tier's chance on a prompt: what was heard, else the rate of prompts like it."""
    failing = rates.after_failure if prompt.strong is None else prompt.strong
    return prompt.weak * rates.after_pass + (1 - prompt.weak) * failing


def _told(task: str, prompts: Sequence[_Prompt], straight: Sequence[float], rates: _Rates) -> str:
    heard = sum(prompt.strong is not None for prompt in prompts)
    text = (
        f"{task or '(no task)'}: {len(prompts)} prompts, weak passed "
        f"{_mean([prompt.weak for prompt in prompts]):.3f}. Strong was heard on {heard} that weak "
        f"failed, and passed {rates.after_failure:.3f} of them; where weak passed, strong is taken "
        f"to pass {rates.after_pass:.3f}, so that in all it passes as often as the baseline says"
    )
    if straight:
        text += f" ({len(straight)} prompts that went straight to it count there, not as rows)"
    return f"{text}."


def _chars(by_task: Mapping[str, Sequence[Heard]], models: Models) -> dict[str, dict[str, int]]:
    """The lengths of the newest answers to each prompt."""
    found: dict[str, dict[str, int]] = {}
    for call in (call for heard in by_task.values() for call in heard):
        lengths = {models.weak: call.weak_chars, models.strong: call.strong_chars}
        known = {name: length for name, length in lengths.items() if length is not None}
        found.setdefault(call.prompt, {}).update(known)
    return found


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
