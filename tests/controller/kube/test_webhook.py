"""The webhook over TLS: reviews are answered, and whatever else comes is bounded."""

import asyncio
import contextlib
import gzip
import io
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from controller.injection.review import Namespace
from controller.kube import webhook as module
from controller.kube.client import KubeError
from controller.kube.webhook import BODY_BYTES_MAX, Webhook, WebhookMetrics
from farebox.runtime import accepting
from farebox.runtime.endpoints import Endpoint
from tests.support.admission import (
    LABELLED,
    SETTINGS,
    Object,
    annotated,
    patch_in,
    pod_of,
    review_of,
)
from tests.support.certificates import make_certificate


async def labelled(_: str) -> Namespace:
    return LABELLED


class Caller:
    """The API server's part."""

    def __init__(
        self, session: aiohttp.ClientSession, webhook: Webhook, port: int, made: Counter[str]
    ) -> None:
        self.session = session
        self.webhook = webhook
        self.port = port
        self.made = made
        self.url = f"https://localhost:{port}/inject?timeout=5s"

    async def ask(self, review: Object) -> Object:
        async with self.session.post(self.url, json=review) as answer:
            assert answer.status == 200, await answer.text()
            found: Object = await answer.json()
            return found

    async def refused(self, body: bytes) -> tuple[int, str]:
        async with self.session.post(self.url, data=io.BytesIO(body)) as answer:
            return answer.status, await answer.text()


@contextlib.asynccontextmanager
async def serving(
    folder: Path, namespace_of: module.NamespaceOf = labelled
) -> AsyncIterator[Caller]:
    server_side, client_side = make_certificate(folder)
    webhook = Webhook(SETTINGS, namespace_of)
    port = await webhook.start(Endpoint("127.0.0.1", 0), server_side)
    connector = aiohttp.TCPConnector(ssl=client_side, limit=0)
    tracing, made = aiohttp.TraceConfig(), Counter[str]()

    async def connected(*_: object) -> None:
        made["connections"] += 1

    tracing.on_connection_create_end.append(connected)
    try:
        async with aiohttp.ClientSession(connector=connector, trace_configs=[tracing]) as session:
            yield Caller(session, webhook, port, made)
    finally:
        await webhook.stop()


async def test_a_pod_is_injected(tmp_path: Path) -> None:
    async with serving(tmp_path) as caller:
        answer = await caller.ask(review_of(pod_of()))

        assert answer["response"]["allowed"] is True
        assert answer["response"]["uid"] == "705ab4f5-6393-11e8-b7cc-42010a800002"
        assert "/spec/initContainers" in [step["path"] for step in patch_in(answer)]
        assert answer["response"]["patchType"] == "JSONPatch"


async def test_a_pod_with_a_mistake_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with serving(tmp_path) as caller:
        answer = await caller.ask(review_of(annotated(pod_of(), cpu="lots")))

        status = answer["response"]["status"]
        assert answer["response"]["allowed"] is False
        assert status["code"] == 422
        assert status["message"].startswith('farebox: annotation farebox.dev/cpu is "lots"')


async def test_the_namespaces_annotations_count(tmp_path: Path) -> None:
    async def asking(name: str) -> Namespace:
        annotations = {"farebox.dev/base-urls": "openai"} if name == "shop" else {}
        return Namespace(labels=LABELLED.labels, annotations=annotations)

    async with serving(tmp_path, asking) as caller:
        answer = await caller.ask(review_of(pod_of()))
        assert "/spec/containers/0/env" in [step["path"] for step in patch_in(answer)]


async def test_namespaces_that_are_never_touched_are_not_even_looked_up(tmp_path: Path) -> None:
    async def failing(_: str) -> Namespace:
        raise AssertionError

    async with serving(tmp_path, failing) as caller:
        answer = await caller.ask(review_of(pod_of(), namespace="kube-system"))
        assert answer["response"] == {"uid": answer["response"]["uid"], "allowed": True}


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (KubeError("no answer"), 503, "the namespace can't be looked up: no answer"),
        (KeyError("oops"), 500, "the injector has failed; its log says why"),
    ],
)
async def test_what_can_not_be_judged_is_no_answer(
    tmp_path: Path, error: Exception, status: int, said: str
) -> None:
    async def failing(_: str) -> Namespace:
        raise error

    async with serving(tmp_path, failing) as caller:
        body = json.dumps(review_of(pod_of())).encode()
        assert await caller.refused(body) == (status, f"{said}\n")
        assert caller.webhook.failures == 1


async def test_what_is_no_review_is_told_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as caller:
        status, said = await caller.refused(b"{}")
        assert (status, said[:24]) == (400, "this is no AdmissionRevi")
        # A pod that no API server would send, but anybody on the network may.
        odd = review_of({"metadata": {"labels": []}, "spec": {"containers": [1]}})
        assert (await caller.refused(json.dumps(odd).encode()))[0] == 500
        assert await caller.ask(review_of(pod_of()))


