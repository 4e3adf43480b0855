"""Runs in a pod and makes calls with the real `openai` client: `python -m` this module.

It knows of Farebox what any program knows: the variable OPENAI_BASE_URL that its pod was given.
CALLERS call at the same time, each CALLS times (0: until it is asked to end), with PAUSE_MS between
calls. Each outcome is one line of JSON on standard output. The one rule: it never looks at money.
"""

import asyncio
import json
import os
import signal
import sys
from typing import Any, Final

import openai

from farebox.runtime.clock import SystemClock

_CALL_S_MAX: Final = 20.0
_MODEL: Final = os.environ.get("MODEL", "gpt-4o-mini")
_PAUSE_S: Final = int(os.environ.get("PAUSE_MS", "100")) / 1000
_CALLS: Final = int(os.environ.get("CALLS", "0"))
_CALLERS: Final = int(os.environ.get("CALLERS", "2"))


async def _call(client: openai.AsyncOpenAI, question: str) -> dict[str, Any]:
    """One call; `status` is 0 when nobody answered."""
    try:
        answer = await client.chat.completions.create(
            model=_MODEL, messages=[{"role": "user", "content": question}], max_tokens=50
        )
    except openai.APIStatusError as error:
        reason = error.response.headers.get("x-farebox-reason", "")
        return {"status": error.status_code, "reason": reason, "text": error.message[:300]}
    except openai.APIConnectionError as error:
        return {"status": 0, "reason": type(error).__name__, "text": str(error)}
    return {"status": 200, "reason": "", "text": (answer.choices[0].message.content or "")[:20]}


async def _caller(client: openai.AsyncOpenAI, number: int, over: asyncio.Event) -> None:
    made = 0
    while not over.is_set() and (not _CALLS or made < _CALLS):
        made += 1
        began = SystemClock().utc()
        outcome = await _call(client, f"Caller {number} asks question {made}: what is the weather?")
        told = {"began": began, "ended": SystemClock().utc(), **outcome}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        try:
            async with asyncio.timeout(_PAUSE_S):
                await over.wait()
        except TimeoutError:
            pass


async def main() -> None:
    over = asyncio.Event()
    for end in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(end, over.set)
    # Retries would hide what the sidecar says.
    async with (
        openai.AsyncOpenAI(max_retries=0, timeout=_CALL_S_MAX) as client,
        asyncio.TaskGroup() as group,
    ):
        for number in range(_CALLERS):
            group.create_task(_caller(client, number, over))


if __name__ == "__main__":
    asyncio.run(main())
