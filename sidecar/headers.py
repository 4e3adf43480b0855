"""Headers of answers: which of a provider's are passed on, and those that Farebox adds.

Both are made as the lines that are written, since every call makes a dozen of them. The one rule: a
provider cannot speak in Farebox's name, and what concerned one connection ends with it. This module
must not know bodies.
"""

import functools
from typing import Final

from farebox.core.classify import Classification
from farebox.core.money import Nanos, format_dollars
from farebox.core.reasons import Reason
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
UNGATED: Final = b"x-farebox-gate: none\r\n"
"""What is told of an answer that no gate has looked at."""

_NAMES_KEPT_MAX: Final = 1_024
_ROUTES_KEPT_MAX: Final = 512


@functools.lru_cache(maxsize=_NAMES_KEPT_MAX)
def _is_passed(name: bytes) -> bool:
    return name not in _NOT_PASSED and not name.startswith(OWN_PREFIX)


def passed_on(headers: Headers) -> bytes:
    """The provider's headers that the caller gets, as lines."""
    lines = [name + b": " + value + b"\r\n" for name, value in headers if _is_passed(name)]
    return b"".join(lines)


def by_name(headers: Headers) -> dict[bytes, bytes]:
    """The values by name; of a repeated header the first."""
    return dict(reversed(headers))


def told(call_id: str, held: MoneyHeld, found: Classification) -> bytes:
    """What Farebox tells with every answer of a model, as lines."""
    route = held.route
    tier, model, _, _ = route.candidate
    constant = _about(
        model.name,
        tier.name if tier is not None else "",
        route.reason,
        found.reason,
        found.rule,
        is_gated=bool(found.gates),
    )
    own = f"x-farebox-call: {call_id}\r\nx-farebox-estimated-usd: {format_dollars(route.hold)}\r\n"
    # A call that draws on no pool has no headroom to tell.
    if held.headroom is not None:
        own += f"x-farebox-headroom-usd: {format_dollars(held.headroom)}\r\n"
    lines = constant + own.encode("ascii")
    return lines + _let_pass(held) if held.shadow or held.unverified else lines


def _let_pass(held: MoneyHeld) -> bytes:
    """Which pools did not have the money."""
    fields = (("x-farebox-shadow", held.shadow), ("x-farebox-unverified", held.unverified))
    lines = "".join(f"{name}: {', '.join(pools)}\r\n" for name, pools in fields if pools)
    return lines.encode("latin-1", "replace")


@functools.lru_cache(maxsize=_ROUTES_KEPT_MAX)
def _about(
    model: str, tier: str, route: Reason, found: Reason, rule: str, *, is_gated: bool
) -> bytes:
    """The lines that many calls share; what gates said is told apart, where there are any."""
    why = f"{route}; {found}={rule}"
    lines = f"x-farebox-model: {model}\r\nx-farebox-tier: {tier}\r\nx-farebox-route: {why}\r\n"
    return lines.encode("latin-1", "replace") + (b"" if is_gated else UNGATED)


def told_gate(verdict: str, escalations: int) -> bytes:
    """What the gates said of the answer, and how many higher tiers were asked, as lines."""
    lines = f"x-farebox-gate: {verdict}\r\nx-farebox-escalations: {escalations}\r\n"
    return lines.encode("latin-1", "replace")


def told_cost(cost: Nanos) -> bytes:
    """What a whole answer has cost, as a line."""
    return b"x-farebox-cost-usd: %b\r\n" % format_dollars(cost).encode("ascii")
