"""What one receipt tells of a cheap and a dear tier: whose answer gates passed, to which prompt.

The one rule: an answer counts for a tier only where it was not chosen for how it would turn out.
This module must not know what is learned from it. Needs numpy.
"""

from typing import Final

from farebox.after.receipts import Attempt, Past, usage_of
from farebox.core.tiers import Tier
from farebox.core.usage import UsageKind
from farebox.launch.judged import Heard

_CHARS_PER_TOKEN: Final = 4


def heard_of(past: Past, cheap: Tier, dear: Tier) -> Heard | None:
    """What a receipt tells of the two tiers; None for one that tells nothing to learn from."""
    answers = past.answers
    if not past.prompt or not answers:
        return None
    first, following = answers[0], answers[1] if len(answers) > 1 else None
    verdict, size = _verdict(first), _chars(first)
    if verdict is None:
        return None
    if first.tier == dear.name:
        return Heard(past.task, past.prompt, None, verdict, strong_chars=size)
    if first.tier != cheap.name:
        return None
    # A third answer says nothing fair of its tier: it was given only where the second failed too.
    if following is None or following.tier != dear.name:
        return Heard(past.task, past.prompt, verdict, None, size)
    return Heard(past.task, past.prompt, verdict, _verdict(following), size, _chars(following))


def _verdict(answer: Attempt) -> bool | None:
    """What the gates said; None when one of them could not be run."""
    return answer.passed if all(verdict.ran for verdict in answer.verdicts) else None


def _chars(answer: Attempt) -> int | None:
    """About how long an answer was that was paid for, what was thought unseen included."""
    if answer.usage is None:
        return None
    counts = usage_of(answer.usage).counts()
    tokens = counts.get(UsageKind.OUTPUT, 0) + counts.get(UsageKind.REASONING, 0)
    return tokens * _CHARS_PER_TOKEN
