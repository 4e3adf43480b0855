"""Reading prompts: both shapes of line, plain and gzip, samples, and what is wrong with a file."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from farebox.cli import prompts
from farebox.cli.demo_answers import PROMPTS
from farebox.cli.prompts import PromptError, read_prompts

SAY = [{"role": "user", "content": "hello"}]


def write(path: Path, *lines: dict[str, Any]) -> Path:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def test_a_prompt_of_the_demo_becomes_body_and_headers(tmp_path: Path) -> None:
    line = {
        "id": "code-01",
        "task": "code",
        "user": "ana",
        "session": "s-1",
        "priority": "high",
        "tagged": True,
        "stream": True,
        "model": "gpt-4o",
        "messages": SAY,
        "max_tokens": 9,
    }
    [prompt] = read_prompts(write(tmp_path / "p.jsonl", line))
    assert prompt.body == {
        "model": "gpt-4o",
        "messages": SAY,
        "user": "ana",
        "max_tokens": 9,
        "stream": True,
    }
    assert prompt.headers == {
        "x-farebox-session": "s-1",
        "x-farebox-task": "code",
        "x-farebox-priority": "high",
    }


def test_a_task_that_is_not_tagged_is_not_told(tmp_path: Path) -> None:
    line = {"id": "1", "task": "code", "user": "ana", "tagged": False, "messages": SAY}
    [prompt] = read_prompts(write(tmp_path / "p.jsonl", line))
    assert prompt.task == "code"
    assert prompt.headers == {}


def test_every_prompt_can_be_made_to_tell_its_task(tmp_path: Path) -> None:
    line = {"id": "1", "task": "code", "user": "ana", "messages": SAY, "expected": "hi"}
    [prompt] = read_prompts(write(tmp_path / "p.jsonl", line), tag_all=True)
    assert prompt.headers == {"x-farebox-task": "code"}
    assert prompt.expected == "hi"
    assert "expected" not in prompt.body


def test_routing_data_becomes_plain_user_messages(tmp_path: Path) -> None:
    lines = [
        {"id": f"d/{number}", "source": "routed", "prompt": "2 + 2?", "models": {"a": 1}}
        for number in range(30)
    ]
    read = read_prompts(write(tmp_path / "data.jsonl.gz", *lines))
    assert read[0].task == "routed"
    assert read[0].body["messages"] == [{"role": "user", "content": "2 + 2?"}]
    assert read[0].body["model"] == "farebox/auto"
    assert len({prompt.user for prompt in read}) == prompts.USERS_OF_DATA


def test_the_demos_own_prompts_are_read() -> None:
    read = read_prompts(PROMPTS)
    assert len(read) == 216
    assert len(Counter(prompt.task for prompt in read)) == 6


def test_a_sample_is_mixed_in_order_and_always_the_same() -> None:
    whole, sample = read_prompts(PROMPTS), read_prompts(PROMPTS, limit=30)
    places = [whole.index(prompt) for prompt in sample]
    assert len(sample) == 30
    assert places == sorted(places)
    assert len({prompt.task for prompt in sample}) == 6
    assert sample == read_prompts(PROMPTS, limit=30)


def test_a_sample_larger_than_the_file_is_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", {"id": "1", "messages": SAY})
    assert len(read_prompts(path, limit=5)) == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "holds no prompts"),
        (b"\n\n", "holds no prompts"),
        (b'{"id": "1", "messages": []', "p.jsonl:1: not a prompt"),
        (b'{"id": "1", "prompt": "x"}\n{"id": 2, "prompt": "x"}', "p.jsonl:2: not a prompt"),
        (b'{"id": "1"}', 'p.jsonl:1: a prompt needs "messages" or "prompt"'),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(content)
    with pytest.raises(PromptError, match=complaint):
        read_prompts(path)


def test_a_cut_gzip_file_cannot_be_read(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl.gz", {"id": "1", "messages": SAY})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(PromptError, match="cannot be read"):
        read_prompts(path)


def test_lines_and_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "p.jsonl", *[{"id": "1", "messages": SAY}] * 3)
    monkeypatch.setattr(prompts, "PROMPTS_MAX", 2)
    with pytest.raises(PromptError, match="more than 2 lines"):
        read_prompts(path)
    monkeypatch.setattr(prompts, "LINE_BYTES_MAX", 10)
    with pytest.raises(PromptError, match="longer than 10 bytes"):
        read_prompts(path)
