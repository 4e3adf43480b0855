"""The admin server: /healthz, /readyz, /metrics, and JSON views of what the process knows.

The one rule: it only reads; nothing can be changed through it, and it listens on loopback. This
module must not know what the views show.
"""

import json
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from farebox.runtime.endpoints import Endpoint

JsonView = Callable[[Mapping[str, str]], object]
"""Makes a JSON value from the query's parameters; ValueError with a sentence answers 400."""

QUERY_BYTES_MAX: Final = 4_096
SHUTDOWN_GRACE_S: Final = 2.0


class AdminServer:
    """Serves the probes and the given views (by path, such as "/v1/pools").

    `not_ready` says in a sentence what is missing, "" when the process can serve.
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry,
        not_ready: Callable[[], str],
        views: Mapping[str, JsonView],
    ) -> None:
        self._registry = registry
        self._not_ready = not_ready
        self._runner = web.AppRunner(
            self._app(views),
            access_log=None,
            handle_signals=False,
            max_line_size=QUERY_BYTES_MAX,
            shutdown_timeout=SHUTDOWN_GRACE_S,
        )

    async def start(self, endpoint: Endpoint) -> int:
        """Listen; returns the port. Raises OSError when the address is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, endpoint.host, endpoint.port)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """Stop listening and close what is open."""
        await self._runner.cleanup()

    def _app(self, views: Mapping[str, JsonView]) -> web.Application:
        app = web.Application(client_max_size=QUERY_BYTES_MAX)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/readyz", self._readiness)
        app.router.add_get("/metrics", self._metrics)
        for path, view in views.items():
            app.router.add_get(path, _handler_of(view))
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readiness(self, _: web.Request) -> web.Response:
        missing = self._not_ready()
        if missing:
            return web.Response(status=503, text=f"not ready: {missing}\n")
        return web.Response(text="ready\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


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
