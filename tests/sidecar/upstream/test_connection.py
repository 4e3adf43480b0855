"""One connection against a raw socket that behaves well, badly, or not at all."""

import asyncio
import select
import socket

import pytest

from sidecar.upstream.connection import (
    HEAD_BYTES_MAX,
    UNREAD_BYTES_MAX,
    BrokenError,
    ConnectFailedError,
    Connection,
    SilentError,
)
from sidecar.upstream.origin import Origin
from tests.support.peers import Serve, answering, body_of, eventually, head_of, peer, read_request
from tests.support.tasks import beside

REQUEST = b"POST /v1 HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nhel\r\n2\r\nlo\r\n0\r\ntrailer: yes\r\n\r\n"
)
PATIENCE_MS = 60_000


async def connect(origin: Origin) -> Connection:
    """A connection to a peer."""
    loop = asyncio.get_running_loop()
    connection = Connection(origin, loop)
    await loop.create_connection(lambda: connection, origin.host, origin.port)
    return connection


async def whole(connection: Connection, ms_max: int = PATIENCE_MS) -> tuple[int, bytes]:
    """Read an answer to its end."""
    status, _ = await head_of(connection, ms_max=ms_max)
    return status, await rest(connection, ms_max)


async def rest(connection: Connection, ms_max: int = PATIENCE_MS) -> bytes:
    """Read a body to its end."""
    body = b""
    while data := await body_of(connection, ms_max=ms_max):
        body += data
    return body


@pytest.mark.parametrize(
    ("what", "answer", "reusable"),
    [
        ("a length", OK, True),
        ("chunks and trailers", CHUNKED, True),
        ("an interim answer first", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, True),
        ("hints first", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, True),
        ("a server that will close", OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1), False),
        ("bytes after the end", OK + b"HTTP/1.1 200 OK\r\n", False),
    ],
)
async def test_a_whole_answer(what: str, answer: bytes, reusable: bool) -> None:
    async with peer(answering(answer)) as other:
        connection = await connect(other.origin)
        connection.send(REQUEST)
        assert await whole(connection) == (200, b"hello")
        assert connection.reusable is reusable
        connection.close()


async def test_one_connection_carries_many_requests() -> None:
    async with peer(answering(OK, CHUNKED, OK)) as other:
        connection = await connect(other.origin)
        for _ in range(3):
            connection.send(REQUEST)
            assert await whole(connection) == (200, b"hello")
            assert connection.is_quiet()
        assert other.accepted == 1
        connection.close()


async def test_names_of_headers_are_lower_case_and_trailers_are_none_of_them() -> None:
    async with peer(answering(CHUNKED)) as other:
        connection = await connect(other.origin)
        connection.send(REQUEST)
        assert await head_of(connection, ms_max=PATIENCE_MS) == (
            200,
            ((b"transfer-encoding", b"chunked"),),
        )
        connection.close()


async def test_a_body_without_a_length_ends_with_the_connection() -> None:
    answer = b"HTTP/1.1 200 OK\r\n\r\nhello"
    async with peer(answering(answer, then_close=True)) as other:
        connection = await connect(other.origin)
        connection.send(REQUEST)
        assert await whole(connection) == (200, b"hello")
        assert not connection.reusable


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.transport.abort()


@pytest.mark.parametrize(
    ("what", "serve"),
    [
        ("closed", answering(b"", then_close=True)),
        ("reset", reset),
        ("closed within the head", answering(b"HTTP/1.1 200 OK\r\ncont", then_close=True)),
        ("not HTTP", answering(b"SSH-2.0-OpenSSH\r\n")),
        ("another protocol", answering(b"HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n")),
        ("a head without end", answering(b"HTTP/1.1 200 OK\r\na: " + b"x" * HEAD_BYTES_MAX)),
    ],
)
async def test_no_head_after_the_request_was_written_is_a_break(what: str, serve: Serve) -> None:
    async with peer(serve) as other:
        connection = await connect(other.origin)
        connection.send(REQUEST)
        with pytest.raises(BrokenError):
            await whole(connection)
        assert not connection.reusable
        connection.close()


