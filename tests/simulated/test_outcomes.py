"""A book of answers: what it foresees is said and billed as written, all else as without it."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from farebox.simulated.config import ConfigError, parse_config
from farebox.simulated.outcomes import BookError, OutcomeBook, last_user_text, read_book
from farebox.simulated.request import Message
from farebox.simulated.tokens import BytesTokenizer, PiecesTokenizer
from tests.simulated.conftest import CONFIG, ClientMaker, EntriesReader, ProviderMaker

QUESTION = "Which label?"
LINE: dict[str, Any] = {
    "prompt": QUESTION,
    "answers": {"small": "billing", "thinker": "other", "paced": "a b c d e"},
    "output_tokens": {"small": 40},
}


def write(folder: Path, *lines: dict[str, Any], name: str = "book.jsonl") -> Path:
    path = folder / name
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def ask(model: str, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "Label."}, {"role": "user", "content": QUESTION}]
    return {"model": model, "messages": messages, **fields}


@pytest.mark.parametrize(
    ("model", "fields", "text", "output_tokens", "hidden", "finish"),
    [
        pytest.param("small", {}, "billing", 40, 39, "stop", id="billed as the book says"),
        pytest.param("thinker", {}, "other", 65, 64, "stop", id="billed as it is long"),
        pytest.param("small", {"max_tokens": 40}, "billing", 40, 39, "stop", id="just fits"),
        pytest.param("small", {"max_tokens": 39}, "", 39, 39, "length", id="cut before it"),
        pytest.param("paced", {"max_tokens": 3}, "a b c", 3, 0, "length", id="cut within it"),
    ],
)
async def test_a_foreseen_answer_is_given_and_billed(
    tmp_path: Path, make_provider: ProviderMaker, make_client: ClientMaker,
    entries: EntriesReader, model: str, fields: dict[str, Any], text: str,
    output_tokens: int, hidden: int, finish: str,
) -> None:  # fmt: skip
    book = str(write(tmp_path, LINE))
    async with make_provider(outcomes=book) as provider, make_client(provider) as client:
        answer = await client.chat.completions.create(**ask(model, **fields))
    usage = answer.usage
    assert answer.choices[0].message.content == text
    assert answer.choices[0].finish_reason == finish
    assert usage is not None
    assert usage.completion_tokens_details is not None
    assert usage.completion_tokens_details.reasoning_tokens == hidden
    assert usage.completion_tokens == entries()[0].output_tokens == output_tokens


async def test_a_stream_of_it_says_the_same(
    tmp_path: Path, make_provider: ProviderMaker, make_client: ClientMaker, entries: EntriesReader
) -> None:
    book = str(write(tmp_path, LINE, name="book.jsonl.gz"))
    async with make_provider(outcomes=book) as provider, make_client(provider) as client:
        stream = await client.chat.completions.create(**ask("small", stream=True))
        said = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(said) == "billing"
    assert entries()[0].output_tokens == 40


async def test_what_is_not_in_the_book_is_answered_as_ever(
    tmp_path: Path, make_provider: ProviderMaker, make_client: ClientMaker
) -> None:
    other = {"prompt": "Another?", "answers": {"small": "x"}}
    answers = []
    for book in ("", str(write(tmp_path, other, LINE | {"answers": {"thinker": "no"}}))):
        async with make_provider(outcomes=book) as provider, make_client(provider) as client:
            answer = await client.chat.completions.create(**ask("small"))
            answers.append(answer.choices[0].message.content)
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("content", "want"),
    [
        pytest.param(b"{}\n", r"book\.jsonl:1: not a line", id="no line of a book"),
        pytest.param(b'\n{"prompt": 1}', r"book\.jsonl:2: not a line", id="second line"),
        pytest.param(
            b'{"prompt": "p", "answers": {"m": "a b c"}, "output_tokens": {"m": 2}}',
            "m is billed 2 output tokens, fewer than its text has",
            id="billed less than said",
        ),
    ],
)
def test_a_bad_book_is_refused_with_its_place(tmp_path: Path, content: bytes, want: str) -> None:
    path = tmp_path / "book.jsonl"
    path.write_bytes(content)
    with pytest.raises(BookError, match=want):
        read_book(path, PiecesTokenizer())
    with pytest.raises(ConfigError, match=want):
        parse_config(CONFIG | {"outcomes": str(path)}).book()


def test_a_book_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="cannot be read"):
        read_book(tmp_path / "none.jsonl", PiecesTokenizer())
    (tmp_path / "bad.gz").write_bytes(b"plain")
    with pytest.raises(BookError, match="cannot be read"):
        read_book(tmp_path / "bad.gz", PiecesTokenizer())


def test_signs_beyond_ascii_need_a_tokenizer_that_splits_them(tmp_path: Path) -> None:
    path = write(tmp_path, {"prompt": "p", "answers": {"m": "R\u00fcckgabe"}})
    assert len(read_book(path, PiecesTokenizer())) == 1
    with pytest.raises(BookError, match="ASCII only"):
        read_book(path, BytesTokenizer())


def test_the_last_user_message_is_what_is_looked_up() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url"}, {"type": "text", "text": "b"}]
    assert last_user_text([Message(role="user", content=parts)]) == "a\nb"
    assert (
        last_user_text(
            [
                Message(role="user", content="first"),
                Message(role="user", content="last"),
                Message(role="assistant", content="said"),
            ]
        )
        == "last"
    )
    assert last_user_text([Message(role="assistant", content="x")]) == ""
    assert len(OutcomeBook({})) == 0
