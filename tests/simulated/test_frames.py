"""The bytes of an answer are OpenAI's shapes, as its own client's models check them."""

import msgspec
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from farebox.simulated.answers import Choice
from farebox.simulated.frames import Completion, StreamFrames, Usage, completion_body

ABOUT = Completion(completion_id="chatcmpl-req-1", created=1_700_000_000, model="small")
USAGE = Usage(prompt=10, cached=4, completion=7, reasoning=3)
TEXT = Choice(text='Say "so"\n', output_tokens=2, reasoning_tokens=0, finish_reason="stop")
CALL = Choice(
    text='{"a":1}',
    output_tokens=3,
    reasoning_tokens=0,
    finish_reason="tool_calls",
    tool_name="look",
    head_tokens=1,
)


def test_a_body_is_a_chat_completion() -> None:
    body = ChatCompletion.model_validate_json(
        completion_body(ABOUT, [TEXT, CALL], USAGE), strict=True
    )
    assert body.choices[0].message.content == 'Say "so"\n'
    assert body.choices[1].message.content is None
    calls = body.choices[1].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert (calls[0].function.name, calls[0].function.arguments) == ("look", '{"a":1}')
    assert body.usage is not None
    assert body.usage.total_tokens == 17
    assert body.usage.prompt_tokens_details is not None
    assert body.usage.prompt_tokens_details.cached_tokens == 4
    assert body.usage.completion_tokens_details is not None
    assert body.usage.completion_tokens_details.reasoning_tokens == 3


def test_a_body_without_usage_lacks_the_field() -> None:
    assert "usage" not in msgspec.json.decode(completion_body(ABOUT, [TEXT], None))


@pytest.mark.parametrize("usage_wanted", [False, True])
@pytest.mark.parametrize("choice", [TEXT, CALL])
def test_frames_are_chunks(choice: Choice, usage_wanted: bool) -> None:
    frames = StreamFrames(ABOUT, usage_wanted=usage_wanted)
    raw = [
        frames.opening(0, choice),
        *(frames.piece(0, choice, piece) for piece in choice.text),
        frames.ending(0, choice),
    ]
    assert all(frame.startswith(b"data: ") and frame.endswith(b"\n\n") for frame in raw)
    chunks = [ChatCompletionChunk.model_validate_json(frame[6:], strict=True) for frame in raw]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == choice.finish_reason
    assert all((b'"usage":null' in frame) == usage_wanted for frame in raw)


def test_the_usage_frame_has_no_choices() -> None:
    frame = StreamFrames(ABOUT, usage_wanted=True).usage(USAGE)
    chunk = ChatCompletionChunk.model_validate_json(frame[6:], strict=True)
    assert chunk.choices == []
    assert chunk.usage is not None
    assert chunk.usage.completion_tokens == 7
