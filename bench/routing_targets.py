"""The targets of routing, row by row: what must be reached, what is aimed at, what is known.

The one rule: this is a table, nothing is computed here. `reference` is what the plain reference
model was measured at (hashed word pairs, one pair of heads); RouteLLM's best published figures for
APGR are MMLU .603 and GSM8K .622, with other training data, so not like for like.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One row; figures in the row's own unit. `lower` marks rows where less is better."""

    item: str
    must: float
    goal: float
    moonshot: float | None
    reference: float | None = None
    unit: str = ""
    lower: bool = False

    def reached(self, value: float, level: float | None) -> bool:
        """Whether a value reaches a level."""
        if level is None:
            return False
        return value <= level if self.lower else value >= level


def _target(
    item: str,
    *levels: float | None,
    reference: float | None = None,
    unit: str = "",
    lower: bool = False,
) -> Target:
    must, goal, moonshot = levels
    assert must is not None
    assert goal is not None
    return Target(
        item=item,
        must=must,
        goal=goal,
        moonshot=moonshot,
        reference=reference,
        unit=unit,
        lower=lower,
    )


TARGETS: Final = (
    _target("heuristics p99", 0.1, 0.03, None, unit="ms", lower=True),
    _target("model p99", 1.0, 0.35, 0.1, reference=0.3, unit="ms", lower=True),
    _target("model size", 1_000, 150, None, reference=131, unit="kB", lower=True),
    _target("APGR A", 0.65, 0.70, 0.75, reference=0.652),
    _target("APGR MMLU, 1,500 labels", 0.60, 0.63, 0.68, reference=0.632),
    _target("APGR GSM8K in domain", 0.62, 0.65, 0.70, reference=0.647),
    _target("APGR B2", 0.65, 0.72, 0.78, reference=0.699),
    _target("APGR B3", 0.65, 0.70, 0.75, reference=0.709),
    _target("APGR C1", 0.53, 0.57, 0.62, reference=0.542),
    _target("APGR C2", 0.66, 0.75, 0.85, reference=0.727),
    _target("unseen source", 0.50, 0.55, 0.60, reference=0.457),
    _target("CMQ(.95) A", 30, 37, 50, reference=37, unit="%"),
    _target("CMQ(.95) B2", 27, 32, 45, reference=32, unit="%"),
    _target("CMQ(.95) C2", 50, 60, 75, reference=61, unit="%"),
    _target("CMQ(.99) A", 5, 12, 30, reference=12, unit="%"),
    _target("CMQ(.99) C2", 20, 34, 45, reference=34, unit="%"),
    _target("cascade CMQ(1.0) B1", 30, 40, 60, reference=40, unit="%"),
    _target("cascade CMQ(1.0) B2", 15, 22, 40, reference=22, unit="%"),
    _target("cascade accept AUC B1", 0.85, 0.93, 0.97, reference=0.89),
    _target("cascade accept AUC B2", 0.85, 0.93, 0.97, reference=0.95),
    _target("decided by heuristics, loss <= .005", 50, 65, 85, reference=54, unit="%"),
    _target("BQ(.25) A above the random mix", 2, 4, 8, reference=4.8, unit="points"),
    _target("rewording flips the route", 10, 5, 1, unit="%", lower=True),
)


def target_named(item: str) -> Target:
    """A row by its item; raises KeyError."""
    return {target.item: target for target in TARGETS}[item]
