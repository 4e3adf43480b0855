"""Carrying orders out: what goes to providers, whose key, and what happens when a part fails."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from farebox.core.call import Call
from farebox.core.leases import HoldEvent
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.routing import Plan
from sidecar.events import MoneyHeld, MoneyRefused
from tests.support.peers import Peer, eventually, peer, read_request
from tests.support.planes import Running, policy_at, running
from tests.support.playbook import DONE, ROLE, STOP, USAGE_CHUNK, answer, request_body, word
from tests.support.tasks import beside
from tests.support.tills import Till

PATIENCE_S = 60


def plain(body: bytes) -> bytes:
    """An HTTP answer."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def streamed(*events: bytes) -> bytes:
    """An HTTP answer that is a stream without end."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events)
    kind = b"content-type: text/event-stream\r\ntransfer-encoding: chunked"
    return b"HTTP/1.1 200 OK\r\n" + kind + b"\r\n\r\n" + chunks


class Script:
    """What a scripted provider has heard and is to say."""

    def __init__(self, *said: bytes) -> None:
        self.heard: list[bytes] = []
        self.said = list(said)
        self.closed = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer each request with the next thing to say; then wait for the other side."""
        while self.said:
            self.heard.append(await read_request(reader))
            writer.write(self.said.pop(0))
            await writer.drain()
        await reader.read()
        self.closed += 1


@asynccontextmanager
async def before(script: Script, folder: Path, **more: Any) -> AsyncIterator[tuple[Running, Peer]]:
    """A data plane before a scripted provider."""
    changes = {name: more.pop(name) for name in ("provider", "secret_env") if name in more}
    async with peer(script.serve) as other:
        url = f"http://127.0.0.1:{other.origin.port}/v1"
        async with running(folder, policy_at(url, **changes), **more) as run:
            yield run, other


