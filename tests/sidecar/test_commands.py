"""Commands: every order can be carried out, and orders about money need no waiting."""

import inspect
from typing import get_args

import pytest

from sidecar.commands import Command, Drain, Expire, Finish, SendChunk, Settle, Void
from sidecar.driver import Run


def test_every_order_can_be_carried_out() -> None:
    assert set(Run._ORDERS) == set(get_args(Command))


@pytest.mark.parametrize("kind", [Settle, Void, Expire, Finish, Drain])
def test_what_must_happen_when_a_caller_has_gone_needs_no_waiting(kind: type[Command]) -> None:
    assert not inspect.iscoroutinefunction(Run._ORDERS[kind])


def test_an_order_does_not_change() -> None:
    order = SendChunk(b"data")
    with pytest.raises(AttributeError):
        order.data = b"other"  # type: ignore[misc]  # that it is refused is the point
