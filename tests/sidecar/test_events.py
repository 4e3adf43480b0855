"""Events: facts that can't be changed, and none that an exchange would not know."""

from typing import get_args

import pytest

from sidecar.events import Event, Phase, TimedOut, UpstreamEnded
from sidecar.exchange import Exchange
from sidecar.gated import GatedExchange


@pytest.mark.parametrize("kind", get_args(Event))
def test_every_event_can_happen_in_some_state(kind: type[Event]) -> None:
    assert any(kind in handlers for handlers in {**Exchange.TABLE, **GatedExchange.TABLE}.values())


def test_a_fact_does_not_change() -> None:
    event = UpstreamEnded(complete=True)
    with pytest.raises(AttributeError):
        event.complete = False  # type: ignore[misc]  # that it is refused is the point


def test_facts_are_equal_by_what_they_say() -> None:
    assert TimedOut(Phase.HEAD) == TimedOut(Phase.HEAD) != TimedOut(Phase.BODY)
