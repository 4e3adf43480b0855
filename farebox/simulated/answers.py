"""What the simulated models say: as many tokens as asked for, the same ones every time.

The one rule: an answer depends on the seed and the prompt, its length on the configuration and
the caller's limit, and it is never longer than that limit unless a fault says so. It knows
nothing of prices and of how an answer travels.
"""

import json
import random
from itertools import accumulate
from typing import Any, Literal

import msgspec

from farebox.simulated.config import AnswerConfig
from farebox.simulated.outcomes import Foreseen
from farebox.simulated.request import ChatRequest, Refused
from farebox.simulated.schemas import SchemaError, value_for
from farebox.simulated.tokens import Tokenizer

FinishReason = Literal["stop", "length", "tool_calls"]

ring_words = 8_192
field_tokens = 4

_VOCABULARY = """
account address agent amount answer audit balance batch bill branch build cache call case
change charge check claim client clock cloud code cost count cycle data date deal delay
desk detail draft edge entry error event factor field figure file fix form frame gate goal graph
group guide hour index input issue item job journey label lane later ledger level limit line link
list load log map mark market method minute mode model month name need node note number offer
office option order output owner page part path phase plan point policy port price query queue
rate reason record region release report request result review risk role route row rule sample
scale scope season sector sign signal site size source stage state step store stream table target
task team term test ticket time title token total trace track trade train unit update user value
vendor version view week window work year
"""


class Length(msgspec.Struct, frozen=True, kw_only=True):
    """How long one answer may be and is, in tokens, hidden reasoning included."""

    limit: int
    """No token comes after this one."""
    fill: int | None = None
    """Exactly so many tokens, as far as `limit` allows; None: the natural length."""
    ignores_caller: bool = False
    """The answer runs past the caller's limit and ends as if there were none."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """One answer: its text counts `output_tokens` - `reasoning_tokens` - `head_tokens` tokens."""

    text: str
    """What can be seen: prose, JSON, or the JSON arguments of a tool call; ASCII, or of a book."""
    output_tokens: int
    reasoning_tokens: int
    finish_reason: FinishReason
    tool_name: str | None = None
    head_tokens: int = 0
    """Tokens of the tool's name, sent with the first frame; of a text, none."""


class Ring:
    """Prose without an end: any number of tokens from any place, cut exactly between tokens."""

    def __init__(self, prose: str, tokenizer: Tokenizer) -> None:
        """`prose` starts with a blank and ends with a full stop, so that it can be read round."""
        self._prose = prose
        self._ends = [0, *accumulate(len(piece) for piece in tokenizer.split(prose))]

    def text(self, point: int, count: int) -> str:
        """So many tokens, without a blank in front."""
        size = len(self._ends) - 1
        start = point % size
        if self._prose[self._ends[start] : self._ends[start + 1]] == " ":
            start += 1
        text = self._prose[self._ends[start] : self._ends[min(size, start + count)]]
        rounds, rest = divmod(max(0, start + count - size), size)
        return (text + self._prose * rounds + self._prose[: self._ends[rest]]).lstrip()