@pytest.mark.parametrize("answer", [OK[:-1], CHUNKED[:-6], CHUNKED[: CHUNKED.index(b"2\r\n")]])
async def test_a_body_that_breaks_off_is_a_break_after_what_has_come(answer: bytes) -> None:
    async with peer(answering(answer, then_close=True)) as other:
        connection = await connect(other.origin)
        connection.send(REQUEST)
        await head_of(connection, ms_max=PATIENCE_MS)
        assert (await body_of(connection, ms_max=PATIENCE_MS)).startswith(b"hel")
        with pytest.raises(BrokenError):
            await rest(connection)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n", OK[:-2]])
async def test_silence_is_bounded(answer: bytes) -> None:
    async with peer(answering(answer)) as other:
        connection = await connect(other.origin)
        connection.send(REQUEST)
        with pytest.raises(SilentError):
            await whole(connection, ms_max=30)
        assert not connection.reusable
        connection.close()


async def test_a_connection_that_has_gone_before_the_request_is_not_written_to() -> None:
    async with peer(answering(OK, then_close=True)) as other:
        connection = await connect(other.origin)
        connection.send(REQUEST)
        await whole(connection)
        await connection.closed
        with pytest.raises(ConnectFailedError):
            connection.send(REQUEST)


async def test_what_comes_before_any_request_spoils_the_connection() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await reader.read()

    async with peer(greet) as other:
        connection = await connect(other.origin)
        await eventually(lambda: not connection.reusable)
        with pytest.raises(ConnectFailedError):
            connection.send(REQUEST)
        connection.close()


def test_the_kernel_knows_of_an_end_before_the_loop_does() -> None:
    """The other end closes while this loop is held up, so that the loop has seen nothing yet."""
    listening = socket.create_server(("127.0.0.1", 0))

    async def play() -> None:
        connection = await connect(Origin("127.0.0.1", listening.getsockname()[1], tls=False))
        accepted, _ = listening.accept()
        connection.send(REQUEST)
        accepted.sendall(OK)
        assert await whole(connection) == (200, b"hello")
        assert connection.is_quiet()
        accepted.shutdown(socket.SHUT_RDWR)
        accepted.close()
        poll = select.poll()
        poll.register(connection._transport.get_extra_info("socket").fileno(), select.POLLIN)  # type: ignore[union-attr]  # it is connected
        assert poll.poll(PATIENCE_MS)
        assert connection.reusable
        assert not connection.is_quiet()
        connection.close()

    with listening:
        asyncio.run(play())


async def test_a_slow_reader_holds_the_other_end_up() -> None:
    size, written = 64 * UNREAD_BYTES_MAX, 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while written < size:
            writer.write(bytes(UNREAD_BYTES_MAX))
            await writer.drain()
            written += UNREAD_BYTES_MAX

    async with peer(pour) as other:
        connection = await connect(other.origin)
        connection.send(REQUEST)
        await head_of(connection, ms_max=PATIENCE_MS)
        await eventually(lambda: connection._paused)
        assert connection._unread_bytes < size
        total = 0
        while data := await body_of(connection, ms_max=PATIENCE_MS):
            total += len(data)
        assert total == size
        connection.close()


async def test_a_reader_that_is_cancelled_can_be_followed_by_another() -> None:
    release = asyncio.Event()

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await release.wait()
        writer.write(OK)
        await reader.read()

    async with peer(late) as other:
        connection = await connect(other.origin)
        connection.send(REQUEST)
        first = beside(head_of(connection, ms_max=PATIENCE_MS))
        await asyncio.sleep(0)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        release.set()
        assert await whole(connection) == (200, b"hello")
        connection.close()


async def test_an_idle_connection_closes_itself() -> None:
    async with peer(answering(OK)) as other:
        connection = await connect(other.origin)
        connection.send(REQUEST)
        await whole(connection)
        connection.idle_for(20)
        await connection.closed
