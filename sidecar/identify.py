"""Who calls and what for: from headers, then W3C baggage, then the body.

The one rule: nothing that a caller says here widens what it may spend; it only chooses among the
sub-pools of its own pod's pools, and narrows which models may serve. Values are bounded, and what
cannot be read is refused rather than ignored. This module must not know pools or prices.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import unquote

from farebox.core.budgets import KEY_CHARS_MAX, NO_KEY, Keys
from farebox.core.call import Identity, Priority
from farebox.core.money import AmountError, Nanos, parse_dollars
from farebox.core.tasks import RoutingPolicy
from sidecar.inbound.request import Head

MAX_COST_HEADER: Final = "x-farebox-max-cost"
BAGGAGE_HEADER: Final = "baggage"
BAGGAGE_PREFIX: Final = "farebox."
BAGGAGE_CHARS_MAX: Final = 8_192
"""The W3C recommendation lets implementations drop longer baggage."""


_NO_BAGGAGE: Final[dict[str, str]] = {}
_NOBODY: Final = Identity()


class BadIdentityError(ValueError):
    """A header or field about the caller cannot be used; the text is one sentence."""


class Said(NamedTuple):
    """What a caller has said of itself, and what was read to find it."""

    routing: RoutingPolicy
    body_user: str
    identity: Identity
    cap: Nanos | None


def read_head(head: Head, routing: RoutingPolicy, *, body_user: str) -> Said:
    """Who calls and the most it will pay; read once for equal heads. Raises BadIdentityError."""
    said = head.noted
    if isinstance(said, Said) and said.routing is routing and said.body_user == body_user:
        return said
    fields = head.fields
    identity = identify(fields, routing, body_user=body_user)
    said = head.noted = Said(routing, body_user, identity, max_cost(fields))
    return said


def identify(headers: Mapping[str, str], routing: RoutingPolicy, *, body_user: str) -> Identity:
    """Read who calls; names in `headers` are in lower case. Raises BadIdentityError."""
    get = headers.get
    carried = get(BAGGAGE_HEADER)
    baggage = _baggage(carried) if carried else _NO_BAGGAGE
    session = get(routing.session_header.lower()) or baggage.get("session")
    user = get(routing.user_header.lower()) or baggage.get("user") or body_user
    workflow = get(routing.workflow_header.lower()) or baggage.get("workflow")
    task = get(routing.task_header.lower()) or baggage.get("task")
    priority = get(routing.priority_header.lower()) or baggage.get("priority")
    min_tier = get(routing.tier_header.lower()) or baggage.get("min-tier")
    residency = get(routing.residency_header.lower()) or baggage.get("residency")
    if not (session or user or workflow or task or priority or min_tier or residency):
        return _NOBODY
    return Identity(
        keys=Keys(
            session=_checked(session, routing.session_header) or NO_KEY,
            user=_checked(user, routing.user_header) or NO_KEY,
            workflow=_checked(workflow, routing.workflow_header) or NO_KEY,
        ),
        task=_checked(task, routing.task_header),
        priority=_priority(_checked(priority, routing.priority_header), routing.priority_header),
        min_tier=_checked(min_tier, routing.tier_header),
        residency=_labels(_checked(residency, routing.residency_header), routing.residency_header),
    )


def max_cost(headers: Mapping[str, str]) -> Nanos | None:
    """The most that the caller will pay for this call. Raises BadIdentityError."""
    text = headers.get(MAX_COST_HEADER)
    if text is None:
        return None
    try:
        return parse_dollars(text.strip())
    except AmountError as error:
        raise BadIdentityError(f"{MAX_COST_HEADER}: {error}") from error


def _baggage(text: str) -> dict[str, str]:
    """The members of a baggage header that are meant for Farebox, by their short names."""
    if BAGGAGE_PREFIX not in text or len(text) > BAGGAGE_CHARS_MAX:
        return _NO_BAGGAGE
    members = {}
    for member in text.split(","):
        name, found, value = member.partition(";")[0].partition("=")
        if found and name.strip().startswith(BAGGAGE_PREFIX):
            members[name.strip().removeprefix(BAGGAGE_PREFIX)] = unquote(value.strip())
    return members


def _checked(said: str | None, where: str) -> str:
    value = said.strip() if said else ""
    if len(value) > KEY_CHARS_MAX:
        raise BadIdentityError(f"{where} is longer than {KEY_CHARS_MAX} characters; shorten it.")
    if not value.isprintable():
        raise BadIdentityError(f"{where} has characters that cannot be printed; leave them out.")
    return value


def _labels(value: str, where: str) -> tuple[str, ...]:
    if not value:
        return ()
    labels = tuple(label.strip().lower() for label in value.split(","))
    if not all(labels):
        raise BadIdentityError(f"{where} is {value!r}; write labels like eu, or eu,no-training.")
    return labels


def _priority(value: str, where: str) -> Priority:
    if not value:
        return Priority.NORMAL
    try:
        return Priority(value.lower())
    except ValueError:
        known = " or ".join(f'"{priority.value}"' for priority in Priority)
        raise BadIdentityError(f"{where} is {value!r}; write {known}.") from None
