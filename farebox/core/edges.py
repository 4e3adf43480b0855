"""What stands around the core of a prompt: sentences and lines at its beginning and its end.

A note before a question, a remark after it: where these make a prompt strange, the core may still
be a well-known one. The one rule: what belongs to the form of a question is never an edge (the
question itself, an option, a field such as "Answer:", a formula). This module must not know
weights, claims or tiers.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

EDGES_MAX: Final = 2
"""So many sentences are taken away at each end."""

READ_CHARS_MAX: Final = 1_000
"""So long are all cores of a prompt together: a reading takes a tenth of a millisecond or more."""

_END: Final = re.compile(r"[.!?]+(?=[\s)]|$)|[\u3002\n]")
_FORM: Final = re.compile(
    r"\s*(?:\(?[a-j0-9][.)]|(?:answer|question|solution|output|input|response)\s*:|[aq]:)",
    re.IGNORECASE,
)


def cores_of(prompt: str) -> Iterator[str]:
    """The prompt without its edges, first where least is gone; never less than a third of it.

    At most `(EDGES_MAX + 1) ** 2 - 1` texts, together of at most READ_CHARS_MAX characters.
    """
    if len(prompt) > READ_CHARS_MAX:
        return
    cuts = _cuts(prompt)
    sides = range(EDGES_MAX + 1)
    before = [at for at in sides if at < len(cuts) and _are_edges(prompt, cuts[: at + 1])]
    ends = cuts[::-1]
    after = [at for at in sides if at < len(cuts) and _are_edges(prompt, ends[at::-1])]
    spans = {(cuts[head], ends[tail]) for head in before for tail in after}
    rest = READ_CHARS_MAX
    for start, end in sorted(spans, key=lambda span: span[0] - span[1]):
        # What stands before an option asks for it, with or without a question mark.
        asks = start > 0 and _FORM.match(prompt, start)
        if not asks and len(prompt) > end - start and 3 * (end - start) >= len(prompt):
            rest -= end - start
            if rest < 0:
                return
            yield prompt[start:end]


def _cuts(prompt: str) -> list[int]:
    """Where sentences begin that say anything, and where the prompt ends."""
    cuts = [0]
    for found in _END.finditer(prompt):
        if prompt[cuts[-1] : found.end()].strip():
            cuts.append(found.end())
    if prompt[cuts[-1] :].strip():
        cuts.append(len(prompt))
    cuts[-1] = len(prompt)
    return cuts


def _are_edges(prompt: str, cuts: Sequence[int]) -> bool:
    """Whether all that stands between cuts may be an edge."""
    texts = [prompt[start:end] for start, end in pairwise(cuts)]
    return not any("?" in text or "$" in text or _FORM.match(text) for text in texts)
