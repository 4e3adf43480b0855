"""A step in the making."""

from controller.events import Draft, Send
from farebox.core.instant import UtcMs
from farebox.wire.messages import LeaseClosed
from tests.support.scenes import FOREVER


def test_a_draft_becomes_a_step_in_the_order_it_was_written() -> None:
    draft = Draft(now=UtcMs(0))
    closed = LeaseClosed(lease=FOREVER)
    draft.send(2, closed)
    draft.send(1, closed)
    draft.ended.append(2)
    draft.warnings.append("look here")

    step = draft.finish()
    assert step.sends == (Send(2, closed), Send(1, closed))
    assert (step.writes, step.ended, step.warnings) == ((), (2,), ("look here",))


def test_to_a_holder_that_is_away_nothing_is_sent() -> None:
    draft = Draft(now=UtcMs(0))
    draft.send(None, LeaseClosed(lease=FOREVER))

    assert draft.finish().sends == ()
