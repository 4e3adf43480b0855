"""Versions side by side, as in an upgrade that goes through the fleet: one end of the stream is of
the version before, the other is a process as it is now.
"""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message

from bench import manifests
from bench.cap_fleet import resources
from bench.cap_judge import nanos
from farebox.cli import fleet
from farebox.cli.admin import admin_url, get_json, until_ready
from farebox.cli.processes import Children
from farebox.core.instant import DurationMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.simulated.config import parse_config
from farebox.simulated.server import SimulatedProvider
from farebox.wire.codec import decode_request, encode_response
from farebox.wire.messages import (
    FromController,
    Goodbye,
    Grant,
    Hello,
    PolicyPush,
    Report,
    ReportAck,
    Welcome,
)
from farebox.wire.v1 import lease_pb2
from tests.support.etcd_fleet import for_ever
from tests.support.older_wire import BEFORE, BUF, SERVICE, OlderWire
from tests.support.planes import policy_at

PATIENCE_S = 20
TTL = DurationMs(15_000)
LENT, SPENT = 1_000, 400


@pytest.fixture(scope="module")
def older() -> OlderWire:
    return OlderWire()


def test_the_wire_says_nothing_in_another_way_than_before() -> None:
    words = (str(BUF), "breaking", "proto", "--against", str(BEFORE))
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout


async def test_an_older_sidecar_is_lent_money_and_gives_back_the_rest(
    tmp_path: Path, older: OlderWire
) -> None:
    written = manifests.write_folder(tmp_path / "manifests", resources(for_ever(51, 100), 1))
    async with Children(tmp_path) as children:
        controller = await children.start(
            fleet.controller(tmp_path, manifests=written, variables={})
        )
        async with _stream(older, controller.facts["grpc"]) as call:
            await call.write(older.request(hello=_hello()))
            assert (await _next(call, "welcome")).accepted
            pools = {pool.name: pool for pool in (await _next(call, "policy")).pools}
            want = {"pool_uid": pools["org"].uid, "want": LENT, "need": LENT, "least": LENT}
            await call.write(older.request(report={"seq": 1, "boot_ms": 2_000, "wants": [want]}))
            grant = await _next(call, "grant")
            assert grant.granted == LENT
            spent = {"lease": grant.lease, "granted": LENT, "spent": SPENT}
            await call.write(older.request(report={"seq": 2, "boot_ms": 3_000, "leases": [spent]}))
            assert (await _next(call, "report_ack")).seq == 2
            returned = {**spent, "returned": LENT - SPENT}
            await call.write(older.request(goodbye={"leases": [returned]}))
            async with asyncio.timeout(PATIENCE_S):
                assert not isinstance(await call.read(), older.response)
        pools = (await get_json(admin_url(controller, "/v1/pools")))["pools"]
        (org,) = [one for one in pools if one["pool"].endswith("/org")]
        assert nanos(org["settled_usd"]) == SPENT
        assert nanos(org["headroom_usd"]) == nanos(org["limit_usd"]) - SPENT


async def test_a_sidecar_serves_calls_with_an_older_controller(
    tmp_path: Path, older: OlderWire
) -> None:
    config = parse_config(
        {"models": [{"name": "gpt-4o-mini", "inputPerMillion": "1", "outputPerMillion": "1"}]}
    )
    async with (
        SimulatedProvider(config, tmp_path / "provider.ledger") as provider,
        _older_controller(older, provider.base_url) as port,
        Children(tmp_path) as children,
    ):
        pod = fleet.Pod(name="sidecar-0", namespace="acme")
        sidecar = await children.start(fleet.sidecar(tmp_path, pod=pod, controller_port=port))
        await until_ready(sidecar)
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "one"}]}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{fleet.base_url(sidecar)}/chat/completions", json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()


def _hello() -> dict[str, Any]:
    workload = {"namespace": "default", "name": "pod", "labels": manifests.LABELS}
    return {"holder_uid": "older", "boot_seq": 1, "workload": workload, "journal": 2, "boot_ms": 1}


@asynccontextmanager
async def _stream(older: OlderWire, port: int) -> AsyncIterator[Any]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        sync: Any = channel.stream_stream(
            f"/{SERVICE}/Sync",
            request_serializer=older.request.SerializeToString,
            response_deserializer=older.response.FromString,
        )
        call = sync()
        yield call
        call.cancel()


async def _next(call: Any, kind: str) -> Any:
    """The next message of a kind; others are passed over."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            message = await call.read()
            assert isinstance(message, Message), f"the stream ended before a {kind} came"
            if message.WhichOneof("message") == kind:
                return getattr(message, kind)


@asynccontextmanager
async def _older_controller(older: OlderWire, base_url: str) -> AsyncIterator[int]:
    """Lends whatever is wanted, in the words of the version before."""

    async def sync(requests: AsyncIterator[Any], context: Any) -> None:
        async for request in requests:
            present = lease_pb2.SyncRequest.FromString(request.SerializeToString())
            for message in _answers(decode_request(present), base_url):
                await context.write(older.as_response(encode_response(message)))

    handler = grpc.stream_stream_rpc_method_handler(
        sync,
        request_deserializer=older.request.FromString,
        response_serializer=older.response.SerializeToString,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"Sync": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)


def _answers(message: Hello | Report | Goodbye, base_url: str) -> list[FromController]:
    match message:
        case Hello():
            welcome = Welcome(
                epoch=1, accepted=True, heartbeat=DurationMs(500), ttl=TTL, drift_ppm=200
            )
            return [welcome, PolicyPush(epoch=1, policy=policy_at(base_url))]
        case Report():
            grants = [
                Grant(
                    epoch=1,
                    lease=LeaseId(want.charge, 0),
                    granted=Nanos(want.want),
                    ttl=TTL,
                    echo_boot_ms=message.boot_ms,
                )
                for want in message.wants
            ]
            ack = ReportAck(epoch=1, seq=message.seq, echo_boot_ms=message.boot_ms, ttl=TTL)
            return [*grants, ack]
        case Goodbye():
            return []
