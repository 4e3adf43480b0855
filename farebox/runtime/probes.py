"""The admin server: /healthz, /readyz, /metrics, and JSON views of what the process knows.

Beside it a probe server for the kubelet and for Prometheus, on an address that others reach. The
one rule: they only read; nothing can be changed through them, the admin server listens on loopback,
the probe server shows no view, and a connection is for one question. This module must not know what
the views show.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from farebox.runtime.accepting import Accepting, Bounds
from farebox.runtime.endpoints import Endpoint

JsonView = Callable[[Mapping[str, str]], object]
"""Makes a JSON value from the query's parameters; ValueError with a sentence answers 400."""

Check = Callable[[], str]
"""Says in a sentence what is missing, "" when nothing is."""

QUERY_BYTES_MAX: Final = 4_096
SHUTDOWN_GRACE_S: Final = 2.0
PROBE_CONNECTIONS_MAX: Final = 64
PROBE_REST_S_MAX: Final = 5.0
PROBE_S_MAX: Final = 10.0
"""From the question to the end of the answer; a kubelet and Prometheus wait no longer."""

ADMIN_CONNECTIONS_MAX: Final = 64
ADMIN_S_MAX: Final = 60.0
"""The same; views of many pools come by `kubectl port-forward`, which is slow."""

METRICS_PART: Final = 10
"""Whoever reaches a probe server may ask for metrics all the time; at most one part in so many of
it goes into making them."""


class _Server:
    """Answers GET requests, by path, one for each connection."""

    def __init__(self, routes: Mapping[str, Handler], bounds: Bounds) -> None:
        app = web.Application(client_max_size=QUERY_BYTES_MAX, middlewares=[_last])
        for path, handler in routes.items():
            app.router.add_get(path, handler)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            max_line_size=QUERY_BYTES_MAX,
            shutdown_timeout=SHUTDOWN_GRACE_S,
        )
        self._accepting = Accepting(self._connection, bounds)

    async def start(self, endpoint: Endpoint) -> int:
        """Listen; returns the port. Raises OSError when the address is taken."""
        await self._runner.setup()
        return await self._accepting.start(endpoint)

    async def stop(self) -> None:
        """Stop listening and close what is open."""
        await self._accepting.stop()
        await self._runner.cleanup()

    def _connection(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None
        return server()


class AdminServer(_Server):
    """Serves the probes and the given views (by path, such as "/v1/pools").

    `not_ready` says in a sentence what is missing, "" when the process can serve.
    """

    def __init__(
        self, *, registry: CollectorRegistry, not_ready: Check, views: Mapping[str, JsonView]
    ) -> None:
        super().__init__(
            {
                "/healthz": _health,
                "/readyz": _handler_of_check(not_ready),
                "/metrics": _handler_of_metrics(registry),
                **{path: _handler_of(view) for path, view in views.items()},
            },
            Bounds(
                connections_max=ADMIN_CONNECTIONS_MAX,
                rest_s_max=ADMIN_S_MAX,
                exchange_s_max=ADMIN_S_MAX,
            ),
        )


class ProbeServer(_Server):
    """Serves /livez, /metrics and the given checks, such as "/readyz"."""

    def __init__(self, *, registry: CollectorRegistry, checks: Mapping[str, Check]) -> None:
        super().__init__(
            {
                "/livez": _health,
                "/metrics": _handler_of_metrics(registry, part=METRICS_PART),
                **{path: _handler_of_check(check) for path, check in checks.items()},
            },
            Bounds(
                connections_max=PROBE_CONNECTIONS_MAX,
                rest_s_max=PROBE_REST_S_MAX,
                exchange_s_max=PROBE_S_MAX,
            ),
        )


@web.middleware
async def _last(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every answer is the last one of its connection."""
    try:
        answer = await handler(request)
    except web.HTTPException as refusal:
        refusal.force_close()
        raise
    answer.force_close()
    return answer


async def _health(_: web.Request) -> web.StreamResponse:
    return web.Response(text="ok\n")


def _handler_of_check(check: Check) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        missing = check()
        if missing:
            return web.Response(status=503, text=f"not ready: {missing}\n")
        return web.Response(text="ready\n")

    return answer


def _handler_of_metrics(registry: CollectorRegistry, *, part: int = 0) -> Handler:
    """With `part`, what was made stands for so many times as long as it took to make."""
    body, until = b"", 0.0

    async def answer(_: web.Request) -> web.StreamResponse:
        nonlocal body, until
        loop = asyncio.get_running_loop()
        if (began := loop.time()) >= until:
            body = generate_latest(registry)
            until = loop.time() + part * (loop.time() - began)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return answer


def _handler_of(view: JsonView) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            value = view(request.query)
        except ValueError as error:
            return _json({"error": str(error)}, status=400)
        return _json(value, status=200)

    return answer


def _json(value: object, *, status: int) -> web.Response:
    body = json.dumps(value, ensure_ascii=False) + "\n"
    return web.Response(status=status, text=body, content_type="application/json")
