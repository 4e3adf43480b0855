"""The admission webhook: the API server asks here before it makes a pod.

The one rule: an answer comes within the time that the API server waits, or a sentence says why not;
bodies, time and connections are bounded, because whoever can reach the port may ask. This module
must not know what is injected.
"""

import asyncio
import logging
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.injection.pods import name_of
from controller.injection.review import (
    Answer,
    BadReviewError,
    Namespace,
    Outcome,
    Request,
    judge,
    read_review,
    response,
)
from controller.injection.settings import Settings
from controller.kube.client import KubeError
from farebox.runtime.accepting import Accepting, Bounds
from farebox.runtime.endpoints import Endpoint

_LOG = logging.getLogger(__name__)

PATH: Final = "/inject"
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""The API server takes no object of more than 3 MiB."""

ASIDE_BYTES_MIN: Final = 128 * 1024
"""A body from this size on is judged in a thread, so that streams of money don't wait for it."""

ANSWER_S_MAX: Final = 4.0
"""Less than the 5 s that the API server waits, so that it is told why."""

EXCHANGE_S_MAX: Final = 15.0
"""From the first byte of a question to its answer; who asks in earnest needs far less."""

IDLE_S_MAX: Final = 180.0
"""Longer than the API server keeps an idle connection (90 s): it must be the one that closes, since
it does not ask again when a connection ends under its question."""

HEAD_BYTES_MAX: Final = 8_192
REVIEWS_MAX: Final = 32
"""Large bodies in memory at a time; the next ones wait for their turn within their time. Small ones
wait for nobody: else whoever begins so many and sends nothing more would keep all pods waiting."""

CONNECTIONS_MAX: Final = 512
"""More than the pods that an API server makes at a time. A TLS connection takes 1/4 MiB."""

LINGER_S_MAX: Final = 1.0
"""How long the rest of a body that nobody wants is read, so that its sender hears why."""

STOP_S_MAX: Final = 5.0

NamespaceOf = Callable[[str], Awaitable[Namespace]]
"""What is known of a namespace; raises KubeError."""


class Webhook:
    """Serves /inject. `outcomes` counts the answers, dry runs left out."""

    def __init__(self, settings: Settings, namespace_of: NamespaceOf) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.failures = 0
        self._settings = settings
        self._namespace_of = namespace_of
        self._turns = asyncio.Semaphore(REVIEWS_MAX)
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post(PATH, self._answer)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=IDLE_S_MAX,
            lingering_time=LINGER_S_MAX,
            max_line_size=HEAD_BYTES_MAX,
            max_field_size=HEAD_BYTES_MAX,
            shutdown_timeout=STOP_S_MAX,
        )
        bounds = Bounds(
            connections_max=CONNECTIONS_MAX, rest_s_max=IDLE_S_MAX, exchange_s_max=EXCHANGE_S_MAX
        )
        self._accepting = Accepting(self._connection, bounds)

    async def start(self, endpoint: Endpoint, context: ssl.SSLContext) -> int:
        """Listen with TLS; returns the port. Raises OSError when the address is taken.

        Whoever renews the certificate does so within `context`: new connections see it at once.
        """
        await self._runner.setup()
        return await self._accepting.start(endpoint, context)

    async def stop(self) -> None:
        """Stop listening, and let what is asked be answered."""
        await self._accepting.stop()
        await self._runner.cleanup()

    def _connection(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None
        return server()

    async def _answer(self, http: web.Request) -> web.Response:
        answer = await self._told(http)
        self._accepting.answered(http.protocol)
        return answer

    async def _told(self, http: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                if _is_small(http):
                    return await self._judged(http)
                async with self._turns:
                    return await self._judged(http)
        except TimeoutError:
            return self._failed(503, "the injector is too busy; ask again")
        except KubeError as error:
            return self._failed(503, f"the namespace can't be looked up: {error}")
        except BadReviewError as error:
            return self._failed(400, str(error))
        except web.HTTPException:
            raise
        except Exception:  # noqa: BLE001  whatever it is: this pod is refused, others are judged
            _LOG.exception("a pod could not be judged")
            return self._failed(500, "the injector has failed; its log says why")

    async def _judged(self, http: web.Request) -> web.Response:
        body = await http.read()
        aside = len(body) >= ASIDE_BYTES_MIN
        request = await asyncio.to_thread(read_review, body) if aside else read_review(body)
        needed = request.is_new_pod and request.namespace not in self._settings.untouched
        namespace = await self._namespace_of(request.namespace) if needed else Namespace()
        asked = (request, namespace, self._settings)
        answer = await asyncio.to_thread(judge, *asked) if aside else judge(*asked)
        if not request.dry_run:
            self.outcomes[answer.outcome] += 1
            _log(request, answer)
        return web.json_response(response(request, answer))

    def _failed(self, status: int, why: str) -> web.Response:
        """The API server shows the body of an answer that is no review in its own refusal."""
        self.failures += 1
        return web.Response(status=status, text=f"{why}\n")


def _is_small(http: web.Request) -> bool:
    """Whether a body says that it is, and can't grow."""
    length, packed = http.content_length, "Content-Encoding" in http.headers
    return length is not None and length < ASIDE_BYTES_MIN and not packed


class WebhookMetrics(Collector):
    """Counts of a webhook's answers for Prometheus."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook

    def collect(self) -> Iterable[Metric]:
        reviews = CounterMetricFamily(
            "farebox_controller_injections",
            "Pods that the API server has asked about, by what was answered.",
            labels=["outcome"],
        )
        for outcome in Outcome:
            reviews.add_metric([outcome.value], self._webhook.outcomes[outcome])
        reviews.add_metric(["failed"], self._webhook.failures)
        yield reviews


def _log(request: Request, answer: Answer) -> None:
    pod: dict[str, Any] = request.object or {}
    facts = {"namespace": request.namespace, "pod": name_of(pod), "outcome": answer.outcome.value}
    level = logging.WARNING if answer.outcome is Outcome.REFUSED else logging.INFO
    _LOG.log(level, "pod judged: %s", answer.why or answer.outcome.value, extra=facts)
