"""Prompts to send: one JSON object a line, plain or gzip.

Two shapes: the demo's own (`messages`, and what else a call has), and routing data (`prompt`, a
plain user message). The one rule: a prompt says what a caller would say and nothing more, so a task
that is not tagged is not told. This module must not know how prompts are sent.
"""

import gzip
import itertools
import random
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import msgspec

from farebox.core.tasks import AUTO_MODEL

LINE_BYTES_MAX: Final = 8 << 20
PROMPTS_MAX: Final = 200_000
SAMPLE_SEED: Final = 0
USERS_OF_DATA: Final = 12
"""Routing data names no users; its prompts are dealt out to so many."""

_BODY_FIELDS: Final = ("max_tokens", "tools", "response_format")


class PromptError(ValueError):
    """A file of prompts cannot be used; the text names file and line."""


class _Line(msgspec.Struct, frozen=True):
    """What is read of a line, whichever shape it has."""

    id: str
    task: str = ""
    source: str = ""
    user: str = ""
    session: str = ""
    priority: str = "normal"
    tagged: bool = False
    stream: bool = False
    model: str = AUTO_MODEL
    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None
    max_tokens: int | None = None
    tools: list[dict[str, Any]] | None = None
    response_format: dict[str, Any] | None = None
    expected: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One call to make. `body` and `headers` are what goes out; `task` is the truth, for tables.

    `expected` is the right answer where it is known; nobody is told but who judges answers.
    """

    id: str
    task: str
    user: str
    stream: bool
    model: str
    body: dict[str, Any]
    headers: dict[str, str]
    expected: str | None = None


def read_prompts(path: Path, *, limit: int | None = None, tag_all: bool = False) -> list[Prompt]:
    """Read a file of prompts; with a `limit`, so many of them, from all over the file.

    With `tag_all` every prompt says its task, as an application should.

    Raises PromptError.
    """
    try:
        with _opened(path) as file:
            lines = _parsed(path.name, _bounded(path.name, file))
            prompts = [_prompt(line, number, tag_all=tag_all) for line, number in lines]
    except (OSError, EOFError, zlib.error) as error:
        raise PromptError(f"{path}: the file cannot be read: {error}.") from error
    if not prompts:
        raise PromptError(f"{path}: the file holds no prompts.")
    if limit is None or limit >= len(prompts):
        return prompts
    # Files are sorted or interleaved by kind: neither their head nor every nth line is a fair mix.
    chosen = random.Random(SAMPLE_SEED).sample(range(len(prompts)), limit)  # noqa: S311  No secret.
    return [prompts[at] for at in sorted(chosen)]


def _opened(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _bounded(name: str, file: BinaryIO) -> Iterator[bytes]:
    for number in itertools.count(1):
        line = file.readline(LINE_BYTES_MAX + 1)
        if not line:
            return
        if len(line) > LINE_BYTES_MAX:
            raise PromptError(f"{name}:{number}: the line is longer than {LINE_BYTES_MAX} bytes.")
        if number > PROMPTS_MAX:
            raise PromptError(f"{name}: the file has more than {PROMPTS_MAX} lines.")
        yield line


def _parsed(name: str, lines: Iterable[bytes]) -> Iterator[tuple[_Line, int]]:
    decoder = msgspec.json.Decoder(_Line)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            read = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise PromptError(f"{name}:{number}: not a prompt: {error}.") from error
        if read.messages is None and read.prompt is None:
            raise PromptError(f'{name}:{number}: a prompt needs "messages" or "prompt".')
        yield read, number


def _prompt(line: _Line, number: int, *, tag_all: bool) -> Prompt:
    user = line.user or f"user-{number % USERS_OF_DATA + 1:02d}"
    messages = line.messages or [{"role": "user", "content": line.prompt}]
    body: dict[str, Any] = {"model": line.model, "messages": messages, "user": user}
    for name in _BODY_FIELDS:
        value = getattr(line, name)
        if value is not None:
            body[name] = value
    if line.stream:
        body["stream"] = True
    return Prompt(
        id=line.id,
        task=line.task or line.source or "(not said)",
        user=user,
        stream=line.stream,
        model=line.model,
        body=body,
        headers=_headers(line, tagged=line.tagged or tag_all),
        expected=line.expected,
    )


def _headers(line: _Line, *, tagged: bool) -> dict[str, str]:
    headers = {
        "x-farebox-session": line.session,
        "x-farebox-task": line.task if tagged else "",
        "x-farebox-priority": "" if line.priority == "normal" else line.priority,
    }
    return {name: value for name, value in headers.items() if value}
