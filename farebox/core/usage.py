"""Usage: what one call consumed, by kind.

The one rule: kinds are disjoint (a cached input token is not also an input token), so that a cost
is a plain sum. Dialects translate providers' overlapping counts; this module must not know them.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final


class UsageKind(enum.StrEnum):
    """What a provider charges for. Tokens, but for `CALL`, which counts calls."""

    INPUT = "input"
    CACHED_INPUT = "cached_input"
    CACHE_WRITE = "cache_write"
    OUTPUT = "output"
    REASONING = "reasoning"
    INPUT_AUDIO = "input_audio"
    OUTPUT_AUDIO = "output_audio"
    CALL = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Counts by kind, never negative; field names are the values of `UsageKind`."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0
    input_audio: int = 0
    output_audio: int = 0
    call: int = 0

    def __post_init__(self) -> None:
        """Raise ValueError for a negative count: no provider's report gives money back."""
        if min(self.vector) < 0:
            raise ValueError(f"usage counts are never negative: {self}")

    @property
    def vector(self) -> tuple[int, ...]:
        """All counts, in the order of `UsageKind`."""
        return _counts(self)

    @property
    def input_total(self) -> int:
        """All tokens that were read, cached or not."""
        return self.input + self.cached_input + self.cache_write + self.input_audio

    @property
    def output_total(self) -> int:
        """All tokens that were written, seen by the caller or not."""
        return self.output + self.reasoning + self.output_audio

    def counts(self) -> dict[UsageKind, int]:
        """The counts that are not zero."""
        return {kind: count for kind, count in zip(KINDS, self.vector, strict=True) if count}


KINDS: Final = tuple(UsageKind)
"""The kinds in the order of a vector."""

_counts: Final[Callable[[Usage], tuple[int, ...]]] = attrgetter(*(kind.value for kind in UsageKind))
