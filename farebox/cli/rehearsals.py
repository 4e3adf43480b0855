"""Receipts of a rehearsal, and prompts as samples: what the steps before launch look at.

The one rule: only what is needed is read; a line that a kill has cut is left out. This module must
not know what is concluded.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from farebox.cli.prompts import Prompt, read_prompts
from farebox.core.classify import classify, fingerprint
from farebox.core.money import AmountError, Nanos, parse_dollars
from farebox.core.policy import Policy
from farebox.launch.audit import Seen
from farebox.launch.checklist import Rehearsed
from farebox.launch.problems import LaunchError
from farebox.launch.samples import Sample, call_of

LINE_BYTES_MAX: Final = 1 << 20
_OK: Final = 200
_NOT_IN_BODY: Final = ("model", "stream", "stream_options", "user", "n")


def samples_of(path: Path, *, limit: int | None = None) -> list[Sample]:
    """A file of prompts as samples. Raises PromptError."""
    return [sample_of(prompt) for prompt in read_prompts(path, limit=limit)]


def seen_in_prompts(samples: Sequence[Sample], policy: Policy) -> Iterator[Seen]:
    """What the policy makes of each prompt, as it would be sent."""
    for sample in samples:
        call = call_of(sample)
        found = classify(call, policy)
        system = fingerprint(call.system) if call.system else ""
        yield Seen(task=found.task, reason=found.reason.value, system=system)


def seen_in_receipts(path: Path) -> Iterator[Seen]:
    """What a sidecar made of each call. Raises LaunchError."""
    for fields in _receipts(path):
        yield Seen(
            task=fields["task"],
            reason=str(fields["rule"]).partition("=")[0],
            cost=parse_dollars(fields["cost_usd"]),
        )


def rehearsed_in(path: Path) -> list[Rehearsed]:
    """What the checklist needs of each receipt. Raises LaunchError."""
    return [
        Rehearsed(
            task=fields["task"],
            served=fields["status"] == _OK,
            response_model=fields["response_model"] or "",
            cost=parse_dollars(fields["cost_usd"]),
            gates=frozenset(_gates_that_ran(fields["attempts"])),
        )
        for fields in _receipts(path)
    ]


def spent_in(receipts: Sequence[Rehearsed]) -> Nanos:
    """All money of the receipts."""
    return Nanos(sum(one.cost for one in receipts))


def _gates_that_ran(attempts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for attempt in attempts:
        for verdict in attempt.get("verdicts") or ():
            if verdict.get("ran", True):
                yield verdict["gate"]


def _receipts(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                if not line.endswith(b"\n"):
                    return
                yield _checked(msgspec.json.decode(line))
    except OSError as error:
        raise LaunchError(f"{path} can't be read: {error.strerror}; name a receipts file") from None
    except (msgspec.DecodeError, KeyError, TypeError, AmountError) as error:
        raise LaunchError(
            f"{path} holds no receipts of this version ({type(error).__name__}: {error})"
        ) from error


def _checked(fields: Any) -> Mapping[str, Any]:
    """A receipt that has every field that is read here. Raises KeyError or TypeError."""
    for name in ("task", "rule", "status", "response_model", "attempts"):
        fields[name]
    parse_dollars(fields["cost_usd"])
    found: Mapping[str, Any] = fields
    return found


def sample_of(prompt: Prompt) -> Sample:
    """A prompt as a sample."""
    body = {name: value for name, value in prompt.body.items() if name not in _NOT_IN_BODY}
    return Sample(
        id=prompt.id,
        body=body,
        task="" if prompt.task == "(not said)" else prompt.task,
        tag=prompt.headers.get("x-farebox-task", ""),
        model_asked=prompt.model,
        expected=prompt.expected,
    )