async def test_a_body_has_an_end(tmp_path: Path) -> None:
    async with serving(tmp_path) as caller:
        assert (await caller.refused(b" " * (BODY_BYTES_MAX + 1)))[0] == 413
        assert (await caller.refused(b" " * (BODY_BYTES_MAX - 1)))[0] == 400


async def test_a_large_pod_is_judged_too(tmp_path: Path) -> None:
    async with serving(tmp_path) as caller:
        large = pod_of({"name": "app", "env": [{"name": "A", "value": "x" * 500_000}]})
        answer = await caller.ask(review_of(large))
        assert "/spec/initContainers" in [step["path"] for step in patch_in(answer)]


async def test_a_body_that_never_comes_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_S_MAX", 0.05)
    _, client_side = make_certificate(tmp_path)
    async with serving(tmp_path) as caller:
        reader, writer = await asyncio.open_connection("localhost", caller.port, ssl=client_side)
        head = f"POST {module.PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\n"
        writer.write(head.encode())
        assert b" 503 " in await reader.readline()
        writer.close()


@pytest.mark.parametrize("speaks", [True, False], ids=["handshakes made", "not a word said"])
async def test_whoever_holds_all_connections_does_not_keep_the_api_server_out(
    speaks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CONNECTIONS_MAX", 4)
    monkeypatch.setattr(accepting, "HANDSHAKE_S_MAX", 60)
    _, client_side = make_certificate(tmp_path)
    strangers: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    async with serving(tmp_path) as caller:
        assert await caller.ask(review_of(pod_of()))  # this connection stays open
        for _ in range(10):
            secure: dict[str, Any] = {"ssl": client_side} if speaks else {}
            stranger = await asyncio.open_connection(
                "localhost", caller.port, local_addr=("127.0.0.2", 0), **secure
            )
            strangers.append(stranger)
        assert await caller.ask(review_of(pod_of()))
        ended = [_ended(reader) for reader, _ in strangers[:7]]
        async with asyncio.timeout(5):
            assert all(await asyncio.gather(*ended))
        assert not any(reader.at_eof() for reader, _ in strangers[7:])
        assert caller.made["connections"] == 1, "it was never cut off"
        for _, writer in strangers:
            writer.close()


async def _ended(reader: asyncio.StreamReader) -> bool:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        return await reader.read() == b""
    return True


async def test_a_question_that_is_never_finished_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EXCHANGE_S_MAX", 0.05)
    _, client_side = make_certificate(tmp_path)
    async with serving(tmp_path) as caller, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("localhost", caller.port, ssl=client_side)
        writer.write(b"POST /inject HTTP/1.1\r\n")
        assert await _ended(reader)
        writer.close()


async def test_a_new_certificate_serves_new_connections(tmp_path: Path) -> None:
    server_side, client_side = make_certificate(tmp_path)
    webhook = Webhook(SETTINGS, labelled)
    port = await webhook.start(Endpoint("127.0.0.1", 0), server_side)
    server_side.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    connector = aiohttp.TCPConnector(ssl=client_side)
    async with aiohttp.ClientSession(connector=connector) as session:
        assert await Caller(session, webhook, port, Counter()).ask(review_of(pod_of()))
    await webhook.stop()


async def test_answers_are_counted_and_dry_runs_are_not(tmp_path: Path) -> None:
    async with serving(tmp_path) as caller:
        registry = CollectorRegistry()
        registry.register(WebhookMetrics(caller.webhook))
        for review in (
            review_of(pod_of()),
            review_of(pod_of(), dryRun=True),
            review_of(annotated(pod_of(), inject="false")),
            review_of(pod_of(hostNetwork=True)),
        ):
            await caller.ask(review)
        await caller.refused(b"")

        text = generate_latest(registry).decode()

    name = "farebox_controller_injections_total"
    for outcome, count in (
        ("injected", 1),
        ("kept", 0),
        ("skipped", 1),
        ("refused", 1),
        ("failed", 1),
    ):
        assert f'{name}{{outcome="{outcome}"}} {count}.0' in text


@pytest.mark.parametrize("length", [1_000, 1_000_000])
async def test_those_that_never_send_their_bodies_keep_nobody_waiting(
    length: int, tmp_path: Path
) -> None:
    """Whoever can reach the port can do that."""
    _, client_side = make_certificate(tmp_path)
    head = f"POST {module.PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"
    writers = []
    async with serving(tmp_path) as caller:
        for _ in range(2 * module.REVIEWS_MAX):
            _, writer = await asyncio.open_connection("localhost", caller.port, ssl=client_side)
            writer.write(head.encode())
            writers.append(writer)
        async with asyncio.timeout(module.ANSWER_S_MAX / 2):
            assert (await caller.ask(review_of(pod_of())))["response"]["allowed"] is True
        for writer in writers:
            writer.close()


async def test_a_body_that_may_grow_takes_its_turn(tmp_path: Path) -> None:
    async with serving(tmp_path) as caller:
        packed = gzip.compress(b" " * BODY_BYTES_MAX + b"x")
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        async with caller.session.post(caller.url, data=packed, headers=headers) as answer:
            assert answer.status == 413
