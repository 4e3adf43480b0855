"""A receipt as a call again: everything but its text, and what it cost on whom.

The one rule: what a receipt does not tell is not made up. Where the text is gone, a task that was
found in it stays as it was found. This module must not know pools.
"""

from typing import Final

from farebox.after.bills import bill_of
from farebox.after.cases import Case
from farebox.after.receipts import Asked, Past
from farebox.core.budgets import Keys, Priority
from farebox.core.call import Call, Identity
from farebox.core.classify import Classification, classify, classify_again
from farebox.core.estimate import BYTES_PER_TOKEN_EXPECTED
from farebox.core.instant import DurationMs, UtcMs
from farebox.core.policy import Policy
from farebox.core.reasons import Reason

PATH: Final = "/v1/chat/completions"
"""The only path that sidecars serve."""


def call_of(past: Past) -> Call:
    """The call, with no text in it but what the receipt kept."""
    asked = past.asked or _guessed(past)
    return Call(
        path=PATH,
        model=past.model_asked,
        identity=Identity(
            keys=Keys(session=past.session, user=past.user, workflow=past.workflow),
            task=past.task_said,
            priority=Priority(past.priority),
            min_tier=asked.min_tier,
            residency=asked.residency,
        ),
        body_bytes=asked.body_bytes,
        prompt=past.prompt,
        turns=asked.turns,
        output_tokens=asked.output_tokens,
        choices=asked.choices,
        stream=past.stream,
        tools=asked.tools,
        images=asked.images,
        json_schema=asked.json_schema,
    )


def found_again(past: Past, call: Call, policy: Policy) -> Classification:
    """What a policy takes the call for."""
    reason, _, rule = past.rule.partition("=")
    if call.prompt and reason != Reason.TASK_MATCHED:
        return classify(call, policy)
    try:
        known = Reason(reason)
    except ValueError:
        known = Reason.NOTHING_MATCHED
    return classify_again(call, policy, Classification(past.difficulty, known, rule, past.task))


def case_of(past: Past, policy: Policy) -> Case:
    """The call as a policy is asked about it."""
    call = call_of(past)
    found = found_again(past, call, policy)
    own_cap = past.refused == Reason.REQUEST_TOO_LARGE and not past.refused_pool
    return Case(
        id=past.call,
        at=UtcMs(past.at),
        duration=DurationMs(past.duration_ms),
        call=call,
        found=found,
        bill=bill_of(past, found, policy),
        refused=Reason.REQUEST_TOO_LARGE if own_cap else None,
    )


def _guessed(past: Past) -> Asked:
    """What an older receipt does not tell, from the tokens of its answer."""
    tokens = past.tokens()
    size = 0 if tokens is None else tokens.input_total * BYTES_PER_TOKEN_EXPECTED
    return Asked(body_bytes=size)
