"""Scripts of one exchange: a fact is told, the orders that follow are compared line by line.

play = Playbook(make_exchange())
play.begins("hold")
play.money("forward gpt-4o-mini")
play.tells(UpstreamHead(200, JSON))
play.tells(UpstreamData(answer()))
play.tells(WHOLE, "settle 1 27000 usage_reported", "finish 200", "send whole 200")
"""

import json
from collections.abc import Callable
from typing import Any

from farebox.core.call import Identity
from farebox.core.leases import HoldId
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.routing import Route, route
from sidecar.commands import (
    CloseUpstream,
    Command,
    Drain,
    Expire,
    Finish,
    Forward,
    HoldMoney,
    Judge,
    LimitTime,
    Outcome,
    Refuse,
    SendChunk,
    SendEnd,
    SendHead,
    SendWhole,
    Settle,
    Void,
)
from sidecar.dialects.openai_chat import call_of, parse
from sidecar.events import Event, Headers, MoneyHeld, UpstreamEnded, UpstreamHead
from sidecar.exchange import Exchange
from sidecar.opening import open_exchange
from tests.support.policies import make_policy
from tests.support.tills import PLENTY

JSON: Headers = ((b"content-type", b"application/json"),)
SSE: Headers = ((b"content-type", b"text/event-stream; charset=utf-8"),)
WHOLE = UpstreamEnded(complete=True)
BROKEN = UpstreamEnded(complete=False)
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}


def request_body(**fields: Any) -> bytes:
    """A chat completion request; fields of None are left out."""
    body = {
        "model": "farebox/auto",
        "messages": [{"role": "user", "content": "Is this mail a complaint or a question?"}],
        "max_tokens": 50,
        **fields,
    }
    return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


def fields_of(lines: bytes) -> dict[str, str]:
    """Header lines as they are written, by name."""
    fields = (line.partition(": ") for line in lines.decode("latin-1").split("\r\n") if line)
    return {name: value for name, _, value in fields}


def answer(text: str = "A complaint.", usage: dict[str, Any] | None = USAGE) -> bytes:
    """A whole answer of a provider."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    body = {"id": "chatcmpl-1", "model": "gpt-4o-mini-2024-07-18", "choices": [choice]}
    return json.dumps(body if usage is None else {**body, "usage": usage}).encode()


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> bytes:
    """One event of a stream; without a delta it has no choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    body = {"id": "chatcmpl-1", "created": 7, "model": "gpt-4o-mini-2024-07-18"}
    return b"data: " + json.dumps({**body, "choices": choices, **more}).encode() + b"\n\n"


ROLE = chunk({"role": "assistant", "content": ""})
STOP = chunk({}, "stop")
USAGE_CHUNK = chunk(None, usage=USAGE)
DONE = b"data: [DONE]\n\n"


def word(text: str = " word") -> bytes:
    """An event with one piece of text."""
    return chunk({"content": text})


def make_exchange(
    policy: Policy | None = None,
    *,
    identity: Identity | None = None,
    cap: Nanos | None = None,
    **fields: Any,
) -> Exchange:
    """An exchange of a short, easy call, with these fields in its body."""
    request = parse(request_body(**fields))
    call = call_of(request, path="/v1/chat/completions", identity=identity or Identity())
    return open_exchange(
        policy=policy or make_policy(), request=request, call=call, call_id="call-1", cap=cap
    )


class Playbook:
    """Plays one exchange and compares what it orders."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.sent = b""
        self.whole: SendWhole | None = None
        self.refused: Refuse | None = None
        self.outcome: Outcome | None = None
        self.forwarded: list[Forward] = []
        self.asked: HoldMoney | None = None
        self._holds = 0

    def begins(self, *orders: str) -> None:
        """Start the exchange."""
        self._compare(self.exchange.start(), orders)

    def tells(self, event: Event, *orders: str) -> None:
        """Tell a fact."""
        self._compare(self.exchange.handle(event), orders)

    def money(self, *orders: str, headroom: Nanos = PLENTY) -> None:
        """Hold the money that was asked for; holds are numbered from 1."""
        assert self.asked is not None, "money was asked for"
        chosen = route(
            self.asked.plan,
            self.asked.call,
            headroom=headroom if self.asked.cap is None else min(headroom, self.asked.cap),
            may_downgrade=True,
            tried=self.asked.tried,
        )
        assert isinstance(chosen, Route), "a model fits the money"
        self._holds += 1
        held = MoneyHeld(route=chosen, hold=HoldId(self._holds), headroom=headroom)
        self.tells(held, *orders)

    def streams(self, *orders: str) -> None:
        """Come as far as a stream that has begun."""
        self.begins("hold")
        self.money("forward gpt-4o-mini")
        self.tells_head(*orders)

    def tells_head(self, *orders: str) -> None:
        """Tell the head of a stream."""
        self.tells(UpstreamHead(200, SSE), *(orders or ("send head 200",)))

    def _compare(self, commands: tuple[Command, ...], orders: tuple[str, ...]) -> None:
        for command in commands:
            self._note(command)
        assert [sketch(command) for command in commands] == list(orders)

    def _note(self, command: Command) -> None:
        match command:
            case HoldMoney():
                self.asked = command
            case Forward():
                self.forwarded.append(command)
            case SendChunk():
                self.sent += command.data
            case SendWhole():
                self.whole = command
            case Refuse():
                self.refused = command
            case Finish():
                self.outcome = command.outcome
            case _:
                pass


def forwarded(exchange: Exchange) -> Playbook:
    """A play in which the call has been sent to the first model."""
    play = Playbook(exchange)
    play.begins("hold")
    play.money("forward gpt-4o-mini")
    return play


def streaming(**fields: Any) -> Playbook:
    """A play in which the head of a stream has come."""
    play = Playbook(make_exchange(stream=True, **fields))
    play.streams()
    return play


def sketch(command: Command) -> str:
    """An order in a few words."""
    return _SKETCHES[type(command)](command)


def _hold(command: HoldMoney) -> str:
    return f"hold but {', '.join(sorted(command.tried))}" if command.tried else "hold"


_SKETCHES: dict[type[Command], Callable[[Any], str]] = {
    HoldMoney: _hold,
    Forward: lambda order: f"forward {order.model.name}",
    Settle: lambda order: f"settle {order.hold} {order.cost} {order.reason}",
    Void: lambda order: f"void {order.hold} {order.reason}",
    Expire: lambda order: f"expire {order.hold} {order.reason}",
    Finish: lambda order: f"finish {order.outcome.status}",
    SendWhole: lambda order: f"send whole {order.status}",
    SendHead: lambda order: f"send head {order.status}",
    LimitTime: lambda order: f"limit time {order.within}",
    Judge: lambda order: f"judge {order.gate.name}",
    Refuse: lambda order: f"refuse {order.detail.reason}",
    SendChunk: lambda _: "send chunk",
    SendEnd: lambda _: "send end",
    CloseUpstream: lambda _: "close upstream",
    Drain: lambda _: "drain",
}
