"""The bytes of HTTP/1.1, over real sockets: what is read, what is refused, how it breaks off."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from farebox.simulated import http1
from farebox.simulated.http1 import HttpRefused, RequestReader, Responder

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
POST = b"POST /v1/x?entries=1 HTTP/1.1\r\nHost: a\r\nX-Key: B\r\nContent-Length: 5\r\n\r\nhello"


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Streams, Streams]]:
    """Both ends of one connection: the client's and the server's."""
    accepted: asyncio.Future[Streams] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(
        lambda reader, writer: accepted.set_result((reader, writer)), "127.0.0.1", 0
    )
    client = await asyncio.open_connection(*server.sockets[0].getsockname())
    served = await accepted
    try:
        yield client, served
    finally:
        for _, writer in (client, served):
            writer.close()
            await writer.wait_closed()
        server.close()
        await server.wait_closed()


async def test_a_request_is_read_whole() -> None:
    async with connected() as ((_, to_server), served):
        to_server.write(POST)
        request = await RequestReader(*served).next_request()
    assert request is not None
    assert (request.method, request.path, request.query) == ("POST", "/v1/x", {"entries": ["1"]})
    assert (request.header(b"x-key"), request.header(b"absent")) == ("B", None)
    assert request.body == b"hello"
    assert request.keep_alive


async def test_requests_follow_one_another_on_a_connection() -> None:
    async with connected() as ((_, to_server), served):
        requests = RequestReader(*served)
        to_server.write(POST * 2 + POST[:30])
        assert await requests.next_request() is not None
        assert await requests.next_request() is not None
        to_server.write(POST[30:] + b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert await requests.next_request() is not None
        last = await requests.next_request()
        assert last is not None
        assert not last.keep_alive
        to_server.write_eof()
        assert await requests.next_request() is None


async def test_a_chunked_body_is_joined() -> None:
    async with connected() as ((_, to_server), served):
        to_server.write(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        to_server.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        request = await RequestReader(*served).next_request()
    assert request is not None
    assert request.body == b"abcde"


async def test_a_client_that_waits_for_leave_to_send_gets_it() -> None:
    async with connected() as ((from_server, to_server), served):
        head, _, body = POST.partition(b"\r\n\r\n")
        to_server.write(head + b"\r\nExpect: 100-continue\r\n\r\n")
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(RequestReader(*served).next_request())
            assert await from_server.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            to_server.write(body)
        request = waiting.result()
    assert request is not None
    assert request.body == b"hello"


@pytest.mark.parametrize(
    ("data", "want_status"),
    [
        pytest.param(b"this is not HTTP\r\n\r\n", 400, id="no HTTP"),
        pytest.param(b"GET / HTTP/1.1\r\nX: " + b"x" * 100 + b"\r\n\r\n", 431, id="long head"),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n" + b"x" * 99, 413, id="long body"
        ),
        pytest.param(POST * 5, 429, id="too many at once"),
    ],
)
async def test_what_is_beyond_a_bound_is_refused(
    data: bytes, want_status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http1, "head_bytes_max", 80)
    monkeypatch.setattr(http1, "body_bytes_max", 50)
    monkeypatch.setattr(http1, "pipelined_requests_max", 3)
    async with connected() as ((_, to_server), served):
        to_server.write(data)
        with pytest.raises(HttpRefused) as caught:
            await RequestReader(*served).next_request()
    assert caught.value.status == want_status


async def test_an_idle_connection_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http1, "idle_seconds_max", 0.01)
    async with connected() as (_, served):
        assert await RequestReader(*served).next_request() is None


def send_whole(responder: Responder) -> None:
    responder.send(429, b"{}", headers=[("retry-after", "1")])


def send_half(responder: Responder) -> None:
    responder.send(200, b"0123456789", first_bytes=5)
    responder.hang_up()


def send_stream(responder: Responder) -> None:
    responder.begin_stream()
    responder.chunks([b"data: 1\n\n", b"data: 2\n\n"])
    responder.end_stream(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("answer", "want_bytes", "want_outcomes"),
    [
        pytest.param(
            send_whole,
            b"HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/json\r\n"
            b"x-request-id: req-9\r\nretry-after: 1\r\nconnection: close\r\n"
            b"content-length: 2\r\n\r\n{}",
            ["429"],
            id="whole",
        ),
        pytest.param(
            send_half,
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req-9\r\n"
            b"connection: close\r\ncontent-length: 10\r\n\r\n01234",
            ["200"],
            id="half",
        ),
        pytest.param(
            send_stream,
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req-9\r\n"
            b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
            b"9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
            ["200"],
            id="stream",
        ),
        pytest.param(Responder.hang_up, b"", ["none"], id="nothing at all"),
    ],
)
async def test_the_bytes_of_an_answer(
    answer: Callable[[Responder], None], want_bytes: bytes, want_outcomes: list[str]
) -> None:
    outcomes: list[str] = []
    async with connected() as ((from_server, _), served):
        responder = Responder(
            *served, request_id="req-9", keep_alive=False, on_outcome=outcomes.append
        )
        answer(responder)
        served[1].close()
        assert await from_server.read() == want_bytes
    assert outcomes == want_outcomes


async def test_a_client_that_left_is_noticed() -> None:
    async with connected() as ((_, to_server), served):
        responder = Responder(*served, keep_alive=True)
        assert not responder.client_gone
        to_server.close()
        assert await served[0].read() == b""
        assert responder.client_gone
