"""The bytes of the benchmark agree with each other."""

import json

import pytest

from bench import traffic
from bench.traffic import Kind


@pytest.mark.parametrize("kind", Kind)
def test_requests_are_exactly_one_kib_of_json(kind: Kind) -> None:
    body = traffic.request_body(kind)
    assert len(body) == traffic.BODY_BYTES
    assert json.loads(body).get("stream", False) is (kind is Kind.STREAM)
    assert traffic.asks_for_stream(body) is (kind is Kind.STREAM)
    spaced = json.dumps(json.loads(body)).encode()
    assert traffic.asks_for_stream(spaced) is (kind is Kind.STREAM)


def test_answers_stay_within_what_the_request_allows() -> None:
    tokens_max = json.loads(traffic.request_body(Kind.PLAIN))["max_tokens"]
    answer = traffic.plain_answer()
    assert len(answer) == traffic.BODY_BYTES
    assert json.loads(answer)["usage"]["completion_tokens"] <= tokens_max
    usage_chunk = json.loads(traffic.stream_events()[-2].removeprefix(b"data: "))
    assert usage_chunk["choices"] == []
    assert usage_chunk["usage"]["completion_tokens"] <= tokens_max


def test_the_stream_has_the_chunks_it_says() -> None:
    *chunks, end = traffic.stream_events()
    assert len(chunks) == traffic.STREAM_CHUNKS
    assert end == traffic.STREAM_END
