"""One call against a real socket: answered, refused (not billed), or lost (nobody knows)."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from farebox.core.tiers import Model
from farebox.core.usage import Usage
from farebox.launch.provider import (
    LostError,
    Provider,
    RefusedError,
    headers_for,
    read_reply,
)
from farebox.launch.samples import request_body
from farebox.runtime.clock import SystemClock
from tests.support.launching import make_sample, simulated_provider, tiers_at
from tests.support.policies import SMALL, make_model


async def ask(folder: Path, *, model: str = "gpt-4o-mini", **config: Any) -> Any:
    async with simulated_provider(folder, **config) as provider, Provider(SystemClock()) as asker:
        found = tiers_at(provider.base_url)[0].models[0]
        known = make_model(model, "1", "1", base_url=found.base_url)
        return await asker.ask(known, request_body(make_sample(), known, output_asked=5))


async def test_an_answer_has_its_text_its_usage_and_its_time(tmp_path: Path) -> None:
    reply = await ask(tmp_path)
    assert reply.text
    assert reply.finish == "length"
    assert reply.usage is not None
    assert reply.usage.output == 5
    assert reply.latency_ms >= 0


@pytest.mark.parametrize(
    ("model", "mix", "again", "wait_s"),
    [
        ("unknown", {}, False, 0),
        ("gpt-4o-mini", {"error500": 1}, True, 0),
        ("gpt-4o-mini", {"error429": 1}, True, 30),
    ],
)
async def test_what_is_not_answered_is_not_billed(
    tmp_path: Path, model: str, mix: dict[str, float], again: bool, wait_s: int
) -> None:
    with pytest.raises(RefusedError) as refused:
        await ask(tmp_path, model=model, faults={"mix": mix, "retryAfterSeconds": 99})
    assert (refused.value.again, refused.value.wait_s) == (again, wait_s)


@pytest.mark.parametrize("fault", ["hangUp", "cutStream"])
async def test_an_answer_that_breaks_off_is_lost(tmp_path: Path, fault: str) -> None:
    with pytest.raises(LostError):
        await ask(tmp_path, faults={"mix": {fault: 1}})


async def test_nobody_there_is_refused() -> None:
    async with Provider(SystemClock()) as asker:
        with pytest.raises(RefusedError, match="can't be reached"):
            await asker.ask(SMALL, b"{}")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "yes"}, "yes"),
        ({"content": None}, ""),
        ({"tool_calls": [{"function": {"arguments": '{"a":1}'}}]}, '{"a":1}'),
    ],
)
def test_what_gates_look_at(message: dict[str, Any], text: str) -> None:
    body = msgspec.json.encode({"choices": [{"message": message}]})
    reply = read_reply(body, latency_ms=1)
    assert (reply.text, reply.usage) == (text, None)


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 8,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 6},
            },
            Usage(input=6, cached_input=4, output=2, reasoning=6, call=1),
        ),
        ({"prompt_tokens": -1, "completion_tokens": 8}, None),
    ],
)
def test_usage_is_read_into_kinds(usage: dict[str, Any], found: Usage | None) -> None:
    body = msgspec.json.encode({"choices": [{"message": {"content": "x"}}], "usage": usage})
    assert read_reply(body, latency_ms=1).usage == found


@pytest.mark.parametrize("content", [b"", b"[]", b'{"choices": []}'])
def test_an_answer_that_cannot_be_read_was_billed(content: bytes) -> None:
    with pytest.raises(LostError):
        read_reply(content, latency_ms=1)


@pytest.mark.parametrize(
    ("model", "value", "sent"),
    [
        (SMALL, "sk-1", "Bearer sk-1"),
        (make_model("m", "1", "1", secret_env="TEAM_KEY"), "sk-2", "Bearer sk-2"),
    ],
)
def test_the_key_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, model: Model, value: str, sent: str
) -> None:
    monkeypatch.setenv(model.secret_env or "OPENAI_API_KEY", value)
    assert headers_for(model)["authorization"] == sent


def test_a_key_that_is_named_and_not_set_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEAM_KEY", raising=False)
    with pytest.raises(RefusedError, match="TEAM_KEY is not set"):
        headers_for(make_model("m", "1", "1", secret_env="TEAM_KEY"))
