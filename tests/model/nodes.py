"""Live objects of the product, kept once for each state that no later move can tell apart.

The one rule: what is kept is never changed; a move works on a copy. This module must not know what
a move is.
"""

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from controller.agenda import Agenda
from controller.terms import Terms
from farebox.core.policy import Policy
from farebox.manifests.resources import Resources
from farebox.wire.messages import Outlook
from sidecar.demand import IDLE_BEATS, Demand
from sidecar.leasing import Leasing
from sidecar.outlooks import Outlooks
from tests.model.journals import ModelJournal
from tests.model.values import Canonical, Forms, attributes, copied, digest_of

_Kept = TypeVar("_Kept")


Form = Callable[[Any], Canonical]


def _agenda(agenda: Agenda, form: Form) -> Canonical:
    return tuple((at, form(reminder)) for at, _, reminder in sorted(agenda._heap))


def _leasing(leasing: Leasing, form: Form) -> Canonical:
    """Reports are counted for ever; all that counts is whether the last one was answered."""
    counted = {"_seq", "_acked"}
    kept = [form(getattr(leasing, n)) for n in attributes(leasing) if n not in counted]
    return (leasing._acked >= leasing._seq, *kept)


def _demand(demand: Demand, form: Form) -> Canonical:
    return tuple(demand._replace(idle_beats=min(demand.idle_beats, IDLE_BEATS)))


def _journal(journal: ModelJournal, form: Form) -> Canonical:
    """What a replay would bring back, and not how it came to be written."""
    recovered = journal.recovered
    names = (recovered.state, recovered.holder, recovered.boot_seq, recovered.next_hold)
    return form((journal._holders, journal.leases, journal.holds, journal.epoch, names))


def _foreseen(_: object, __: Form) -> Canonical:
    """No move of these worlds chooses a model, so none looks at what is foreseen."""
    return ()


FORMS: Final = Forms(
    constants=(Resources, Policy, Terms),
    special={
        Agenda: _agenda,
        Leasing: _leasing,
        Demand: _demand,
        ModelJournal: _journal,
        Outlook: _foreseen,
        Outlooks: _foreseen,
    },
    ordered=frozenset({"waiting"}),
)


class Kept(Generic[_Kept]):
    """Objects by number; equal ones have the same."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._objects: list[_Kept] = []

    def __len__(self) -> int:
        return len(self._objects)

    def __getitem__(self, number: int) -> _Kept:
        return self._objects[number]

    def number(self, value: _Kept) -> int:
        """The number of an object, which must not change from now on."""
        digest = digest_of(value, FORMS)
        known = self._numbers.setdefault(digest, len(self._objects))
        if known == len(self._objects):
            self._objects.append(value)
        return known

    def copy(self, number: int) -> _Kept:
        """A copy to work on."""
        made: _Kept = copied(self._objects[number], FORMS)
        return made
