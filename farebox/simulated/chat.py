"""One chat call from its body to its bill: plain or streamed, whole or with a fault.

The one rule: a call that generated anything is billed once and exactly for that. A plain answer
is on the ledger before its head goes out, whether or not the caller is still there. A stream is on
the ledger before its end goes out, or at the moment it breaks off, whoever broke it.
"""

import asyncio

from farebox.simulated.answers import AnswerBook, Choice
from farebox.simulated.call import Call
from farebox.simulated.clock import Clock
from farebox.simulated.config import Config, ModelConfig
from farebox.simulated.faults import (
    ERROR_STATUS,
    FAULT_HEADER,
    Fault,
    FaultBook,
    FaultError,
    FaultKind,
)
from farebox.simulated.frames import completion_body
from farebox.simulated.http1 import HttpRequest, Responder
from farebox.simulated.ledger import Ledger
from farebox.simulated.prefixes import PrefixCache
from farebox.simulated.prompt import Prompt, measure
from farebox.simulated.request import ChatRequest, Refused, parse_request
from farebox.simulated.stream import StreamedAnswer
from farebox.simulated.tokens import make_tokenizer

pauses_max = 16
key_tail_chars = 4

_ERROR_TYPE = {429: "rate_limit_error", 500: "server_error", 503: "server_error"}


class Chat:
    """Answers `POST .../chat/completions`."""

    def __init__(self, config: Config, ledger: Ledger, faults: FaultBook, clock: Clock) -> None:
        self.open_calls = 0
        """Calls under way."""
        self._models = {model.name: (model, model.rates()) for model in config.models}
        self._tokenizer = make_tokenizer(config.tokenizer)
        self._answers = AnswerBook(config.answer, config.seed, self._tokenizer)
        self._book = config.book()
        self._prefixes = PrefixCache(self._tokenizer)
        self._ledger = ledger
        self._faults = faults
        self._clock = clock

    async def handle(self, http: HttpRequest, responder: Responder) -> None:
        """Answer one call; the responder has sent, or broken off, an answer afterwards.

        Raises:
            ConnectionError: when the client went away; the call is billed all the same.
        """
        received_at_ms = self._clock()
        self.open_calls += 1
        try:
            try:
                fault = self._fault(http)
                if fault is not None and fault.kind is FaultKind.LATENCY:
                    await asyncio.sleep((fault.amount or 0) / 1000)
                call = self._accept(http, responder.request_id, received_at_ms, fault)
            except Refused as refusal:
                responder.send(refusal.status, refusal.body(), headers=refusal.headers)
            else:
                await (self._stream if call.request.stream else self._plain)(call, responder)
        finally:
            self.open_calls -= 1

    def _fault(self, http: HttpRequest) -> Fault | None:
        """The fault of this call, unless it is an error: that one is refused at once."""
        try:
            fault = self._faults.pick(http.header(FAULT_HEADER.encode()))
        except FaultError as error:
            raise Refused(400, str(error), param=FAULT_HEADER) from error
        status = None if fault is None else ERROR_STATUS.get(fault.kind)
        if fault is None or status is None:
            return fault
        headers = [("retry-after", str(fault.amount))] if status == 429 else []
        message = "The simulated provider was told to fail this call."
        raise Refused(status, message, kind=_ERROR_TYPE[status], headers=headers)

    def _accept(
        self, http: HttpRequest, request_id: str, received_at_ms: int, fault: Fault | None
    ) -> Call:
        """Check the call and write its answer; nothing is billed yet."""
        request = parse_request(http.body)
        found = self._models.get(request.model)
        if found is None:
            message = f"The model `{request.model}` does not exist or you do not have access to it."
            raise Refused(404, message, code="model_not_found")
        model, rates = found
        prompt = measure(request, self._tokenizer)
        if prompt.tokens >= model.context_window:
            message = (
                f"This model's maximum context length is {model.context_window} tokens. However, "
                f"your messages resulted in {prompt.tokens} tokens."
            )
            raise Refused(400, message, param="messages", code="context_length_exceeded")
        choices = self._choices(request, model, prompt, fault)
        return Call(
            request=request,
            request_id=request_id,
            key_tail=_key_tail(http),
            received_at_ms=received_at_ms,
            model=model,
            rates=rates,
            prompt=prompt,
            choices=choices,
            output_tokens=sum([choice.output_tokens for choice in choices]),
            cached_tokens=self._prefixes.cached_tokens(model.name, prompt),
            fault=fault,
        )

    def _choices(
        self, request: ChatRequest, model: ModelConfig, prompt: Prompt, fault: Fault | None
    ) -> tuple[Choice, ...]:
        overrun = fault is not None and fault.kind is FaultKind.LONG_ANSWER
        length = self._answers.length(
            asked=request.max_tokens_asked,
            context_room=model.context_window - prompt.tokens,
            overrun_percent=fault.amount if fault is not None and overrun else None,
        )
        foreseen = None if overrun else self._book.find(request)
        if foreseen is not None:
            known = self._answers.foreseen(
                foreseen, length=length, reasoning_tokens=model.reasoning_tokens
            )
            return (known,) * (request.n or 1)
        return tuple(
            self._answers.choice(
                request,
                digest=prompt.digest + index,
                length=length,
                reasoning_tokens=model.reasoning_tokens,
            )
            for index in range(request.n or 1)
        )

    async def _plain(self, call: Call, responder: Responder) -> None:
        seconds = call.model.latency_ms / 1000 + call.output_tokens * call.seconds_per_token
        if seconds:
            await asyncio.sleep(seconds)
        self._bill(call, call.output_tokens)
        if call.has(FaultKind.HANG_UP):
            responder.hang_up()
            return
        usage = None if call.has(FaultKind.MISSING_USAGE) else call.usage
        body = completion_body(call.completion, call.choices, usage)
        if call.has(FaultKind.CUT_STREAM):
            responder.send(200, body, first_bytes=len(body) // 2)
            responder.hang_up()
        elif call.has(FaultKind.SLOW_BODY):
            await self._dribble(call, responder, body)
        else:
            responder.send(200, body)

    async def _dribble(self, call: Call, responder: Responder, body: bytes) -> None:
        step = -(-len(body) // pauses_max)
        responder.send(200, body, first_bytes=step)
        for start in range(step, len(body), step):
            await asyncio.sleep(call.pause_seconds)
            await responder.flush()
            responder.more(body[start : start + step])

    async def _stream(self, call: Call, responder: Responder) -> None:
        answer = StreamedAnswer(call, self._tokenizer, responder)
        complete = False
        try:
            complete = await answer.generate()
        finally:
            # Also when the client vanished, and when the provider is told to stop.
            self._bill(call, answer.generated_tokens)
        if complete:
            answer.end()
        else:
            responder.hang_up()

    def _bill(self, call: Call, output_tokens: int) -> None:
        self._ledger.append(
            call.entry(
                seq=self._ledger.seq_last + 1,
                billed_at_ms=self._clock(),
                output_tokens=output_tokens,
            )
        )


def _key_tail(http: HttpRequest) -> str | None:
    kind, _, key = (http.header(b"authorization") or "").partition(" ")
    return key.strip()[-key_tail_chars:] if kind.lower() == "bearer" and key.strip() else None
