"""A simulated provider on a loopback port: connections, paths, and the control endpoints.

The one rule: one process, one port, one ledger. `/_sim/...` is for tests and demos only and is
neither counted nor billed. It knows nothing of prices and answers.

Usage in a test:

    async with SimulatedProvider(config, ledger_path) as provider:
        client = AsyncOpenAI(base_url=provider.base_url, api_key="sk-demo")
"""

import asyncio
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from farebox.simulated.chat import Chat
from farebox.simulated.clock import Clock, utc_ms
from farebox.simulated.config import Config
from farebox.simulated.faults import FaultBook, FaultSettings
from farebox.simulated.http1 import HttpRefused, HttpRequest, RequestReader, Responder
from farebox.simulated.ledger import Ledger, read_entries
from farebox.simulated.request import Refused

HOST = "127.0.0.1"
connections_max = 4_096
_CONTROL = "/_sim/"


class SimulatedProvider:
    def __init__(
        self, config: Config, ledger_path: Path, *, port: int = 0, clock: Clock = utc_ms
    ) -> None:
        """Port 0 takes any free port. The ledger is opened when the provider starts."""
        self.port = port
        self.ledger_path = ledger_path
        self._config = config
        self._clock = clock
        self._faults = FaultBook(config.faults, config.seed)
        self._outcomes: Counter[str] = Counter()
        self._received = 0
        self._connections: set[asyncio.Task[Any]] = set()

    @property
    def base_url(self) -> str:
        """What an OpenAI client calls its base URL."""
        return f"http://{HOST}:{self.port}/v1"

    async def __aenter__(self) -> Self:
        """Open the ledger and listen.

        Raises:
            LedgerError: when the ledger is in use or damaged.
            OSError: when the port is taken or the file cannot be opened.
        """
        self._started_ms = self._clock()
        self._ledger = Ledger(self.ledger_path)
        self._chat = Chat(self._config, self._ledger, self._faults, self._clock)
        try:
            self._server = await asyncio.start_server(self._serve, HOST, self.port, backlog=1024)
        except OSError:
            self._ledger.close()
            raise
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop: calls under way are broken off, and what they generated is billed."""
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()
        self._ledger.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its first byte to its close."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            if len(self._connections) <= connections_max:
                await self._serve_requests(reader, writer)
        except ConnectionError:
            # The client is gone. What it owes is on the ledger; there is nobody left to tell.
            pass
        except asyncio.CancelledError:
            # The provider stops; the task ends here, and the stop waits for it.
            pass
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve_requests(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        requests = RequestReader(reader, writer)
        keep_alive = True
        while keep_alive:
            try:
                request = await requests.next_request()
            except HttpRefused as refusal:
                responder = self._responder(reader, writer, keep_alive=False)
                self._received += 1
                responder.send(refusal.status, Refused(refusal.status, str(refusal)).body())
                await writer.drain()
                return
            if request is None:
                return
            if request.path.startswith(_CONTROL):
                responder = Responder(reader, writer, keep_alive=request.keep_alive)
                self._control(request, responder)
            else:
                responder = self._responder(reader, writer, keep_alive=request.keep_alive)
                self._received += 1
                await self._answer(request, responder)
            await writer.drain()
            keep_alive = responder.keep_alive

    def _responder(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, keep_alive: bool
    ) -> Responder:
        return Responder(
            reader,
            writer,
            keep_alive=keep_alive,
            request_id=f"req-{self._started_ms:x}-{self._received:x}",
            on_outcome=self._count_outcome,
        )

    def _count_outcome(self, outcome: str) -> None:
        self._outcomes[outcome] += 1

    async def _answer(self, request: HttpRequest, responder: Responder) -> None:
        path = request.path.rstrip("/")
        if path.endswith("/chat/completions"):
            if request.method == "POST":
                await self._chat.handle(request, responder)
                return
            refusal = Refused(405, f"Not allowed to {request.method} on {path}.")
        elif path.endswith("/models") and request.method == "GET":
            responder.send(200, self._models())
            return
        else:
            refusal = Refused(404, f"Invalid URL ({request.method} {path}).", code="unknown_url")
        responder.send(refusal.status, refusal.body())

    def _models(self) -> bytes:
        models = [
            {
                "id": model.name,
                "object": "model",
                "created": self._started_ms // 1000,
                "owned_by": "simulated",
            }
            for model in self._config.models
        ]
        return msgspec.json.encode({"object": "list", "data": models})

    def _control(self, request: HttpRequest, responder: Responder) -> None:
        match request.method, request.path.removeprefix(_CONTROL).rstrip("/"):
            case "GET", "ledger":
                responder.send(200, self._ledger_report(entries="entries" in request.query))
            case "GET", "calls":
                report = {"received": self._received, "byStatus": dict(self._outcomes)}
                responder.send(200, msgspec.json.encode(report))
            case (("GET" | "POST"), "faults"):
                self._control_faults(request, responder)
            case _:
                responder.send(404, Refused(404, "There is no such control endpoint.").body())

    def _ledger_report(self, *, entries: bool) -> bytes:
        """The ledger's sums; with `entries` all its records too, read from the file."""
        report = msgspec.to_builtins(self._ledger.totals)
        report["open"] = self._chat.open_calls
        if entries:
            report["entries"] = read_entries(self.ledger_path)
        return msgspec.json.encode(report)

    def _control_faults(self, request: HttpRequest, responder: Responder) -> None:
        """`POST` puts new settings in the place of all the old ones; `GET` shows them."""
        if request.method == "POST":
            try:
                settings = msgspec.json.decode(request.body, type=FaultSettings)
            except msgspec.DecodeError as error:
                problems = [f"The fault settings are not usable: {error}."]
            else:
                problems = settings.problems()
            if problems:
                responder.send(400, Refused(400, " ".join(problems)).body())
                return
            self._faults.settings = settings
        responder.send(200, msgspec.json.encode(self._faults.settings))
