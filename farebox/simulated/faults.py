"""What goes wrong on purpose: by a header on one call, or at random by a mix.

The one rule: a call has at most one fault, and the same seed with the same order of calls gives
the same faults. It decides only which fault a call has; `chat` acts it out.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

import msgspec

FAULT_HEADER = "x-sim-fault"
NO_FAULT = "none"
option_max = 1_000_000


class FaultKind(StrEnum):
    ERROR_429 = "error429"
    """Refused unbilled, with `Retry-After`. Option: seconds."""
    ERROR_500 = "error500"
    """Refused unbilled."""
    ERROR_503 = "error503"
    """Refused unbilled."""
    CUT_STREAM = "cutStream"
    """Billed for what was generated, then the socket closes in mid-answer. Option: after."""
    MISSING_USAGE = "missingUsage"
    """Billed and answered, but the answer has no usage."""
    LONG_ANSWER = "longAnswer"
    """The answer ignores the caller's limit and is billed in full. Option: percent."""
    SLOW_BODY = "slowBody"
    """The answer dribbles out with pauses. Option: ms."""
    LATENCY = "latency"
    """A wait before the head. Option: ms."""
    HANG_UP = "hangUp"
    """Generated and billed in full, then the socket closes without one byte of an answer."""


ERROR_STATUS = {
    FaultKind.ERROR_429: 429,
    FaultKind.ERROR_500: 500,
    FaultKind.ERROR_503: 503,
}


class FaultError(ValueError):
    """A fault header or a mix that makes no sense; the text is a sentence for the caller."""


class FaultSettings(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """The `faults` part of the configuration, and the body of `POST /_sim/faults`."""

    mix: dict[FaultKind, float] = {}
    """Probability of each fault for one call, 0 to 1; together at most 1."""
    overrun_percent: int = 25
    latency_ms: int = 500
    slow_ms: int = 20
    retry_after_seconds: int = 1

    def problems(self) -> list[str]:
        """One sentence for each value that makes no sense."""
        found = [
            f"faults.mix.{kind} is {share}, but a probability lies between 0 and 1."
            for kind, share in self.mix.items()
            if not 0 <= share <= 1
        ]
        if sum(self.mix.values()) > 1 + 1e-9:
            found.append("The probabilities in faults.mix add up to more than 1.")
        amounts = {
            "overrunPercent": self.overrun_percent,
            "latencyMs": self.latency_ms,
            "slowMs": self.slow_ms,
            "retryAfterSeconds": self.retry_after_seconds,
        }
        found += [
            f"faults.{name} is {amount}, but must lie between 0 and {option_max}."
            for name, amount in amounts.items()
            if not 0 <= amount <= option_max
        ]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of one call. `amount` is its option; the settings give it when the header does not.

    The unit of `amount` is that of the option: milliseconds, percent, seconds, or tokens; None
    only for `cutStream`, where it means "after half of the answer", and for the rest, which have
    no option.
    """

    kind: FaultKind
    amount: int | None = None


_OPTION_NAME = {
    FaultKind.ERROR_429: "seconds",
    FaultKind.CUT_STREAM: "after",
    FaultKind.LONG_ANSWER: "percent",
    FaultKind.SLOW_BODY: "ms",
    FaultKind.LATENCY: "ms",
}


class FaultBook:
    """Chooses the fault of each call; its settings can be replaced at run time."""

    def __init__(self, settings: FaultSettings, seed: int) -> None:
        self.settings = settings
        self._random = random.Random(seed)

    def pick(self, header: str | None) -> Fault | None:
        """The fault of the next call: the header's if there is one, else one drawn from the mix.

        Raises:
            FaultError: when the header names no fault or an option that the fault does not have.
        """
        if header is not None:
            return self._asked_for(header)
        if not self.settings.mix:
            return None
        point = self._random.random()
        for kind, share in self.settings.mix.items():
            point -= share
            if point < 0:
                return Fault(kind=kind, amount=self._default_amount(kind))
        return None

    def _asked_for(self, header: str) -> Fault | None:
        name, _, option = header.partition(";")
        if name.strip() == NO_FAULT:
            return None
        try:
            kind = FaultKind(name.strip())
        except ValueError:
            known = ", ".join(FaultKind)
            raise FaultError(
                f'{FAULT_HEADER} names "{name.strip()}"; known are {known} and {NO_FAULT}.'
            ) from None
        amount = _amount(kind, option) if option.strip() else self._default_amount(kind)
        return Fault(kind=kind, amount=amount)

    def _default_amount(self, kind: FaultKind) -> int | None:
        defaults = {
            FaultKind.ERROR_429: self.settings.retry_after_seconds,
            FaultKind.LONG_ANSWER: self.settings.overrun_percent,
            FaultKind.SLOW_BODY: self.settings.slow_ms,
            FaultKind.LATENCY: self.settings.latency_ms,
        }
        return defaults.get(kind)


def _amount(kind: FaultKind, option: str) -> int:
    name = _OPTION_NAME.get(kind)
    key, _, value = (part.strip() for part in option.partition("="))
    if name is None:
        raise FaultError(f"The fault {kind} takes no option, but {FAULT_HEADER} gives one.")
    if key != name or not value.isdecimal() or len(value) > 7 or int(value) > option_max:
        raise FaultError(
            f'The option of {kind} is "{name}=NUMBER" with a number of at most {option_max}.'
        )
    return int(value)
