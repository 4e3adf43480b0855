"""A book of answers: what a simulated model says to a prompt that somebody has foreseen.

The one rule: the answers are made up or copied from elsewhere, never thought of here; that a model
"passes" or "fails" a prompt of the book says what the book was told, and nothing about any real
model. A prompt that is not in the book is answered as if there were no book.

The file is JSON lines, plain or gzip: `prompt` is the last user message as it is sent, `answers`
maps a model's name to its text, and `output_tokens` to what is billed for it.
"""

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple, cast

import msgspec

from farebox.simulated.request import ChatRequest, Message
from farebox.simulated.tokens import Tokenizer

line_bytes_max: Final = 8 << 20
lines_max: Final = 200_000


class BookError(ValueError):
    """A book cannot be used; the text names file and line."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a book, as it is written."""

    prompt: str
    answers: dict[str, str]
    output_tokens: dict[str, int] = {}


class Foreseen(NamedTuple):
    """An answer of the book. `output_tokens` is None where only its text is billed."""

    text: str
    output_tokens: int | None


class OutcomeBook:
    """Answers by prompt and model."""

    def __init__(self, lines: Mapping[str, Line]) -> None:
        self._lines = lines

    def __len__(self) -> int:
        return len(self._lines)

    def find(self, request: ChatRequest) -> Foreseen | None:
        """What the book says to the last user message of a call, for the call's model."""
        if not self._lines:
            return None
        line = self._lines.get(last_user_text(request.messages))
        if line is None or request.model not in line.answers:
            return None
        return Foreseen(line.answers[request.model], line.output_tokens.get(request.model))


def last_user_text(messages: list[Message]) -> str:
    """The text of the last message of the role "user"; its parts are joined by line feeds."""
    for message in reversed(messages):
        if message.role == "user":
            if isinstance(message.content, list):
                return "\n".join(str(part["text"]) for part in message.content if part.get("text"))
            return message.content or ""
    return ""


def read_book(path: Path, tokenizer: Tokenizer) -> OutcomeBook:
    """Read and check a book; of two lines with one prompt the first counts.

    Raises:
        BookError: when the file cannot be read, a line is no line of a book, an answer cannot be
            cut into tokens, or `output_tokens` are fewer than the answer's text has.
    """
    lines: dict[str, Line] = {}
    try:
        with _opened(path) as file:
            for place, line in _decoded(path.name, file):
                _check(place, line, tokenizer)
                lines.setdefault(line.prompt, line)
    except (OSError, EOFError) as error:
        raise BookError(f"The outcomes {path} cannot be read: {error}.") from error
    return OutcomeBook(lines)


def _opened(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _decoded(name: str, file: BinaryIO) -> Iterator[tuple[str, Line]]:
    decoder = msgspec.json.Decoder(Line)
    for number, content in enumerate(iter(lambda: file.readline(line_bytes_max), b""), start=1):
        place = f"{name}:{number}"
        if number > lines_max:
            raise BookError(f"{place}: more than {lines_max} lines.")
        if content.strip():
            try:
                yield place, decoder.decode(content)
            except msgspec.DecodeError as error:
                raise BookError(f"{place}: not a line of outcomes: {error}.") from error


def _check(place: str, line: Line, tokenizer: Tokenizer) -> None:
    for model, text in line.answers.items():
        if not tokenizer.splits(text):
            raise BookError(f"{place}: this tokenizer splits ASCII only; {model}'s answer is not.")
        billed = line.output_tokens.get(model)
        if billed is not None and billed < tokenizer.count(text):
            raise BookError(
                f"{place}: {model} is billed {billed} output tokens, fewer than its text has "
                f"({tokenizer.count(text)})."
            )
