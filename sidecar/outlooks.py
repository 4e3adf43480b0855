"""What the controller foresees of each lease, as the holder last heard it.

The one rule: an outlook is of one lease and is over with its time; what is not known is not made
up. This module must not know calls or how models are chosen.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

from farebox.core.instant import BootMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.wire.messages import Outlook

OUTLOOKS_MAX: Final = 8_192
"""Of so many leases an outlook is remembered; beyond that, the oldest is forgotten."""


class Foreseen(NamedTuple):
    """What a lease can have spent in all at an instant of the holder's own clock."""

    spent_by_then: Nanos
    until: BootMs


class Outlooks:
    """The newest outlook of every lease."""

    def __init__(self) -> None:
        self._known: OrderedDict[LeaseId, Foreseen] = OrderedDict()

    def hear(self, outlooks: Iterable[Outlook | None], echo: BootMs) -> None:
        """Take in what answers a message that was sent at `echo`."""
        for outlook in outlooks:
            if outlook is None:
                continue
            self._known.pop(outlook.lease, None)
            self._known[outlook.lease] = Foreseen(
                outlook.spent_by_then, BootMs(echo + outlook.lasts)
            )
            if len(self._known) > OUTLOOKS_MAX:
                self._known.popitem(last=False)

    def forget(self, lease: LeaseId) -> None:
        """A lease is closed."""
        self._known.pop(lease, None)

    def of(self, lease: LeaseId, now: BootMs) -> Foreseen | None:
        """What is foreseen of a lease, while its time is not over."""
        found = self._known.get(lease)
        return found if found is not None and found.until > now else None