async def post(
    run: Running, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One call of the caller with the key sk-caller."""
    told = {"authorization": "Bearer sk-caller", **(headers or {})}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session,
        session.post(
            f"{run.url}/chat/completions", data=body or request_body(), headers=told
        ) as reply,
    ):
        return reply.status, await reply.read()


@pytest.mark.parametrize(
    ("what", "model", "secrets", "authorization"),
    [
        ("the caller's own key", {}, {}, b"Bearer sk-caller"),
        (
            "the key of the model",
            {"secret_env": "VENDOR_KEY"},
            {"VENDOR_KEY": "sk-vendor"},
            b"Bearer sk-vendor",
        ),
        ("no key of one provider for another", {"provider": "vendor"}, {}, b""),
    ],
)
async def test_whose_key_a_provider_gets(
    tmp_path: Path,
    what: str,
    model: dict[str, str],
    secrets: dict[str, str],
    authorization: bytes,
) -> None:
    script = Script(plain(answer()))
    async with before(script, tmp_path, secrets=secrets, **model) as (run, _):
        assert (await post(run))[0] == 200
    lines = script.heard[0].split(b"\r\n")
    keys = [line for line in lines if line.lower().startswith(b"authorization")]
    assert keys == ([b"authorization: " + authorization] if authorization else [])


@pytest.mark.parametrize("secrets", [{}, {"VENDOR_KEY": "sk\r\nx-injected: 1"}])
async def test_a_model_whose_key_is_missing_is_not_asked_with_another(
    tmp_path: Path, secrets: dict[str, str]
) -> None:
    script = Script(plain(answer()))
    async with before(script, tmp_path, secret_env="VENDOR_KEY", secrets=secrets) as (run, other):
        status, body = await post(run)
        assert status == 502
        assert b"sk" not in body
        assert other.accepted == 0
        assert {one.reason for one in run.till.ended} == {Reason.NOTHING_SENT}


async def test_headers_of_the_caller_go_on_but_for_those_of_farebox(tmp_path: Path) -> None:
    script = Script(plain(answer()))
    async with before(script, tmp_path) as (run, _):
        await post(run, headers={"x-farebox-user": "ana", "openai-organization": "org-1"})
    head = script.heard[0].lower()
    assert b"openai-organization: org-1" in head
    assert b"x-farebox" not in head
    assert head.startswith(b"post /v1/chat/completions http/1.1\r\nhost: 127.0.0.1:")


async def test_a_connection_serves_many_calls(tmp_path: Path) -> None:
    script = Script(*[plain(answer())] * 3)
    async with before(script, tmp_path) as (run, other):
        for _ in range(3):
            assert (await post(run))[0] == 200
        assert other.accepted == 1


async def test_a_stream_is_passed_on_event_by_event(tmp_path: Path) -> None:
    """The second event is only written when the first has been seen by the caller."""
    seen = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(streamed(ROLE, word(" one")))
        await seen.wait()
        rest = streamed(word(" two"), STOP, USAGE_CHUNK, DONE)
        writer.write(rest.partition(b"\r\n\r\n")[2] + b"0\r\n\r\n")
        await reader.read()

    async with peer(serve) as other:
        url = f"http://127.0.0.1:{other.origin.port}/v1"
        async with (
            running(tmp_path, policy_at(url)) as run,
            aiohttp.ClientSession() as session,
            session.post(f"{run.url}/chat/completions", data=request_body(stream=True)) as reply,
        ):
            first = b""
            while b"one" not in first:
                first += await reply.content.readany()
            seen.set()
            assert first + await reply.read() == ROLE + word(" one") + word(" two") + STOP + DONE


async def test_a_stream_that_crosses_its_hold_closes_the_connection(tmp_path: Path) -> None:
    script = Script(streamed(word() * 60))
    async with before(script, tmp_path) as (run, _):
        status, body = await post(run, request_body(stream=True, max_tokens=16))
        assert status == 200
        assert body.count(b" word") == 16
        await eventually(lambda: script.closed == 1)
        assert run.till.ended[0].reason is Reason.CUT_AT_HOLD


async def test_a_caller_that_takes_nothing_any_more_is_given_up(tmp_path: Path) -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(streamed(ROLE))
        filler = b": " + b"x" * 65_000 + b"\n\n"
        for _ in range(300):
            writer.write(b"%x\r\n%b\r\n" % (len(filler), filler))
            await writer.drain()
        writer.write(streamed(STOP, USAGE_CHUNK, DONE).partition(b"\r\n\r\n")[2] + b"0\r\n\r\n")
        await reader.read()

    async with peer(pour) as other:
        url = f"http://127.0.0.1:{other.origin.port}/v1"
        async with running(tmp_path, policy_at(url), send_ms_max=200) as run:
            body = request_body(stream=True)
            head = b"POST /openai/v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: %d"
            with socket.create_connection(("127.0.0.1", run.port)) as caller:
                caller.sendall(head % len(body) + b"\r\n\r\n" + body)
                await eventually(lambda: len(run.till.ended) == 1)
            assert run.till.ended[0].reason is Reason.USAGE_REPORTED


class BrokenTill(Till):
    """A cashier whose disk fails: first when holding, or when settling."""

    def __init__(self, fails_at: str) -> None:
        super().__init__()
        self._fails_at = fails_at

    def hold_now(
        self, plan: Plan, call: Call, policy: Policy, *, tried: frozenset[str], cap: Nanos | None
    ) -> MoneyHeld | MoneyRefused | None:
        if self._fails_at == "hold":
            raise OSError("the disk is full")
        return super().hold_now(plan, call, policy, tried=tried, cap=cap)

    def settle(self, hold_id: Any, cost: Nanos, reason: Reason) -> None:
        super().settle(hold_id, cost, reason)
        if self._fails_at == "settle":
            raise OSError("the disk is full")


@pytest.mark.parametrize(("fails_at", "asked"), [("hold", 0), ("settle", 1)])
async def test_a_disk_that_fails_ends_one_call_and_not_the_next(
    tmp_path: Path, fails_at: str, asked: int
) -> None:
    script = Script(plain(answer()), plain(answer()))
    till = BrokenTill(fails_at)
    async with before(script, tmp_path, till=till) as (run, _):
        assert (await post(run))[0] == 500
        assert len(script.heard) == asked
        till._fails_at = ""
        assert (await post(run))[0] == 200


async def test_a_call_cancelled_while_it_waits_for_a_connection_costs_nothing(
    tmp_path: Path,
) -> None:
    # A port that accepts nobody: its backlog is full.
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        port = listening.getsockname()[1]
        plugs = [socket.socket() for _ in range(4)]
        for plug in plugs:
            plug.setblocking(False)
            plug.connect_ex(("127.0.0.1", port))
        url = f"http://127.0.0.1:{port}/v1"
        async with running(tmp_path, policy_at(url), connect_ms_max=600_000) as run:
            call = beside(post(run))
            await eventually(lambda: len(run.till.open) == 1)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            await eventually(lambda: len(run.till.ended) == 1)
            assert run.till.ended[0].event is HoldEvent.VOID
        for plug in plugs:
            plug.close()
