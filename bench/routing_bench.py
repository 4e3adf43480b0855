"""What every row of the routing benchmark looks at: rows, pools and their scores, computed once.

The one rule: weights, thresholds and rules are those that ship; nothing is fitted here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from farebox.core.scoring import Score, Weights
from farebox.learn import shipped
from farebox.learn.encoding import Floats
from farebox.learn.outcomes import Outcome
from farebox.learn.pairs import Pooled, pooled


@dataclass(frozen=True, eq=False)
class Scored:
    """A pool with what a release says of each row."""

    model: Weights
    pool: Pooled
    scores: Sequence[Score]

    @property
    def gains(self) -> Floats:
        return shipped.gains(self.scores)

    @property
    def worths(self) -> Floats:
        return shipped.routed(self.scores)

    @property
    def paced(self) -> Floats:
        return shipped.paced(self.scores)

    def known(self) -> "Scored":
        """The rows that the release has an opinion on."""
        places = [n for n, score in enumerate(self.scores) if score.familiar]
        return Scored(self.model, self.pool.at(places), [self.scores[n] for n in places])


@dataclass(eq=False)
class Bench:
    """The rows that are evaluated, and scores by release and sources."""

    rows: Sequence[Outcome]
    _scored: dict[tuple[str, tuple[str, ...]], Scored] = field(default_factory=dict)

    def scored(self, name: str, sources: Sequence[str] = ()) -> Scored:
        """A release on the sources of its own training, or on those named."""
        release = shipped.release_named(name)
        wanted = tuple(sources) or release.sources
        if (name, wanted) not in self._scored:
            model = shipped.weights(name)
            pool = pooled(self.rows, release.pair).of_sources(wanted)
            scores = shipped.scores_of(model, pool)
            self._scored[name, wanted] = Scored(model, pool, scores)
        return self._scored[name, wanted]

    def unseen(self, name: str) -> list[str]:
        """Sources that a release was never trained on and that its pair has outcomes for."""
        release = shipped.release_named(name)
        found = {row.source for row in pooled(self.rows, release.pair).rows}
        return sorted(found - set(release.sources))
