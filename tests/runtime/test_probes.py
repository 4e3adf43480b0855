"""The admin server over a real socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from farebox.runtime import probes as module
from farebox.runtime.endpoints import Endpoint
from farebox.runtime.probes import AdminServer, ProbeServer


class _Process:
    """What the admin server is asked to show."""

    def __init__(self) -> None:
        self.missing = "no policy has come yet"
        self.registry = CollectorRegistry()
        self.calls = Counter("calls", "Calls.", registry=self.registry)

    def echo(self, query: Mapping[str, str]) -> object:
        if not query.get("last", "1").isdigit():
            raise ValueError("last must be a whole number")
        return {"last": int(query.get("last", "1"))}


@pytest.fixture
def process() -> _Process:
    return _Process()


@pytest.fixture
async def admin(process: _Process) -> AsyncIterator[aiohttp.ClientSession]:
    server = AdminServer(
        registry=process.registry,
        not_ready=lambda: process.missing,
        views={"/v1/echo": process.echo},
    )
    port = await server.start(Endpoint("127.0.0.1", 0))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session
    await server.stop()


async def test_a_process_is_healthy_before_it_is_ready(
    admin: aiohttp.ClientSession, process: _Process
) -> None:
    async with admin.get("/healthz") as answer:
        assert answer.status == 200
    async with admin.get("/readyz") as answer:
        assert answer.status == 503
        assert await answer.text() == "not ready: no policy has come yet\n"

    process.missing = ""
    async with admin.get("/readyz") as answer:
        assert answer.status == 200


async def test_metrics_are_those_of_the_registry_given(
    admin: aiohttp.ClientSession, process: _Process
) -> None:
    process.calls.inc(3)

    async with admin.get("/metrics") as answer:
        text = await answer.text()
    assert "calls_total 3.0" in text
    assert "python_info" not in text


@pytest.mark.parametrize(
    ("query", "want_status", "want"),
    [
        ("", 200, {"last": 1}),
        ("?last=7", 200, {"last": 7}),
        ("?last=x", 400, {"error": "last must be a whole number"}),
    ],
)
async def test_a_view_gets_the_query_and_says_what_is_wrong_with_it(
    admin: aiohttp.ClientSession, query: str, want_status: int, want: object
) -> None:
    async with admin.get(f"/v1/echo{query}") as answer:
        assert (answer.status, await answer.json()) == (want_status, want)


async def test_nothing_can_be_changed_through_it(admin: aiohttp.ClientSession) -> None:
    async with admin.post("/v1/echo") as answer:
        assert answer.status == 405


async def test_the_probe_server_tells_what_is_missing_and_nothing_else(process: _Process) -> None:
    server = ProbeServer(
        registry=process.registry,
        checks={"/startz": lambda: "", "/readyz": lambda: process.missing},
    )
    port = await server.start(Endpoint("127.0.0.1", 0))
    found = {}
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for path in ("/livez", "/startz", "/readyz", "/metrics", "/v1/echo", "/healthz"):
            async with session.get(path) as answer:
                found[path] = answer.status
    await server.stop()
    assert found == {
        "/livez": 200,
        "/startz": 200,
        "/readyz": 503,
        "/metrics": 200,
        "/v1/echo": 404,
        "/healthz": 404,
    }


@pytest.mark.parametrize(("part", "made"), [(1_000_000, 1), (0, 3)])
async def test_whoever_asks_for_metrics_all_the_time_does_not_keep_the_process_busy(
    part: int, made: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counting(Collector):
        made = 0

        def collect(self) -> Iterator[Metric]:
            self.made += 1
            yield GaugeMetricFamily("made", "How often.", value=self.made)

    monkeypatch.setattr(module, "METRICS_PART", part)
    counting, registry = Counting(), CollectorRegistry()
    registry.register(counting)
    server, before = ProbeServer(registry=registry, checks={}), counting.made
    port = await server.start(Endpoint("127.0.0.1", 0))
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        for _ in range(3):
            async with session.get("/metrics") as answer:
                assert "made" in await answer.text()
    await server.stop()
    assert counting.made == before + made


async def test_whoever_holds_all_connections_does_not_keep_the_kubelet_out(
    process: _Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBE_CONNECTIONS_MAX", 4)
    server = ProbeServer(registry=process.registry, checks={})
    port = await server.start(Endpoint("127.0.0.1", 0))
    kubelet = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
    async with aiohttp.ClientSession(connector=kubelet) as session, asyncio.timeout(60):
        async with session.get(f"http://127.0.0.1:{port}/livez") as answer:
            assert answer.status == 200
        for reader, _ in strangers[:7]:
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
    for _, writer in strangers:
        writer.close()
    await server.stop()


@pytest.mark.parametrize("path", ["/livez", "/nothing"])
async def test_a_connection_is_for_one_question(process: _Process, path: str) -> None:
    server = ProbeServer(registry=process.registry, checks={})
    port = await server.start(Endpoint("127.0.0.1", 0))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
    async with asyncio.timeout(60):
        assert b"Connection: close" in await reader.read()
    writer.close()
    await server.stop()
