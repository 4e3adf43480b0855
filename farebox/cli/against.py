"""`farebox replay --against`: what a policy would have cost and refused, without any provider.

The one rule: nothing is sent and nothing is written but the file that is asked for; what is
reckoned, and what can't be known, is said beside the figures.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from farebox.after.bills import estimated
from farebox.after.cases import Case, Decision
from farebox.after.compared import Compared, Pair, caveats, compare
from farebox.after.manifests import policy_of, read_offline
from farebox.after.past import case_of
from farebox.after.receipts import Past, read_receipts
from farebox.after.rerun import Rerun
from farebox.after.scorer import with_scorer
from farebox.cli.prompts import Prompt, read_prompts
from farebox.cli.rehearsals import sample_of
from farebox.cli.tables import dollars, make_console, sheet
from farebox.cli.task_lines import UNKNOWN_TASK
from farebox.core.budgets import NO_KEY, Keys
from farebox.core.call import Call, Priority
from farebox.core.classify import classify
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.money import Nanos, format_dollars
from farebox.core.policy import Policy
from farebox.launch.samples import call_of
from farebox.runtime.clock import SystemClock

_Cell = TypeVar("_Cell")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to replay: a pod's receipts, or prompts spread over a time, against manifests."""

    manifests: Path
    receipts: tuple[Path, ...] = ()
    prompts: Path | None = None
    limit: int | None = None
    namespace: str = "default"
    labels: Mapping[str, str]
    over: DurationMs = DurationMs(24 * 3_600_000)
    weights: Path | None = None
    output: Path | None = None


async def run_against(question: Question) -> int:
    """Show what would have been; exit status 0."""
    return await asyncio.to_thread(_run, question)


def _run(question: Question) -> int:
    policy = policy_of(
        read_offline(question.manifests, now=SystemClock().utc()),
        namespace=question.namespace,
        labels=question.labels,
    )
    policy, problem = with_scorer(policy, question.weights)
    said = [problem] if problem else []
    calls: Sequence[Past | None]
    if question.prompts is not None:
        cases = list(cases_of_prompts(question, policy))
        calls = [None] * len(cases)
        said.append(_GUESSED)
    else:
        receipts = read_receipts(question.receipts)
        cases = [case_of(past, policy) for past in receipts.calls]
        calls = receipts.calls
        if receipts.unread:
            said.append(f"{receipts.unread} lines were no receipts of this version.")
    rerun = Rerun(policy)
    decisions = rerun.run(cases)
    compared = compare(calls, decisions)
    said += caveats([past for past in calls if past is not None], compared)
    if not policy.pools:
        said.append(
            "No pool selects this pod, so no limit holds: name its --namespace and --label."
        )
    show(compared, said, with_past=question.prompts is None)
    if question.output is not None:
        write_decisions(question.output, decisions)
    return 0


def cases_of_prompts(question: Question, policy: Policy) -> Iterable[Case]:
    """Prompts as calls that come evenly over the time, from the start of this day (UTC) on."""
    assert question.prompts is not None
    prompts = read_prompts(question.prompts, limit=question.limit)
    day = DurationMs(24 * 3_600_000)
    now = SystemClock().utc()
    starts = now - now % day
    for number, prompt in enumerate(prompts):
        call = _call_of(prompt)
        yield Case(
            id=f"{number}:{prompt.id}",
            at=UtcMs(starts + question.over * number // len(prompts)),
            duration=DurationMs(0),
            call=call,
            found=classify(call, policy),
            bill=estimated,
        )


def _call_of(prompt: Prompt) -> Call:
    call = call_of(sample_of(prompt))
    priority = Priority(prompt.headers.get("x-farebox-priority", Priority.NORMAL))
    session = prompt.headers.get("x-farebox-session", NO_KEY)
    identity = replace(
        call.identity, keys=Keys(user=prompt.user, session=session), priority=priority
    )
    return call._replace(identity=identity, stream=prompt.stream)


_GUESSED = (
    "Nobody has answered these prompts: costs are what is expected of their length and of the "
    "task's expected output. Each call ends at once, so none waits for another's money."
)


def show(compared: Compared, said: Sequence[str], *, with_past: bool) -> None:
    """Tables, then what is not known."""
    console = make_console()
    columns = (">calls", *_if(with_past, ">cost was"), ">would be", *_if(with_past, ">refused was"),
               ">would be refused", *_if(with_past, ">moved"))  # fmt: skip
    rows = [
        (name or UNKNOWN_TASK, *_cells(pair, with_past=with_past))
        for name, pair in compared.rows(compared.tasks)
    ]
    total = ("all", *_cells(compared.total, with_past=with_past))
    console.print(sheet("By task", ("task", *columns), [*rows, total]))
    console.print(
        sheet(
            "By model",
            ("model", *_if(with_past, ">served", ">cost"), ">would serve", ">would cost"),
            [
                (
                    name,
                    *_if(with_past, pair.was.calls, dollars(pair.was.cost)),
                    pair.would.calls,
                    dollars(pair.would.cost),
                )
                for name, pair in compared.rows(compared.models)
            ],
        )
    )
    if compared.refusals:
        refusals = [
            (name, *_if(with_past, pair.was.calls), pair.would.calls)
            for name, pair in compared.rows(compared.refusals)
        ]
        columns = (*_if(with_past, ">was"), ">would be")
        console.print(sheet("Refused, by reason", ("reason", *columns), refusals))
    if with_past:
        console.print(saying(compared.total))
    for sentence in said:
        console.print(f"- {sentence}")


def saying(total: Pair) -> str:
    """The difference in one sentence."""
    was, would = total.was.cost, total.would.cost
    change = Nanos(abs(would - was))
    share = f" ({change * 100 // was} %)" if was else ""
    direction = "less" if would < was else "more"
    return f"This policy would have cost {dollars(change)}{share} {direction}."


def write_decisions(path: Path, decisions: Iterable[Decision]) -> None:
    """One JSON object for each call."""
    with path.open("w", encoding="utf-8") as file:
        for one in decisions:
            fields = {
                "call": one.id,
                "task": one.task,
                "model": one.model,
                "tier": one.tier,
                "route": one.why,
                "refused": one.refused,
                "pool": one.pool,
                "cost_usd": format_dollars(one.cost),
                "billed": one.sure and bool(one.costs),
                "waited_ms": one.waited,
            }
            file.write(json.dumps(fields) + "\n")


def _cells(pair: Pair, *, with_past: bool) -> tuple[object, ...]:
    return (
        pair.would.calls,
        *_if(with_past, dollars(pair.was.cost)),
        dollars(pair.would.cost),
        *_if(with_past, pair.was.refused),
        pair.would.refused,
        *_if(with_past, pair.moved),
    )


def _if(wanted: bool, *cells: _Cell) -> tuple[_Cell, ...]:  # noqa: FBT001  a column is there or not
    return cells if wanted else ()
