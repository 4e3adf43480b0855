"""The demo's prompts are complete, mixed as announced, and no two of them are alike.

The one rule: a share is checked with the band it was announced with, never with its exact figure,
so that a prompt can be exchanged for a better one.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

PROMPTS: Final = Path(__file__).resolve().parents[2] / "farebox" / "data" / "demo" / "prompts.jsonl"
TASKS: Final = {"classification", "extraction", "summarization", "rag", "reasoning", "code"}
PROMPTS_PER_TASK: Final = 36
USERS: Final = 12
REQUIRED: Final = {
    "id",
    "task",
    "user",
    "session",
    "priority",
    "tagged",
    "stream",
    "model",
    "messages",
}
OPTIONAL: Final = {"tools", "response_format", "max_tokens", "expected"}

Prompt = dict[str, Any]
"""One line of the file, decoded."""


@pytest.fixture(scope="module")
def prompts() -> list[Prompt]:
    lines = PROMPTS.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def text_of(prompt: Prompt) -> str:
    """Everything but the system prompt, which applications share; white space counts once."""
    said = [each["content"] or "" for each in prompt["messages"] if each["role"] != "system"]
    return " ".join(" ".join(said).split()).casefold()


def schemas_of(prompt: Prompt) -> Iterator[Prompt]:
    """The JSON schemas of a prompt's answer format and of its tools' arguments."""
    if "response_format" in prompt:
        yield prompt["response_format"]["json_schema"]["schema"]
    for tool in prompt.get("tools", []):
        yield tool["function"]["parameters"]


def objects_in(schema: Prompt) -> Iterator[Prompt]:
    """The object schemas in a schema, itself included."""
    if "properties" in schema:
        yield schema
    for inner in [*schema.get("properties", {}).values(), schema.get("items", {})]:
        if inner:
            yield from objects_in(inner)


def test_each_task_has_its_share_and_ids_count_up(prompts: list[Prompt]) -> None:
    expected = {f"{task}-{n:02d}" for task in TASKS for n in range(1, PROMPTS_PER_TASK + 1)}
    assert {prompt["id"] for prompt in prompts} == expected
    assert len(prompts) == len(expected)
    assert all(prompt["id"].rpartition("-")[0] == prompt["task"] for prompt in prompts)


def test_every_prompt_has_the_fields_of_a_call(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        assert prompt.keys() >= REQUIRED, prompt["id"]
        assert prompt.keys() <= REQUIRED | OPTIONAL, prompt["id"]
        assert prompt["priority"] in {"normal", "high"}, prompt["id"]
        assert prompt["model"] in {"farebox/auto", "gpt-4o", "gpt-4o-mini"}, prompt["id"]
        assert prompt["session"].startswith("s-"), prompt["id"]
        assert isinstance(prompt["tagged"], bool), prompt["id"]
        assert isinstance(prompt["stream"], bool), prompt["id"]
        assert 1 <= prompt.get("max_tokens", 1) <= 2_000, prompt["id"]


def test_messages_end_with_what_is_to_be_answered(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        roles = [message["role"] for message in prompt["messages"]]
        assert roles[-1] in {"user", "tool"}, prompt["id"]
        assert "user" in roles, prompt["id"]
        assert "system" not in roles[1:], prompt["id"]
        assert all(message["content"] or message["tool_calls"] for message in prompt["messages"])


def test_a_tool_answer_follows_the_call_it_answers(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        called: set[str] = set()
        for message in prompt["messages"]:
            for call in message.get("tool_calls", []):
                called.add(call["id"])
                assert isinstance(json.loads(call["function"]["arguments"]), dict), prompt["id"]
            if message["role"] == "tool":
                assert message["tool_call_id"] in called, prompt["id"]


def test_schemas_are_strict(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        for schema in schemas_of(prompt):
            assert schema["type"] == "object", prompt["id"]
            for inner in objects_in(schema):
                assert inner["required"] == list(inner["properties"]), prompt["id"]
                assert inner["additionalProperties"] is False, prompt["id"]


@pytest.mark.parametrize(
    ("holds", "percent_min", "percent_max"),
    [
        pytest.param(lambda p: p["priority"] == "high", 8, 12, id="high priority"),
        pytest.param(lambda p: p["tagged"], 45, 55, id="says its task"),
        pytest.param(lambda p: p["stream"], 28, 38, id="streams"),
        pytest.param(lambda p: "max_tokens" not in p, 28, 38, id="leaves its length open"),
        pytest.param(lambda p: "tools" in p, 8, 12, id="brings tools"),
        pytest.param(lambda p: p["model"] == "farebox/auto", 75, 90, id="leaves the model open"),
        pytest.param(lambda p: p["messages"][0]["role"] == "system", 25, 50, id="has an app"),
    ],
)
def test_shares_are_as_announced(
    prompts: list[Prompt], holds: Callable[[Prompt], bool], percent_min: int, percent_max: int
) -> None:
    count = sum(holds(prompt) for prompt in prompts)
    assert percent_min * len(prompts) <= 100 * count <= percent_max * len(prompts)


def test_every_extraction_asks_for_a_schema(prompts: list[Prompt]) -> None:
    extractions = [p for p in prompts if p["task"] == "extraction"]
    assert all("response_format" in prompt for prompt in extractions)


def test_every_classification_has_a_right_answer(prompts: list[Prompt]) -> None:
    """One label, so that who profiles can tell right from acceptable."""
    for prompt in prompts:
        assert ("expected" in prompt) is (prompt["task"] == "classification"), prompt["id"]
        if "expected" in prompt:
            assert prompt["expected"] == prompt["expected"].strip() != "", prompt["id"]
            assert not {"tools", "response_format"} & prompt.keys(), prompt["id"]


def test_the_declared_pass_rates_are_of_these_tasks_and_say_what_they_are() -> None:
    declared = json.loads((PROMPTS.parent / "pass-rates.json").read_text(encoding="utf-8"))
    assert declared["tasks"].keys() == TASKS
    assert "not measured" in declared["about"]
    for tiers in declared["tasks"].values():
        rates = [tiers[tier] for tier in ("small", "mid", "frontier")]
        assert rates == sorted(rates)
        assert all(0 <= rate <= 1000 for rate in rates)


def test_two_users_are_heavy_and_ten_are_light(prompts: list[Prompt]) -> None:
    counts = Counter(prompt["user"] for prompt in prompts)
    assert len(counts) == USERS
    (_, first), (_, second), (_, third), *_ = counts.most_common()
    assert (first + second) * 5 >= len(prompts) * 2, "two users make at least 40 % of the calls"
    assert second >= 2 * third


def test_a_session_belongs_to_one_user(prompts: list[Prompt]) -> None:
    owners = {(prompt["session"], prompt["user"]) for prompt in prompts}
    assert len(owners) == len({session for session, _ in owners})


def test_the_first_prompts_show_every_task(prompts: list[Prompt]) -> None:
    assert {prompt["task"] for prompt in prompts[: len(TASKS)]} == TASKS


def test_some_talks_have_several_turns(prompts: list[Prompt]) -> None:
    turns = [sum(m["role"] == "assistant" for m in p["messages"]) for p in prompts]
    assert sum(count > 0 for count in turns) >= 6


def test_no_two_prompts_are_alike(prompts: list[Prompt]) -> None:
    texts = Counter(text_of(prompt) for prompt in prompts)
    assert [text for text, count in texts.items() if count > 1] == []


def test_lengths_vary(prompts: list[Prompt]) -> None:
    words = sorted(len(text_of(prompt).split()) for prompt in prompts)
    assert words[0] < 25
    assert words[-1] > 500
    assert words[-1] < 900
