"""Headers of answers: which of a provider's are passed on, and those that Farebox adds.

The one rule: a provider cannot speak in Farebox's name, and what concerned one connection ends with
it. This module must not know bodies.
"""

from typing import Final

from farebox.core.classify import Classification
from farebox.core.money import Nanos, format_dollars
from sidecar.commands import TextHeaders
from sidecar.events import Headers, MoneyHeld

OWN_PREFIX: Final = b"x-farebox-"

_NOT_PASSED: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"content-length",
        b"alt-svc",
    }
)


def passed_on(headers: Headers) -> TextHeaders:
    """The provider's headers that the caller gets."""
    return tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name not in _NOT_PASSED and not name.startswith(OWN_PREFIX)
    )


def value_of(headers: Headers, name: bytes) -> bytes:
    """The first value of a header in lower case; b"" when it is absent."""
    for key, value in headers:
        if key == name:
            return value.lower()
    return b""


def told(call_id: str, held: MoneyHeld, found: Classification) -> TextHeaders:
    """What Farebox tells with every answer of a model."""
    route = held.route
    tier = route.candidate.tier
    headroom: TextHeaders = ()
    if held.headroom is not None:
        headroom = (("x-farebox-headroom-usd", format_dollars(held.headroom)),)
    return (
        ("x-farebox-call", call_id),
        ("x-farebox-model", route.candidate.model.name),
        ("x-farebox-tier", tier.name if tier is not None else ""),
        ("x-farebox-estimated-usd", format_dollars(route.hold)),
        # A call that draws on no pool has no headroom to tell.
        *headroom,
        ("x-farebox-route", f"{route.reason}; {found.reason}={found.rule}"),
    )


def told_cost(cost: Nanos) -> tuple[str, str]:
    """What a whole answer has cost."""
    return ("x-farebox-cost-usd", format_dollars(cost))
