"""The battery: every sample on every tier's cheapest model, judged by its task's gates.

The one rule: told to stop, it begins nothing more and waits for what is under way, so that all that
was paid for is on the disk. This module must not know manifests, plots or what follows from it.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from farebox.core.estimate import estimate, input_expected
from farebox.core.gates import Gate, Verdict
from farebox.core.prices import plain_cost
from farebox.core.tiers import Model, Tier
from farebox.launch.judging import Judge
from farebox.launch.paying import Payer
from farebox.launch.provider import LostError, RefusedError
from farebox.launch.results import Line
from farebox.launch.samples import Sample, call_of, capabilities_needed, request_body
from farebox.launch.till import CapReachedError

CONCURRENCY_MAX: Final = 128

ANSWERED: Final = "answered"
LOST: Final = "lost"
REFUSED: Final = "refused"
UNFIT: Final = "unfit"
"""The model lacks a capability, or the prompt fills more of its window than the guard allows."""


class Trial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One sample on one tier. Money is in nano-dollars, latency in milliseconds.

    `passed`: all gates, with what is expected where that is known. `accepted`: all gates as they
    run in production, where nobody knows what is expected. `failed` names the gates not passed.
    """

    sample: str
    task: str
    tier: str
    model: str
    ending: str
    passed: bool = False
    accepted: bool = False
    failed: tuple[str, ...] = ()
    unrun: tuple[str, ...] = ()
    why: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: int = 0
    cost: int = 0
    gate_cost: int = 0
    finish: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A tier and the model of it that is tried."""

    tier: Tier
    model: Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be tried. `gates` are by task; `output_default` is used where none is asked."""

    samples: Sequence[tuple[Sample, str]]
    rungs: Sequence[Rung]
    gates: Mapping[str, tuple[Gate, ...]]
    output_default: int

    def __len__(self) -> int:
        return len(self.samples) * len(self.rungs)


class Battery:
    """Runs a plan, many calls at a time."""

    def __init__(
        self, plan: Plan, payer: Payer, judge: Judge, *, note: Callable[[Trial], None]
    ) -> None:
        self._plan = plan
        self._payer = payer
        self._judge = judge
        self._note = note
        self._queue: Iterator[tuple[Sample, str, Rung]] = (
            (sample, task, rung) for sample, task in plan.samples for rung in plan.rungs
        )
        self._stopped = False
        self.trials: list[Trial] = []
        self.cap_reached = ""
        """Why the cap ended the run; "" when it did not."""

    @property
    def complete(self) -> bool:
        """Whether every sample was tried on every tier."""
        return len(self.trials) == len(self._plan)

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped = True
        self._payer.stop()

    async def run(self, *, concurrency: int) -> None:
        """Run until the plan is done, the cap is reached or `stop` was called."""
        async with asyncio.TaskGroup() as group:
            for _ in range(min(concurrency, CONCURRENCY_MAX)):
                group.create_task(self._work())

    async def _work(self) -> None:
        for sample, task, rung in self._queue:
            if self._stopped:
                return
            try:
                trial = await self._try(sample, task, rung)
            except CapReachedError as error:
                self.cap_reached = str(error)
                self.stop()
                return
            self.trials.append(trial)
            self._note(trial)

    async def _try(self, sample: Sample, task: str, rung: Rung) -> Trial:
        why = why_unfit(sample, rung)
        if why:
            return self._without_answer(sample, task, rung, UNFIT, why)
        asked = output_asked(sample, rung.model, self._plan.output_default)
        body = request_body(sample, rung.model, output_asked=asked)
        call = call_of(sample)._replace(body_bytes=len(body))
        worst = estimate(call, rung.model, output_asked=asked).worst
        try:
            line = await self._payer.ask(rung.model, body, worst=worst)
        except RefusedError as error:
            return self._without_answer(sample, task, rung, REFUSED, str(error))
        except LostError as error:
            return self._without_answer(sample, task, rung, LOST, str(error))
        return await self._judged(sample, task, rung, line)

    async def _judged(self, sample: Sample, task: str, rung: Rung, line: Line) -> Trial:
        gates = self._plan.gates.get(task, ())
        judged = await self._judge.judge(gates, sample, line.text, served=rung.model.name)
        return Trial(
            sample=sample.id,
            task=task,
            tier=rung.tier.name,
            model=rung.model.name,
            ending=ANSWERED,
            passed=bool(judged.verdicts) and all(one.passed for one in judged.verdicts),
            accepted=all(one.passed for one in judged.in_production),
            failed=_names(judged.verdicts, ran=True),
            unrun=_names(judged.verdicts, ran=False),
            why="; ".join(one.why for one in judged.verdicts if not one.passed),
            input_tokens=_tokens(line, "input"),
            output_tokens=_tokens(line, "output"),
            latency_ms=line.latency_ms,
            cost=line.cost,
            gate_cost=judged.cost,
            finish=line.finish,
        )

    def _without_answer(
        self, sample: Sample, task: str, rung: Rung, ending: str, why: str
    ) -> Trial:
        return Trial(
            sample=sample.id,
            task=task,
            tier=rung.tier.name,
            model=rung.model.name,
            ending=ending,
            why=why,
        )


def rungs_of(tiers: Sequence[Tier], *, input_tokens: int, output_tokens: int) -> list[Rung]:
    """Each tier with its cheapest model for calls of this size, lowest rank first."""
    return [
        Rung(
            tier=tier,
            model=min(
                tier.models,
                key=lambda model: plain_cost(
                    model.price, input_tokens=input_tokens, output_tokens=output_tokens
                ),
            ),
        )
        for tier in sorted(tiers, key=lambda tier: tier.rank)
        if tier.models
    ]


def output_asked(sample: Sample, model: Model, default: int) -> int:
    """The limit of output tokens that a sample is sent with."""
    return min(sample.output_asked or default, model.max_output_tokens)


def why_unfit(sample: Sample, rung: Rung) -> str:
    """Why the router would never send a sample to this model; "" when it may."""
    lacking = capabilities_needed(sample) - rung.model.capabilities
    if lacking:
        return f"{rung.model.name} lacks {', '.join(sorted(lacking))}"
    tokens, guard = input_expected(call_of(sample)), rung.tier.context_guard
    if tokens > rung.model.context_window * guard:
        return (
            f"about {tokens} tokens are more than {guard} of the {rung.model.context_window} that "
            f"{rung.model.name} can read"
        )
    return ""


def _names(verdicts: Sequence[Verdict], *, ran: bool) -> tuple[str, ...]:
    return tuple(one.gate for one in verdicts if not one.passed and one.ran is ran)


def _tokens(line: Line, direction: str) -> int:
    kinds = {"input": ("input", "cached_input"), "output": ("output", "reasoning")}[direction]
    return sum(line.usage.get(kind, 0) for kind in kinds)
