"""A call's record says exactly what was generated, not what was intended."""

import msgspec

from farebox.simulated.answers import Choice
from farebox.simulated.call import Call
from farebox.simulated.config import ModelConfig
from farebox.simulated.faults import Fault, FaultKind
from farebox.simulated.prompt import Prompt
from farebox.simulated.request import parse_request

MODEL = ModelConfig(name="small", input_per_million="0.15", output_per_million="0.60")
BODY = {
    "model": "small",
    "messages": [{"role": "user", "content": "hi"}],
    "user": "ana",
    "metadata": {"team": "a"},
    "max_tokens": 50,
    "stream": True,
}


def make_call(fault: Fault | None = None) -> Call:
    choice = Choice(text=" a" * 40, output_tokens=50, reasoning_tokens=10, finish_reason="length")
    return Call(
        request=parse_request(msgspec.json.encode(BODY)),
        request_id="req-1",
        key_tail="wxyz",
        received_at_ms=1_700_000_000_123,
        model=MODEL,
        rates=MODEL.rates(),
        prompt=Prompt(tokens=100, digest=0, texts=()),
        cached_tokens=0,
        choices=(choice, choice),
        output_tokens=100,
        fault=fault,
    )


def test_usage_sums_over_the_choices() -> None:
    usage = make_call().usage
    assert (usage.prompt, usage.completion, usage.reasoning) == (100, 100, 20)


def test_a_record_bills_what_was_generated() -> None:
    entry = make_call(Fault(kind=FaultKind.CUT_STREAM)).entry(
        seq=3, billed_at_ms=5, output_tokens=7
    )
    assert (entry.seq, entry.input_tokens, entry.output_tokens) == (3, 100, 7)
    assert entry.billed_pico == 100 * 150_000 + 7 * 600_000
    assert (entry.user, entry.metadata, entry.key_tail) == ("ana", {"team": "a"}, "wxyz")
    assert (entry.fault, entry.stream, entry.max_tokens_asked) == ("cutStream", True, 50)


def test_a_call_knows_its_fault() -> None:
    slow = make_call(Fault(kind=FaultKind.SLOW_BODY, amount=20))
    assert slow.has(FaultKind.SLOW_BODY)
    assert slow.pause_seconds == 0.02
    assert not make_call().has(FaultKind.SLOW_BODY)
    assert make_call().pause_seconds == 0
