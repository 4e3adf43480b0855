"""Why one call went where it went, in plain sentences: a receipt, read aloud.

The one rule: nothing is said that the receipt does not say. This module must not know where a
receipt comes from.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from farebox.cli.phrases import in_words, why_not
from farebox.cli.records import understood
from farebox.core.instant import UtcMs, format_utc
from farebox.core.money import format_dollars, parse_dollars

NO_KEY: Final = "(none)"
GONE: Final = 499
_AUTO: Final = "farebox/auto"
_ANSWER: Final = "answer"


def why(receipt: Mapping[str, Any]) -> list[str]:
    """The story of a call, one paragraph each. Raises RecordError."""
    return understood("a receipt", lambda: list(_paragraphs(receipt)))


def _paragraphs(receipt: Mapping[str, Any]) -> Iterator[str]:
    yield _ending(receipt)
    if said := _caller(receipt):
        yield said
    yield _classified(receipt)
    yield _chosen(receipt)
    yield from _rejected(receipt["rejected"])
    yield from _attempts(receipt["attempts"])
    yield _sum(receipt)


def _ending(receipt: Mapping[str, Any]) -> str:
    when = format_utc(UtcMs(receipt["at"]))
    told = f"Call {receipt['call']} of {when} took {receipt['duration_ms']} ms and "
    if receipt["refused"]:
        pool = f" by pool {receipt['refused_pool']}" if receipt["refused_pool"] else ""
        advice = in_words(receipt["refused"])
        return f"{told}was refused{pool} with {receipt['status']} {receipt['refused']}. {advice}"
    if receipt["caller_gone"]:
        return f"{told}its caller had gone before it ended."
    return f"{told}was answered with status {receipt['status']}."


def _caller(receipt: Mapping[str, Any]) -> str:
    keys = ("user", "session", "workflow")
    known = [f"{key} {receipt[key]}" for key in keys if receipt[key] not in {"", NO_KEY}]
    if receipt["priority"] != "normal":
        known.append(f"priority {receipt['priority']}")
    return f"It was made for {', '.join(known)}." if known else ""


def _classified(receipt: Mapping[str, Any]) -> str:
    reason, _, rule = receipt["rule"].partition("=")
    task = f"the task {receipt['task']}" if receipt["task"] else "no known task"
    hard = f"{receipt['difficulty'] / 1000:.3f}"
    return (
        f"It was taken for {task}, difficulty {hard} of 1, because {in_words(reason)} "
        f"(rule {rule})."
    )


def _chosen(receipt: Mapping[str, Any]) -> str:
    asked = receipt["model_asked"]
    wanted = "left the choice of model open" if asked == _AUTO else f"asked for {asked}"
    if not receipt["model"]:
        return f"It {wanted}; no model served it."
    tier = f" of tier {receipt['tier']}" if receipt["tier"] else ""
    because = f", because {in_words(receipt['route'])}" if receipt["route"] else ""
    ran = receipt["response_model"]
    says = f" The provider says that it ran {ran}." if ran and ran != receipt["model"] else ""
    return f"It {wanted} and was served by {receipt['model']}{tier}{because}.{says}"


def _rejected(rejected: Sequence[Mapping[str, str]]) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for one in rejected:
        groups.setdefault(one["reason"], []).append(one["model"])
    for reason, models in groups.items():
        yield f"Not taken: {', '.join(models)}, because {why_not(reason)} ({reason})."


def _attempts(attempts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for number, one in enumerate(attempts, start=1):
        head = f"Attempt {number}" if len(attempts) > 1 else "The attempt"
        purpose = "" if one["purpose"] == _ANSWER else f", to judge an answer ({one['purpose']})"
        status = f", status {one['status']}" if one["status"] else ", without an answer"
        yield (
            f"{head} went to {one['model']}{purpose}{status}: {_dollars(one['held_usd'])} was held "
            f"for it, and it cost {_dollars(one['cost_usd'])}, {in_words(one['end'])}."
            f"{_let_pass(one)}{_verdicts(one['verdicts'])}"
        )


def _let_pass(attempt: Mapping[str, Any]) -> str:
    said = ""
    if attempt["shadow"]:
        said += f" In shadow mode, and out of money: {', '.join(attempt['shadow'])}."
    if attempt["unverified"]:
        said += f" Let pass while the controller was away: {', '.join(attempt['unverified'])}."
    return said


def _verdicts(verdicts: Sequence[Mapping[str, Any]]) -> str:
    return "".join(f" {_verdict(one)}" for one in verdicts)


def _verdict(one: Mapping[str, Any]) -> str:
    because = f": {one['why']}" if one["why"] else ""
    if not one["ran"]:
        return f"Gate {one['gate']} could not be run{because}."
    return f"Its answer {'passed' if one['passed'] else 'failed'} gate {one['gate']}{because}."


def _sum(receipt: Mapping[str, Any]) -> str:
    counts = receipt["usage"] or {}
    used = ", ".join(f"{count} {kind}" for kind, count in counts.items() if kind != "call")
    usage = f" for {used} tokens" if used else ""
    several = f" over {len(receipt['attempts'])} attempts" if len(receipt["attempts"]) > 1 else ""
    up = receipt["escalations"]
    escalated = f" It was asked again of a higher tier {_times(up)}." if up else ""
    gate = f" Gates: {receipt['gate']}." if receipt["gate"] else ""
    return f"It cost {_dollars(receipt['cost_usd'])} in all{several}{usage}.{escalated}{gate}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _dollars(text: str) -> str:
    """An amount as exactly as it was written down, without the zeros at its end."""
    whole, _, parts = format_dollars(parse_dollars(text)).partition(".")
    return f"${whole}.{parts.rstrip('0').ljust(2, '0')}"
