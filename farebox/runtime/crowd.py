"""Connections by the address that they come from, so many at a time.

The one rule: when there are too many, the newcomer takes the place of the one that has been silent
longest among those of the address that has the most. So whoever holds all of them can't keep out
somebody who needs one, and nobody is turned away while there is room. This module must not know
what a connection is.
"""

from typing import Generic, TypeVar

Guest = TypeVar("Guest")


class Crowd(Generic[Guest]):
    """Guests (any hashable things) by address, those of an address in the order they were heard."""

    def __init__(self, *, guests_max: int) -> None:
        self._guests_max = guests_max
        self._of_address: dict[str, dict[Guest, None]] = {}
        self._addresses: dict[Guest, str] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def join(self, guest: Guest, address: str) -> Guest | None:
        """Take one in; returns who has lost its place, None when there was room."""
        out = self._spared(address) if len(self) >= self._guests_max else None
        if out is not None:
            self.leave(out)
        self._addresses[guest] = address
        self._of_address.setdefault(address, {})[guest] = None
        return out

    def heard(self, guest: Guest) -> None:
        """It has said something. One that has left stays away."""
        address = self._addresses.get(guest)
        if address is not None:
            of_address = self._of_address[address]
            del of_address[guest]
            of_address[guest] = None

    def leave(self, guest: Guest) -> None:
        """It is gone; again is no mistake."""
        address = self._addresses.pop(guest, None)
        if address is None:
            return
        of_address = self._of_address[address]
        del of_address[guest]
        if not of_address:
            del self._of_address[address]

    def _spared(self, newcomer: str) -> Guest:
        """Whom the others miss least."""

        def size(address: str) -> int:
            return len(self._of_address[address]) + (address == newcomer)

        return next(iter(self._of_address[max(self._of_address, key=size)]))
