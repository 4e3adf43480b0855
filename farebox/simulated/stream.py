"""A streamed answer: one frame a token, at the model's pace, until it ends or breaks off.

The one rule: `generated_tokens` is right at every moment, since the caller of this file bills it
whatever happens. It decides nothing about money.
"""

import asyncio
import sys

from farebox.simulated.answers import Choice
from farebox.simulated.call import Call
from farebox.simulated.faults import FaultKind
from farebox.simulated.frames import DONE, StreamFrames
from farebox.simulated.http1 import Responder
from farebox.simulated.tokens import Tokenizer

tokens_at_once = 16
"""So many tokens are generated between two looks at the client, when the pace is unlimited."""
slow_frames_max = 16


class StreamedAnswer:
    def __init__(self, call: Call, tokenizer: Tokenizer, responder: Responder) -> None:
        self.generated_tokens = 0
        """Output tokens so far, the hidden ones included."""
        self._call = call
        self._tokenizer = tokenizer
        self._responder = responder
        self._frames = StreamFrames(call.completion, usage_wanted=call.request.usage_wanted)
        self._cut_at = self._tokens_until_cut()
        self._slow_frames_left = slow_frames_max if call.has(FaultKind.SLOW_BODY) else 0

    async def generate(self) -> bool:
        """Send everything up to the finish reasons; False when a fault broke the answer off.

        Raises:
            ConnectionError: when the client went away.
        """
        if self._call.has(FaultKind.HANG_UP):
            self.generated_tokens = self._call.output_tokens
            return False
        if self._call.model.latency_ms:
            await asyncio.sleep(self._call.model.latency_ms / 1000)
        self._responder.begin_stream()
        for index, choice in enumerate(self._call.choices):
            if not await self._generate_choice(index, choice):
                return False
        return not self._call.has(FaultKind.CUT_STREAM)

    def end(self) -> None:
        """Send the usage, when it was asked for, and the end of the stream."""
        wanted = self._call.request.usage_wanted and not self._call.has(FaultKind.MISSING_USAGE)
        usage = self._frames.usage(self._call.usage) if wanted else b""
        self._responder.end_stream(usage + DONE)

    async def _generate_choice(self, index: int, choice: Choice) -> bool:
        await self._send([self._frames.opening(index, choice)])
        await self._think(choice.reasoning_tokens + choice.head_tokens)
        pieces = self._tokenizer.split(choice.text)
        start = 0
        while start < len(pieces):
            group = pieces[start : start + self._tokens_at_once()]
            start += len(group)
            await self._think(len(group))
            frames = [self._frames.piece(index, choice, piece) for piece in group]
            if self.generated_tokens >= self._cut_at:
                # The last token is generated and billed, but its frame never arrives whole.
                frames[-1] = frames[-1][: len(frames[-1]) // 2]
                self._responder.chunks(frames)
                return False
            await self._send(frames)
        await self._send([self._frames.ending(index, choice)])
        return True

    def _tokens_at_once(self) -> int:
        """How many tokens come next: one at a limited pace, and none beyond the cut."""
        if self._call.seconds_per_token or self._slow_frames_left:
            return 1
        return max(1, min(tokens_at_once, self._cut_at - self.generated_tokens))

    async def _think(self, tokens: int) -> None:
        """Generate tokens at the model's pace, unless the client is gone by then."""
        pace = self._call.seconds_per_token
        if pace and tokens:
            await self._responder.flush()
            await asyncio.sleep(tokens * pace)
        if self._responder.client_gone:
            raise ConnectionResetError
        self.generated_tokens += tokens

    async def _send(self, frames: list[bytes]) -> None:
        if self._slow_frames_left:
            self._slow_frames_left -= 1
            (frame,) = frames
            middle = len(frame) // 2
            self._responder.chunks([frame[:middle]])
            await self._responder.flush()
            await asyncio.sleep(self._call.pause_seconds)
            frames = [frame[middle:]]
        self._responder.chunks(frames)
        await self._responder.flush()

    def _tokens_until_cut(self) -> int:
        if not self._call.has(FaultKind.CUT_STREAM):
            return sys.maxsize
        fault = self._call.fault
        asked = None if fault is None else fault.amount
        return max(1, self._call.output_tokens // 2 if asked is None else asked)
