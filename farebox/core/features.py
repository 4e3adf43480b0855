"""Features of a prompt that heuristics look at.

The one rule: bounded work, because prompts are of any length: only the head and the tail of a long
text are read. This module must not know tiers or money.
"""

import re
from dataclasses import dataclass
from typing import Final

from farebox.core.call import Call

SCANNED_CHARS_MAX: Final = 4_000
"""Of a longer text the first and the last half of this many characters are read."""

_FENCE: Final = "```"
_CODE_LINE: Final = re.compile(
    r"[ \t]*(?:def|class|import|from|func|fn|public|private|const|let|var|SELECT|CREATE)\b"
    r".*[\w(:;{]"
)
_TRACE_MARKS: Final = (
    "Traceback (most recent",
    '\n  File "',
    "\n    at ",
    "\n\tat ",
    "panicked at ",
    "goroutine 1 [",
)
_EXCEPTION: Final = re.compile(r"\w(?:Error|Exception): ")
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What can be seen of a call without understanding it.

    `text` is the bounded system text and prompt in lower case on one line, with a space before each
    word that begins a line and around the whole; `prompt` is the bounded prompt as it is. What
    takes a search is found when it is asked for, since most calls are settled before.
    """

    text: str
    prompt: str
    chars: int
    turns: int
    tools: int
    json_schema: bool
    images: int

    @property
    def questions(self) -> int:
        """How many question marks the prompt has."""
        return self.prompt.count("?")

    @property
    def numbers(self) -> int:
        """How many numbers the prompt has."""
        return len(_NUMBER.findall(self.prompt))

    @property
    def code(self) -> bool:
        """Whether the prompt has code in it: a fence, or a line that begins as code does."""
        lines = self.prompt.split("\n")
        return _FENCE in self.prompt or any(map(_CODE_LINE.match, lines))

    @property
    def stack_trace(self) -> bool:
        """Whether the prompt shows how a program failed."""
        return _has_stack_trace(self.prompt)


def features_of(call: Call) -> Features:
    """Read the features of a call's own prompt and, for keywords only, of its system text."""
    prompt = _bounded(call.prompt)
    return Features(
        text=f" {_bounded(call.system)} {prompt} ".replace("\n", " ").lower(),
        prompt=prompt,
        chars=len(call.prompt),
        turns=call.turns,
        tools=call.tools,
        json_schema=call.json_schema,
        images=call.images,
    )


def _has_stack_trace(prompt: str) -> bool:
    # Substrings first: a regular expression over every prompt would cost more than all the rest.
    if any(map(prompt.__contains__, _TRACE_MARKS)):
        return True
    named = "Error: " in prompt or "Exception: " in prompt
    return named and _EXCEPTION.search(prompt) is not None


def _bounded(text: str) -> str:
    if len(text) <= SCANNED_CHARS_MAX:
        return text
    half = SCANNED_CHARS_MAX // 2
    return f"{text[:half]}\n{text[-half:]}"
