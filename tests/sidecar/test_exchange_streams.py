"""The life of a call as scripts: streams, callers that leave, and a process that stops."""

import json

import pytest

from farebox.core.money import ZERO
from sidecar.events import (
    CallerGone,
    Phase,
    Stopped,
    TimedOut,
    UpstreamData,
    UpstreamEnded,
    UpstreamFailed,
    UpstreamHead,
)
from sidecar.exchange import IllegalEventError
from tests.support.playbook import (
    BROKEN,
    DONE,
    JSON,
    ROLE,
    SSE,
    STOP,
    USAGE_CHUNK,
    WHOLE,
    Playbook,
    answer,
    chunk,
    forwarded,
    make_exchange,
    streaming,
    word,
)
from tests.support.policies import make_policy

# ---------------------------------------------------------------------------------------- streams


def test_a_stream_is_passed_on_and_settled_by_its_usage_chunk_which_is_left_out() -> None:
    play = streaming()
    assert json.loads(play.forwarded[0].body)["stream_options"] == {"include_usage": True}
    play.tells(UpstreamData(ROLE + word()), "send chunk")
    play.tells(UpstreamData(STOP), "send chunk")
    play.tells(UpstreamData(USAGE_CHUNK))
    play.tells(UpstreamData(DONE), "send chunk")
    play.tells(WHOLE, "settle 1 27000 usage_reported", "finish 200", "send end")
    assert play.sent == ROLE + word() + STOP + DONE


def test_a_caller_that_asked_for_usage_gets_it() -> None:
    play = streaming(stream_options={"include_usage": True})
    play.tells(UpstreamData(word() + STOP + USAGE_CHUNK + DONE), "send chunk")
    play.tells(WHOLE, "settle 1 27000 usage_reported", "finish 200", "send end")
    assert play.sent == word() + STOP + USAGE_CHUNK + DONE


def test_a_whole_stream_without_usage_costs_the_bound_of_what_was_seen() -> None:
    play = streaming(max_tokens=4_000)
    play.tells(UpstreamData(word("x" * 30) + STOP + DONE), "send chunk")
    cost = (play.exchange.call.body_bytes + 40) * 150 + 30 * 600
    play.tells(WHOLE, f"settle 1 {cost} usage_counted", "finish 200", "send end")


def test_a_stream_that_breaks_off_counts_in_full_and_says_so() -> None:
    play = streaming()
    play.tells(UpstreamData(word()), "send chunk")
    play.tells(UpstreamData(b'data: {"half'))
    play.tells(BROKEN, "expire 1 outcome_unknown", "finish 200", "send chunk", "send end")
    error = json.loads(play.sent.split(b"data: ")[-1])["error"]
    assert error["code"] == "provider_unreachable"


def test_a_stream_that_ends_without_its_last_event_counts_in_full() -> None:
    play = streaming()
    play.tells(UpstreamData(word()), "send chunk")
    play.tells(WHOLE, "expire 1 outcome_unknown", "finish 200", "send chunk", "send end")


def test_a_stream_that_breaks_off_after_its_usage_is_settled_exactly() -> None:
    play = streaming()
    play.tells(UpstreamData(word() + STOP + USAGE_CHUNK), "send chunk")
    play.tells(BROKEN, "settle 1 27000 usage_reported", "finish 200", "send end")


def test_a_running_total_of_usage_is_no_last_word() -> None:
    play = streaming()
    running = chunk({"content": " word"}, usage={"prompt_tokens": 100, "completion_tokens": 1})
    play.tells(UpstreamData(running), "send chunk")
    play.tells(BROKEN, "expire 1 outcome_unknown", "finish 200", "send chunk", "send end")


def test_a_silent_stream_counts_in_full() -> None:
    play = streaming()
    play.tells(UpstreamData(word()), "send chunk")
    play.tells(
        TimedOut(Phase.BODY),
        "close upstream",
        "expire 1 outcome_unknown",
        "finish 200",
        "send chunk",
        "send end",
    )


def test_a_stream_beyond_its_hold_is_cut_in_the_form_of_the_api() -> None:
    play = streaming(max_tokens=16)
    for _ in range(16):
        play.tells(UpstreamData(word()), "send chunk")
    play.tells(
        UpstreamData(word() + word()),
        "close upstream",
        "expire 1 cut_at_hold",
        "finish 200",
        "send chunk",
        "send end",
    )
    events = play.sent.split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    last = json.loads(events[-3].removeprefix(b"data: "))
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}]
    assert play.sent.count(b" word") == 16


def test_a_cut_stream_ends_with_usage_when_it_was_asked_for() -> None:
    play = streaming(max_tokens=16, stream_options={"include_usage": True})
    play.tells(
        UpstreamData(word("x" * 128 * 17)),
        "close upstream",
        "expire 1 cut_at_hold",
        "finish 200",
        "send chunk",
        "send end",
    )
    usage = json.loads(play.sent.split(b"\n\n")[-3].removeprefix(b"data: "))["usage"]
    assert usage["completion_tokens"] == 16


