"""Whose certificates are trusted, while two controllers say so in places that both may write.

The one rule: a certificate that is wanted is added at once, and one that is not wanted any more is
dropped only a while later: the other controller may know of a rotation that this one is yet to hear
of, and neither undoes what the other does. This module must not know the places.
"""

import re
from typing import Final

from farebox.runtime.clock import Clock

DROP_AFTER_MS: Final = 120_000
EXTRA_MAX: Final = 8
"""More unknown certificates than this are no rotation: they are dropped at once."""

_CERTIFICATE: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,16384}-----END CERTIFICATE-----"
)


def certificates_in(pem: str) -> tuple[str, ...]:
    """The certificates of a text, each once, in their order."""
    return tuple(dict.fromkeys(_CERTIFICATE.findall(pem)))


def bundle_of(certificates: tuple[str, ...]) -> str:
    """The text of a bundle."""
    return "".join(f"{one}\n" for one in certificates)


class Authorities:
    """What is wanted, and since when something else has been seen beside it in each place."""

    def __init__(self, clock: Clock, *, drop_after_ms: int = DROP_AFTER_MS) -> None:
        self.wanted: tuple[str, ...] = ()
        self._clock = clock
        self._drop_after_ms = drop_after_ms
        self._seen_ms: dict[str, dict[str, int]] = {}
        self._drops_ms: dict[str, int] = {}
        self._looked_at: set[str] = set()

    def want(self, pem: str) -> None:
        """From now on these are wanted. Raises ValueError for a text without a certificate."""
        wanted = certificates_in(pem)
        if not wanted:
            raise ValueError("a bundle of authorities has no certificate")
        self.wanted = wanted

    def bundle_for(self, place: str, found: str) -> str | None:
        """What should be in a place that holds `found`; None when it is as it should be."""
        there = certificates_in(found)
        extra = [one for one in there if one not in self.wanted]
        now, before = int(self._clock.boot()), self._seen_ms.pop(place, {})
        seen = {one: before.get(one, now) for one in extra}
        if seen:
            self._seen_ms[place] = seen
        fresh = [one for one in extra if now < seen[one] + self._drop_after_ms]
        if len(extra) > EXTRA_MAX:
            fresh = []
        self._looked_at.add(place)
        self._drops_ms.pop(place, None)
        if fresh:
            self._drops_ms[place] = min(seen[one] for one in fresh) + self._drop_after_ms
        bundle = (*self.wanted, *fresh)
        if set(bundle) == set(there) and not _CERTIFICATE.sub("", found).strip():
            return None
        return bundle_of(bundle)

    def begin_look(self) -> None:
        """All places are looked at from now on."""
        self._looked_at.clear()

    def end_look(self) -> None:
        """The places that were not looked at are gone."""
        for place in self._seen_ms.keys() - self._looked_at:
            self.forget(place)

    def forget(self, place: str) -> None:
        """The place is gone."""
        self._seen_ms.pop(place, None)
        self._drops_ms.pop(place, None)

    def wait_s(self) -> float | None:
        """How long until something is to be dropped; None when nothing is.

        What is overdue already was told by `bundle_for`, and is waited for no more.
        """
        if not self._drops_ms:
            return None
        return max(min(self._drops_ms.values()) - int(self._clock.boot()), 0) / 1_000
