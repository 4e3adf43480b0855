"""The pool: connections are kept, bounded, and never lost or owned twice."""

import asyncio
import ssl
from pathlib import Path

import pytest
from aiohttp import web

from sidecar.upstream.connection import ConnectFailedError, Connection
from sidecar.upstream.origin import Origin, target_of
from sidecar.upstream.pool import Bounds, Pool, system_trust
from sidecar.upstream.request import post
from tests.support.certificates import make_certificate
from tests.support.clocks import LoopClock
from tests.support.peers import answering, body_of, eventually, head_of, peer
from tests.support.tasks import beside

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
REQUEST = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"
MS = 60_000


async def exchange(connection: Connection) -> bytes:
    """One request and its answer."""
    connection.send(REQUEST)
    await head_of(connection, ms_max=MS)
    body = b""
    while data := await body_of(connection, ms_max=MS):
        body += data
    return body


async def test_a_connection_is_used_again() -> None:
    async with peer(answering(OK)) as other:
        pool = Pool(Bounds())
        for _ in range(3):
            connection = await pool.acquire(other.origin)
            assert await exchange(connection) == b"ok"
            pool.give_back(connection)
        assert other.accepted == 1
        assert pool.counts(other.origin) == (1, 1)
        pool.close()
        await eventually(lambda: pool.counts(other.origin) == (0, 0))


async def test_a_connection_that_the_other_side_closed_is_not_used_again() -> None:
    async with peer(answering(OK, then_close=True)) as other:
        pool = Pool(Bounds())
        for _ in range(3):
            connection = await pool.acquire(other.origin)
            assert await exchange(connection) == b"ok"
            pool.give_back(connection)
        assert other.accepted == 3
        pool.close()


async def test_an_answer_that_was_not_read_whole_closes_its_connection() -> None:
    async with peer(answering(OK)) as other:
        pool = Pool(Bounds())
        connection = await pool.acquire(other.origin)
        connection.send(REQUEST)
        await head_of(connection, ms_max=MS)
        pool.give_back(connection)
        await eventually(lambda: pool.counts(other.origin) == (0, 0))


async def test_idle_connections_are_bounded_in_number_and_time() -> None:
    async with peer(answering(OK)) as other:
        clock = LoopClock()
        pool = Pool(Bounds(idle_connections_max=1, idle_ms_max=60_000))
        two = [await pool.acquire(other.origin) for _ in range(2)]
        for connection in two:
            await exchange(connection)
            pool.give_back(connection)
        await eventually(lambda: pool.counts(other.origin) == (1, 1))
        clock.advance(60_000)
        await eventually(lambda: pool.counts(other.origin) == (0, 0))


async def test_who_comes_when_all_are_in_use_gets_the_next_that_is_free() -> None:
    async with peer(answering(OK)) as other:
        pool = Pool(Bounds(connections_max=1))
        first = await pool.acquire(other.origin)
        waiting = [beside(pool.acquire(other.origin)) for _ in range(2)]
        await exchange(first)
        pool.give_back(first)
        second = await waiting[0]
        assert second is first
        second.close()  # its place is free again: the last in line opens a connection of its own
        third = await waiting[1]
        assert third is not first
        assert await exchange(third) == b"ok"
        pool.give_back(third)
        assert other.accepted == 2
        pool.close()


async def test_one_in_line_that_gives_up_takes_nothing_with_it() -> None:
    async with peer(answering(OK)) as other:
        pool = Pool(Bounds(connections_max=1))
        first = await pool.acquire(other.origin)
        await exchange(first)
        waiting = [beside(pool.acquire(other.origin)) for _ in range(2)]
        await asyncio.sleep(0)
        pool.give_back(first)
        waiting[0].cancel()  # in the same moment in which it is given the connection
        assert await waiting[1] is first
        first.close()
        with pytest.raises(asyncio.CancelledError):
            await waiting[0]


