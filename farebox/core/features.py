"""Features of a prompt that heuristics look at.

The one rule: bounded work, because prompts are of any length: only the head and the tail of a long
text are read. This module must not know tiers or money.
"""

import re
from operator import itemgetter
from typing import Final, NamedTuple

from farebox.core.call import Call

SCANNED_CHARS_MAX: Final = 4_000
"""Of a longer text the first and the last half of this many characters are read."""

WORDS_CHARS_MAX: Final = 1_200
"""The same for keywords: what a prompt asks for stands at one of its ends, passages between."""

STEM_CHARS: Final = 4

_new: Final = tuple.__new__
"""Makes a NamedTuple of all its fields in half the time; most calls make one."""

_STEM: Final = itemgetter(slice(STEM_CHARS))
_FENCE: Final = "```"
_CODE_LINE: Final = re.compile(
    r"[ \t]*(?:def|class|import|from|func|fn|public|private|const|let|var|SELECT|CREATE)\b"
    r".*[\w(:;{]"
)
_TRACE_MARKS: Final = {
    "file": ('\n  File "',),
    "at": ("\n    at ", "\n\tat "),
    "pani": ("panicked at ",),
    "goro": ("goroutine 1 [",),
}
"""What stack traces have in them, by the stem of a word in it."""

_TRACE_STEMS: Final = frozenset(_TRACE_MARKS)
_TRACEBACK: Final = "Traceback (most recent"
_EXCEPTION: Final = re.compile(r"\w(?:Error|Exception): ")
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)?")


class Features(NamedTuple):
    """What can be seen of a call without understanding it. A tuple, as one is made for most calls.

    `text` is the ends of system text and prompt in lower case on one line, with a space before each
    word that begins a line and around the whole, `stems` the first STEM_CHARS letters of its words;
    `prompt` is the bounded prompt as it is. What takes a search is found when it is asked for,
    since most calls are settled before.
    """

    text: str
    stems: frozenset[str]
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
        return _has_stack_trace(self.prompt, self.stems)


def features_of(call: Call) -> Features:
    """Read the features of a call's own prompt and, for keywords only, of its system text."""
    said = f" {_bounded(call.system, WORDS_CHARS_MAX)} {_bounded(call.prompt, WORDS_CHARS_MAX)} "
    text = said.replace("\n", " ").lower()
    features = (
        text,
        # Words come again and again in a text: each is cut once.
        frozenset(map(_STEM, set(text.split()))),
        _bounded(call.prompt, SCANNED_CHARS_MAX),
        len(call.prompt),
        call.turns,
        call.tools,
        call.json_schema,
        call.images,
    )
    return _new(Features, features)


def _has_stack_trace(prompt: str, stems: frozenset[str]) -> bool:
    # Words first, then substrings: a regular expression over every prompt would cost more than all
    # the rest.
    # The stems of a long prompt are those of its ends, and a trace may stand between.
    likely = _TRACE_STEMS & stems if len(prompt) <= WORDS_CHARS_MAX else _TRACE_STEMS
    for stem in likely:
        if any(map(prompt.__contains__, _TRACE_MARKS[stem])):
            return True
    if _TRACEBACK in prompt:
        return True
    named = "Error: " in prompt or "Exception: " in prompt
    return named and _EXCEPTION.search(prompt) is not None


def _bounded(text: str, chars_max: int) -> str:
    if len(text) <= chars_max:
        return text
    half = chars_max // 2
    return f"{text[:half]}\n{text[-half:]}"