class AnswerBook:
    def __init__(self, config: AnswerConfig, seed: int, tokenizer: Tokenizer) -> None:
        self._config = config
        self._tokenizer = tokenizer
        self._ring = Ring(_prose(seed), tokenizer)
        self._offset = random.Random(seed).randrange(2**32)

    def length(
        self, *, asked: int | None, context_room: int, overrun_percent: int | None
    ) -> Length:
        """The length of an answer; `overrun_percent` is that of the fault `longAnswer`."""
        if overrun_percent is not None:
            intended = asked or self._config.tokens_max
            long = -(-intended * (100 + overrun_percent) // 100)
            return Length(limit=long, fill=long, ignores_caller=True)
        limit = context_room if asked is None else min(asked, context_room)
        if not self._config.fill_max:
            return Length(limit=limit)
        return Length(limit=limit, fill=self._config.tokens_max if asked is None else limit)

    def foreseen(self, answer: Foreseen, *, length: Length, reasoning_tokens: int) -> Choice:
        """Give the answer of a book; it is billed as the book says.

        Tokens that are billed beyond the text are hidden ones, so that the text stays the book's.
        The model's own `reasoning_tokens` count where the book says no figure.
        """
        pieces = self._tokenizer.split(answer.text)
        billed = answer.output_tokens
        hidden = reasoning_tokens if billed is None else billed - len(pieces)
        hidden = min(hidden, length.limit)
        seen = pieces[: length.limit - hidden]
        return Choice(
            text="".join(seen),
            output_tokens=hidden + len(seen),
            reasoning_tokens=hidden,
            finish_reason="stop" if len(seen) == len(pieces) else "length",
        )

    def choice(
        self, request: ChatRequest, *, digest: int, length: Length, reasoning_tokens: int
    ) -> Choice:
        """Write one answer.

        Raises:
            Refused: 400 when a schema of the request is malformed.
        """
        reasoning = min(reasoning_tokens, length.limit)
        fill = None if length.fill is None else max(0, length.fill - reasoning)
        visible = Length(
            limit=length.limit - reasoning, fill=fill, ignores_caller=length.ignores_caller
        )
        point = (digest + self._offset) % 2**32
        tool = request.tool_wanted
        if tool is not None:
            return self._tool_call(tool, point, visible, reasoning)
        schema = request.answer_schema
        if schema is None:
            return self._text(point, visible, reasoning)
        return self._json(schema, point, visible, reasoning)

    def _text(self, point: int, length: Length, reasoning: int) -> Choice:
        wanted = self._natural_tokens(point) if length.fill is None else length.fill
        count = min(wanted, length.limit)
        cut = wanted > length.limit or (wanted == length.limit and length.fill is not None)
        return Choice(
            text=self._ring.text(point, count),
            output_tokens=reasoning + count,
            reasoning_tokens=reasoning,
            finish_reason="length" if cut and not length.ignores_caller else "stop",
        )

    def _json(self, schema: dict[str, Any], point: int, length: Length, reasoning: int) -> Choice:
        if schema:
            written = self._tokenizer.split(_compact(self._value(schema, point)))
        else:
            shell = len(self._tokenizer.split(_compact({"answer": ""})))
            wanted = self._natural_tokens(point) if length.fill is None else length.fill
            inner = max(1, min(wanted, length.limit) - shell)
            written = self._tokenizer.split(_compact({"answer": self._ring.text(point, inner)}))
        pieces = _filled(written, length)
        return Choice(
            text="".join(pieces),
            output_tokens=reasoning + len(pieces),
            reasoning_tokens=reasoning,
            finish_reason="stop" if len(written) <= length.limit else "length",
        )

    def _tool_call(
        self, tool: dict[str, Any], point: int, length: Length, reasoning: int
    ) -> Choice:
        head = self._tokenizer.count(tool["name"])
        if length.limit < head:
            # Not even the name fits: the model stops in the middle of it and nothing is to be seen.
            return Choice(
                text="",
                output_tokens=reasoning + length.limit,
                reasoning_tokens=reasoning,
                finish_reason="length",
                head_tokens=length.limit,
            )
        value = self._value(tool.get("parameters") or {"type": "object"}, point)
        written = self._tokenizer.split(_compact(value))
        rest = Length(
            limit=length.limit - head, fill=None if length.fill is None else length.fill - head
        )
        pieces = _filled(written, rest)
        return Choice(
            text="".join(pieces),
            output_tokens=reasoning + head + len(pieces),
            reasoning_tokens=reasoning,
            finish_reason="tool_calls" if len(written) <= rest.limit else "length",
            tool_name=tool["name"],
            head_tokens=head,
        )

    def _natural_tokens(self, point: int) -> int:
        span = self._config.tokens_max - self._config.tokens_min + 1
        return self._config.tokens_min + point % span

    def _value(self, schema: dict[str, Any], point: int) -> Any:
        fields = 0

        def text() -> str:
            nonlocal fields
            fields += 1
            return self._ring.text(point + 97 * fields, field_tokens)

        try:
            return value_for(schema, text)
        except SchemaError as error:
            raise Refused(400, str(error), code="invalid_schema") from error


def _filled(written: list[str], length: Length) -> list[str]:
    """Cut at the limit, or padded with line feeds, which JSON allows at its end."""
    missing = 0 if length.fill is None else max(0, length.fill - len(written))
    return [*written, *["\n"] * missing][: length.limit]


def _compact(value: Any) -> str:
    """ASCII JSON, so that a token of the answer is a whole character in every tokenizer."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _prose(seed: int) -> str:
    """Sentences of ordinary words; starts and ends so that the ring can be read round."""
    chooser = random.Random(seed)
    vocabulary = _VOCABULARY.split()
    sentences: list[str] = []
    words = 0
    while words < ring_words:
        sentence = chooser.choices(vocabulary, k=chooser.randint(6, 14))
        words += len(sentence)
        sentences.append(" ".join(sentence).capitalize() + ".")
    return " " + " ".join(sentences)