def test_several_choices_share_the_bound() -> None:
    play = streaming(max_tokens=16, n=2)
    for _ in range(32):
        play.tells(UpstreamData(word()), "send chunk")
    play.tells(
        UpstreamData(word()),
        "close upstream",
        "expire 1 cut_at_hold",
        "finish 200",
        "send chunk",
        "send end",
    )


def test_an_event_without_end_breaks_the_stream() -> None:
    play = streaming()
    play.tells(
        UpstreamData(b"data: " + b"x" * (5 * 1024 * 1024)),
        "close upstream",
        "expire 1 outcome_unknown",
        "finish 200",
        "send chunk",
        "send end",
    )


# ------------------------------------------------------------------------ callers that leave, stop


def test_a_caller_that_leaves_a_stream_pays_what_the_provider_reports() -> None:
    play = streaming()
    play.tells(UpstreamData(word()), "send chunk")
    play.tells(CallerGone(), "drain")
    play.tells(CallerGone())
    play.tells(UpstreamData(word() + STOP + USAGE_CHUNK + DONE))
    play.tells(WHOLE, "settle 1 27000 usage_reported", "finish 499")
    assert play.outcome is not None
    assert play.outcome.caller_gone


def test_a_caller_that_leaves_before_the_head_pays_what_the_provider_reports() -> None:
    play = forwarded(make_exchange())
    play.tells(CallerGone(), "drain")
    play.tells(UpstreamHead(200, JSON))
    play.tells(UpstreamData(answer()))
    play.tells(WHOLE, "settle 1 27000 usage_reported", "finish 499")


def test_a_caller_that_leaves_is_not_served_by_another_model() -> None:
    play = forwarded(make_exchange())
    play.tells(CallerGone(), "drain")
    play.tells(UpstreamHead(503, JSON))
    play.tells(WHOLE, "void 1 provider_refused", "finish 499")


def test_a_caller_that_leaves_while_money_is_sought_costs_nothing() -> None:
    play = Playbook(make_exchange())
    play.begins("hold")
    play.tells(CallerGone(), "finish 499")
    assert play.outcome is not None
    assert play.outcome.cost == ZERO


def test_a_caller_that_leaves_before_anything_was_sent_costs_nothing() -> None:
    play = forwarded(make_exchange())
    play.tells(CallerGone(), "drain")
    play.tells(UpstreamFailed(sent=False, why="left"), "void 1 nothing_sent", "finish 499")


def test_reading_on_is_bounded_by_time() -> None:
    play = streaming()
    play.tells(CallerGone(), "drain")
    play.tells(TimedOut(Phase.DRAIN), "close upstream", "expire 1 outcome_unknown", "finish 499")


def test_reading_on_is_bounded_by_the_hold() -> None:
    play = streaming(max_tokens=16)
    play.tells(CallerGone(), "drain")
    play.tells(UpstreamData(word() * 17), "close upstream", "expire 1 cut_at_hold", "finish 499")


@pytest.mark.parametrize(
    ("where", "facts", "orders"),
    [
        ("sent", (), ("close upstream", "expire 1 outcome_unknown", "finish 499")),
        (
            "refused by the provider",
            (UpstreamHead(429, JSON),),
            ("close upstream", "void 1 provider_refused", "finish 499"),
        ),
        (
            "answering",
            (UpstreamHead(200, JSON),),
            ("close upstream", "expire 1 outcome_unknown", "finish 499"),
        ),
    ],
)
def test_a_process_that_stops_ends_the_money_of_every_call(
    where: str, facts: tuple[UpstreamHead, ...], orders: tuple[str, ...]
) -> None:
    play = forwarded(make_exchange())
    for fact in facts:
        play.tells(fact)
    play.tells(Stopped(), *orders)


def test_a_process_that_stops_after_the_usage_has_come_settles_exactly() -> None:
    play = streaming()
    play.tells(CallerGone(), "drain")
    play.tells(UpstreamData(word() + STOP + USAGE_CHUNK))
    play.tells(Stopped(), "close upstream", "settle 1 27000 usage_reported", "finish 499")


def test_nothing_more_is_ordered_once_a_call_is_over() -> None:
    play = Playbook(make_exchange())
    play.begins("hold")
    play.tells(Stopped(), "finish 499")
    play.tells(UpstreamEnded(complete=True))
    play.tells(Stopped())


def test_a_fact_that_can_not_be_is_a_fault() -> None:
    play = Playbook(make_exchange())
    play.begins("hold")
    with pytest.raises(IllegalEventError, match="UpstreamHead while holding"):
        play.tells(UpstreamHead(200, SSE))


def test_a_hold_ends_exactly_once_on_every_path() -> None:
    play = streaming()
    play.tells(UpstreamData(word() + STOP + USAGE_CHUNK + DONE), "send chunk")
    play.tells(WHOLE, "settle 1 27000 usage_reported", "finish 200", "send end")
    for late in (CallerGone(), TimedOut(Phase.DRAIN), Stopped(), BROKEN):
        play.tells(late)


def test_the_policy_of_the_call_is_kept() -> None:
    policy = make_policy()
    assert make_exchange(policy).policy is policy
