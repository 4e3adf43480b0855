"""How steady routes are: rewordings and injected claims.

The one rule: a flip is a route that differs from the plain prompt's at the threshold that ships,
counted for both directions; figures come with the classes of `routing_noise`, each by itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from bench.routing_bench import Scored
from bench.routing_noise import INJECTIONS, REWORDINGS
from bench.routing_rows import Row, unmeasured
from bench.routing_targets import target_named
from farebox.core.scoring import Weights
from farebox.learn.accuracy import Interval, bootstrap
from farebox.learn.encoding import Bools
from farebox.learn.shipped import routed

PROMPTS_MAX = 400
THRESHOLD = "cmq-0.95"


@dataclass(frozen=True, slots=True)
class Steadiness:
    """Flips of one class: prompts, those that flipped, and those that flipped to the weak model."""

    name: str
    flips: Bools
    cheaper: Bools

    def interval(self) -> Interval:
        """The share of flips in percent."""
        return bootstrap(lambda at: 100 * float(self.flips[at].mean()), len(self.flips))


def sample(scored: Scored) -> list[str]:
    """Evenly chosen prompts of a pool."""
    prompts = [row.prompt for row in scored.pool.rows]
    return prompts[:: max(1, len(prompts) // PROMPTS_MAX)]


def steadiness(
    scored: Scored, classes: Mapping[str, Callable[[str], str]] = REWORDINGS
) -> list[Steadiness]:
    """Flips of each class of rewordings over a sample of a pool."""
    prompts = sample(scored)
    if not prompts:
        return []
    plain = strong(scored.model, prompts)
    found = []
    for name, reword in classes.items():
        reworded = strong(scored.model, [reword(prompt) for prompt in prompts])
        found.append(Steadiness(name, reworded != plain, plain & ~reworded))
    return found


def injections(scored: Scored) -> list[Steadiness]:
    """Flips of each class of injected claims."""
    return steadiness(scored, INJECTIONS)


def rewording_row(found: list[Steadiness]) -> Row:
    """The row of the table: the mean over all classes, with the worst class named."""
    item = "rewording flips the route"
    if not found:
        return unmeasured(item)
    flips = np.mean([one.flips.astype(np.float64) for one in found], axis=0)
    worst = max(found, key=lambda one: float(one.flips.mean()))
    return Row(
        target=target_named(item),
        figure=bootstrap(lambda at: 100 * float(flips[at].mean()), len(flips)),
        rows=len(flips),
        note=f"{len(found)} classes; the worst is {worst.name}: {worst.flips.mean():.1%}",
    )


def strong(model: Weights, prompts: list[str]) -> Bools:
    """Which prompts go to the strong model."""
    return routed([model.score(prompt) for prompt in prompts]) >= model.thresholds[THRESHOLD]