async def test_room_that_comes_free_for_one_who_gives_up_goes_to_the_next() -> None:
    async with peer(answering(OK)) as other:
        pool = Pool(Bounds(connections_max=1))
        first = await pool.acquire(other.origin)
        waiting = [beside(pool.acquire(other.origin)) for _ in range(2)]
        await asyncio.sleep(0)
        first.close()
        await first.closed
        waiting[0].cancel()
        second = await waiting[1]
        assert await exchange(second) == b"ok"
        second.close()


async def test_waiting_in_line_is_bounded() -> None:
    async with peer(answering(OK)) as other:
        clock = LoopClock()
        pool = Pool(Bounds(connections_max=1, connect_ms_max=60_000))
        first = await pool.acquire(other.origin)
        waiting = beside(pool.acquire(other.origin))
        await asyncio.sleep(0)
        clock.advance(60_000)
        with pytest.raises(ConnectFailedError, match="within 60000 ms"):
            await waiting
        first.close()
        await eventually(lambda: pool.counts(other.origin) == (0, 0))


async def test_nobody_listening_is_a_failure_before_anything_was_sent() -> None:
    async with peer(answering(OK)) as other:
        origin = other.origin
    pool = Pool(Bounds())
    with pytest.raises(ConnectFailedError, match="can't be reached"):
        await pool.acquire(origin)
    await eventually(lambda: pool.counts(origin) == (0, 0))


async def test_a_name_that_leads_nowhere_is_a_failure() -> None:
    pool = Pool(Bounds())
    with pytest.raises(ConnectFailedError):
        await pool.acquire(Origin("no-such-host.invalid", 80, tls=False))


async def test_a_connection_that_died_in_use_can_be_given_back() -> None:
    async with peer(answering(OK)) as other:
        pool = Pool(Bounds())
        connection = await pool.acquire(other.origin)
        connection.close()
        await connection.closed
        await eventually(lambda: pool.counts(other.origin) == (0, 0))
        pool.give_back(connection)
        assert pool.counts(other.origin) == (0, 0)


async def serve_hello(request: web.Request) -> web.StreamResponse:
    """Answer in chunks."""
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"hello " + await request.read())
    await response.write(b" over " + request.scheme.encode())
    return response


@pytest.mark.parametrize("tls", [False, True])
async def test_a_real_server_with_and_without_tls(tls: bool, tmp_path: Path) -> None:
    server_side, client_side = make_certificate(tmp_path)
    app = web.Application()
    app.router.add_post("/v1/echo", serve_hello)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_side if tls else None)
    await site.start()
    port = runner.addresses[0][1]
    target = target_of(f"{'https' if tls else 'http'}://localhost:{port}/v1")
    pool = Pool(Bounds(), trust=lambda: client_side)
    for name in (b"ana", b"ben"):
        connection = await pool.acquire(target.origin)
        connection.send(post(target, "/echo", header_lines=b"", body=name))
        assert (await head_of(connection, ms_max=MS))[0] == 200
        body = b""
        while data := await body_of(connection, ms_max=MS):
            body += data
        assert body == b"hello " + name + (b" over https" if tls else b" over http")
        pool.give_back(connection)
    assert pool.counts(target.origin) == (1, 1)
    pool.close()
    await runner.cleanup()


async def test_a_server_that_nobody_vouches_for_is_not_spoken_to(tmp_path: Path) -> None:
    server_side, _ = make_certificate(tmp_path)
    async with peer(answering(OK), ssl_context=server_side) as other:
        pool = Pool(Bounds())
        with pytest.raises(ConnectFailedError, match="can't be reached"):
            await pool.acquire(Origin("localhost", other.origin.port, tls=True))
    assert other.accepted == 0


def test_servers_are_verified() -> None:
    trust = system_trust()
    assert trust.verify_mode is ssl.CERT_REQUIRED
    assert trust.check_hostname
