"""The load generator counts what it got, and tells the first answer that was not whole."""

import asyncio
import json
from dataclasses import asdict, replace

import pytest

from bench import load, traffic, upstream
from bench.load import Order
from bench.traffic import Kind

ORDER = Order(
    url="http://127.0.0.1:1/v1/chat/completions",
    kind=Kind.PLAIN,
    concurrency=4,
    warm_seconds=0,
    seconds=0.2,
)


@pytest.mark.parametrize("kind", Kind)
async def test_every_answered_call_is_counted(kind: Kind) -> None:
    server = await upstream.listen(pace_ms=0)
    url = f"http://127.0.0.1:{upstream.port_of(server)}{traffic.CHAT_PATH}"
    window = await load.run_window(replace(ORDER, url=url, kind=kind))
    server.close()
    assert window.failure == ""
    assert window.calls >= ORDER.concurrency
    assert 0 < window.p50_us <= window.p99_us


async def test_a_refused_call_ends_the_window_and_is_quoted() -> None:
    server = await upstream.listen()
    url = f"http://127.0.0.1:{upstream.port_of(server)}/v1/embeddings"
    window = await load.run_window(replace(ORDER, url=url))
    server.close()
    assert window.failure.startswith("status 404")
    assert window.calls == 0


async def test_a_connection_that_closes_in_a_call_is_a_failure() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{upstream.port_of(server)}{traffic.CHAT_PATH}"
    window = await load.run_window(replace(ORDER, url=url))
    server.close()
    assert "closed in the middle of a call" in window.failure


async def test_nobody_listening_is_a_failure() -> None:
    server = await upstream.listen()
    port = upstream.port_of(server)
    server.close()
    url = f"http://127.0.0.1:{port}{traffic.CHAT_PATH}"
    window = await load.run_window(replace(ORDER, url=url))
    assert window.failure.startswith("can't connect")


WHOLE_STREAM = b"".join(traffic.stream_events())
ANSWERS = {
    "a whole plain answer": (Kind.PLAIN, 200, traffic.plain_answer(), ""),
    "a plain answer without usage": (Kind.PLAIN, 200, b"{}", "without usage"),
    "a refusal": (Kind.PLAIN, 402, b"pool exhausted", "status 402: pool exhausted"),
    "a whole stream": (Kind.STREAM, 200, WHOLE_STREAM, ""),
    "a stream cut short": (Kind.STREAM, 200, WHOLE_STREAM[:-20], "without [DONE]"),
    "a stream that lost chunks": (Kind.STREAM, 200, traffic.STREAM_END, "had 0 chunks"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_checked(name: str) -> None:
    kind, status, body, want_fault = ANSWERS[name]
    fault = load.answer_fault(kind, status, body)
    assert want_fault in fault
    assert bool(fault) is bool(want_fault)


def test_orders_survive_the_pipe() -> None:
    assert load.read_order(json.dumps(asdict(ORDER))) == ORDER


@pytest.mark.parametrize("excess", [{"concurrency": 10_000}, {"seconds": 3600}, {"seconds": 0}])
def test_orders_beyond_the_bounds_are_refused(excess: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must"):
        load.read_order(json.dumps(asdict(ORDER) | excess))
