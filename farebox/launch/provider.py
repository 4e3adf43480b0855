"""One plain call to a provider, and what came back.

The one rule: every way a call can end is one of three: answered, refused (not billed), or lost
(nobody knows whether it was billed). This module must not know money.
"""

import os
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp
import msgspec

from farebox.core.tiers import Model
from farebox.core.usage import Usage
from farebox.runtime.clock import Clock

CALL_S_MAX: Final = 300
ANSWER_BYTES_MAX: Final = 16 << 20
WHY_CHARS_MAX: Final = 200
WAIT_S_MAX: Final = 30
"""A longer wait that a provider asks for is cut."""

KEY_ENV: Final = "OPENAI_API_KEY"
"""The key for models whose tier names no variable of its own."""

_OK: Final = 200
_BUSY: Final = frozenset({429, 500, 502, 503, 504})


class RefusedError(Exception):
    """The provider did not answer, and bills nothing.

    `again`: it may do so later, after `wait_s` seconds when it says so (else 0).
    """

    def __init__(self, why: str, *, again: bool, wait_s: int = 0) -> None:
        super().__init__(why)
        self.again = again
        self.wait_s = wait_s


class LostError(Exception):
    """The call was sent and its outcome is not known: it may be billed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer. `usage` is None when the provider did not report it. Latency in milliseconds."""

    text: str
    finish: str
    usage: Usage | None
    latency_ms: int


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


class _Function(msgspec.Struct):
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class Provider:
    """Calls models where their tiers say. Use as an async context manager."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def __aenter__(self) -> Self:
        bound = aiohttp.ClientTimeout(total=CALL_S_MAX)
        self._session = aiohttp.ClientSession(timeout=bound)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def ask(self, model: Model, body: bytes) -> Reply:
        """Send one body. Raises RefusedError or LostError."""
        url = f"{model.base_url.rstrip('/')}/chat/completions"
        since = self._clock.boot()
        try:
            async with self._session.post(url, data=body, headers=headers_for(model)) as answer:
                content = await answer.content.read(ANSWER_BYTES_MAX + 1)
                while len(content) <= ANSWER_BYTES_MAX and not answer.content.at_eof():
                    content += await answer.content.read(ANSWER_BYTES_MAX)
        except aiohttp.ClientConnectorError as error:
            raise RefusedError(f"{url} can't be reached: {error}", again=False) from error
        except (TimeoutError, aiohttp.ClientError) as error:
            raise LostError(f"{type(error).__name__} while waiting for the answer") from error
        if answer.status != _OK:
            why = content[:WHY_CHARS_MAX].decode(errors="replace")
            wait_s = _seconds(answer.headers.get("retry-after", ""))
            raise RefusedError(
                f"status {answer.status}: {why}", again=answer.status in _BUSY, wait_s=wait_s
            )
        return read_reply(content, latency_ms=self._clock.boot() - since)


def _seconds(text: str) -> int:
    return min(int(text), WAIT_S_MAX) if text.isdecimal() else 0


def headers_for(model: Model) -> dict[str, str]:
    """The headers of a call. Raises RefusedError when the key's variable is not set."""
    variable = model.secret_env or KEY_ENV
    key = os.environ.get(variable, "").strip()
    if model.secret_env and not key:
        raise RefusedError(f"{variable} is not set: export the provider's key", again=False)
    headers = {"content-type": "application/json"}
    return {**headers, "authorization": f"Bearer {key}"} if key else headers


def read_reply(content: bytes, *, latency_ms: int) -> Reply:
    """Read a whole answer. Raises LostError for one that cannot be read: it was billed."""
    try:
        answer = msgspec.json.decode(content, type=_Answer)
        first = answer.choices[0]
    except (msgspec.DecodeError, UnicodeDecodeError, IndexError) as error:
        raise LostError(f"an answer that can't be read ({type(error).__name__})") from error
    return Reply(
        text=_text(first.message),
        finish=first.finish_reason or "",
        usage=_usage(answer.usage),
        latency_ms=latency_ms,
    )


def _text(message: _Message) -> str:
    """What a gate looks at: the text, or the arguments of the tools that are called instead."""
    if message.content or not message.tool_calls:
        return message.content or ""
    functions = [call.function for call in message.tool_calls if call.function is not None]
    return "\n".join(function.arguments or "" for function in functions)


def _usage(report: _Usage | None) -> Usage | None:
    if report is None:
        return None
    inputs, outputs = report.prompt_tokens_details, report.completion_tokens_details
    cached = (inputs.cached_tokens or 0) if inputs is not None else 0
    reasoning = (outputs.reasoning_tokens or 0) if outputs is not None else 0
    try:
        return Usage(
            input=report.prompt_tokens - cached,
            cached_input=cached,
            output=report.completion_tokens - reasoning,
            reasoning=reasoning,
            call=1,
        )
    except ValueError:
        return None
