"""What the lease benchmark prints: one line for each policy, the mean over its seeds.

The one rule: a figure that would flatter is shown at its worst: of several seeds the first false
denial that came earliest. This module must not run anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.leases_load import Load
from bench.leases_tally import Tally
from farebox.core.money import format_dollars

MESSAGES_PER_CALL_MAX: Final = 0.03
FIRST_PERCENT_MIN: Final = 98.0
CRASHES: Final = 120
"""So many crashes are what 60 an hour make of two hours, for which the share lost is given."""

_NAME_CHARACTERS: Final = 28
_COLUMNS: Final = ("calls", "asks/call", "msgs/call", "refused", "falsely", "at the first")

LEGEND: Final = """
asks/call      requests for money, each with its answer
msgs/call      every message of a stream, in both directions. For farebox: hello, welcome, policy,
               reports (heartbeats too), acknowledgements, grants, denials, recalls; for the others
               only asks, answers, recalls and returns, as if they needed no heartbeats
falsely        refused although the pool had the money: not lent at all, or lent and idle
at the first   share of the limit spent or held at the first of these, the worst of all seeds;
               a run ends at 99 %
lost each      free and held money that a lost pod takes with it; a restart of its container with
               the journal on the pod's volume takes none (see the run as processes)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A policy and what became of it under each seed."""

    policy: str
    tallies: Sequence[Tally]

    @property
    def asks_per_call(self) -> float:
        """Requests for money."""
        return self._sum("asks") / max(1, self._sum("calls"))

    @property
    def messages_per_call(self) -> float:
        """All messages."""
        messages = sum(tally.messages.total() for tally in self.tallies)
        return messages / max(1, self._sum("calls"))

    @property
    def first_percent(self) -> float | None:
        """The share of the limit that was used at the earliest false denial; None without one."""
        found = [
            tally.used_at_first * 100 / tally.limit
            for tally in self.tallies
            if tally.used_at_first is not None
        ]
        return min(found, default=None)

    @property
    def lost_per_crash(self) -> int:
        """Stranded money in n$ by each crash."""
        return self._sum("stranded") // max(1, self._sum("crashes"))

    @property
    def holds(self) -> bool:
        """Whether both bounds of the project are kept."""
        first = self.first_percent
        few = self.messages_per_call <= MESSAGES_PER_CALL_MAX
        return few and (first is None or first >= FIRST_PERCENT_MIN)

    def mean(self, name: str) -> float:
        """The mean of one count over the seeds."""
        return self._sum(name) / len(self.tallies)

    def _sum(self, name: str) -> int:
        return sum(int(getattr(tally, name)) for tally in self.tallies)


def heading(load: Load) -> list[str]:
    """What a block of lines is about."""
    title = (
        f"{load.sidecars} sidecars, ${format_dollars(load.limit, 0)}, calls of "
        f"${format_dollars(load.cost_mean, 3)}, {load.calls_per_minute} a minute each (means)"
    )
    return ["", title, " " * _NAME_CHARACTERS + _cells(_COLUMNS)]


def line(one: Line) -> str:
    """One policy."""
    first = one.first_percent
    cells = (
        f"{one.mean('calls'):.0f}",
        f"{one.asks_per_call:.4f}",
        f"{one.messages_per_call:.4f}",
        f"{one.mean('refused'):.0f}",
        f"{one.mean('refused_falsely'):.0f}",
        "never" if first is None else f"{first:.1f} %",
    )
    return one.policy.ljust(_NAME_CHARACTERS) + _cells(cells)


def crash_heading(load: Load) -> list[str]:
    """What the block of crashes is about."""
    return [
        "",
        f"pods lost: {load.sidecars} sidecars, ${format_dollars(load.limit, 0)}",
        " " * _NAME_CHARACTERS + _cells(("crashes", "lost each", f"lost of {CRASHES}")),
    ]


def crash_line(one: Line) -> str:
    """What crashes cost under one policy."""
    limit = one.tallies[0].limit
    cells = (
        f"{one.mean('crashes'):.0f}",
        f"${one.lost_per_crash / 10**9:.3f}",
        f"{one.lost_per_crash * CRASHES * 100 / limit:.2f} %",
    )
    return one.policy.ljust(_NAME_CHARACTERS) + _cells(cells)


def verdict(ours: Line, seeds: Sequence[int]) -> str:
    """Whether the bounds hold over these seeds, as a sentence."""
    kept = "kept" if ours.holds else "BROKEN"
    return (
        f"\nbounds {kept} by default settings (seeds {', '.join(map(str, seeds))}): at most "
        f"{MESSAGES_PER_CALL_MAX} messages a call, "
        f"no false denial before {FIRST_PERCENT_MIN:.0f} % are used"
    )


def _cells(cells: Sequence[str]) -> str:
    return "".join(cell.rjust(13) for cell in cells)
