"""The story of a call: what its outcome says after attempts, refusals and departures."""

from farebox.core.classify import classify
from farebox.core.gates import Verdict
from farebox.core.leases import HoldId
from farebox.core.money import Nanos
from farebox.core.reasons import Reason
from farebox.core.routing import Rejected, Route, route
from sidecar.attempts import Attempt
from sidecar.commands import Purpose
from sidecar.dialects.openai_chat import parse
from sidecar.events import MoneyHeld
from sidecar.refusals import RefusalDetail
from sidecar.story import STATUS_CALLER_GONE, Story
from tests.support.playbook import answer, request_body
from tests.support.policies import make_call, make_policy, planned

CALL, POLICY = make_call(), make_policy()
PLAN = planned(CALL, POLICY)


def make_story() -> Story:
    return Story("call-1", CALL, classify(CALL, POLICY), PLAN)


def make_attempt(number: int, *tried: str) -> Attempt:
    """The attempt that follows after these models were tried."""
    chosen = route(PLAN, CALL, headroom=Nanos(10**9), may_downgrade=True, tried=frozenset(tried))
    assert isinstance(chosen, Route)
    held = MoneyHeld(route=chosen, hold=HoldId(number), headroom=Nanos(10**9))
    return Attempt(held, parse(request_body()))


def test_a_call_served_at_the_second_attempt() -> None:
    story = make_story()
    first, second = make_attempt(1), make_attempt(2, "gpt-4o-mini")
    story.add(first, first.end_lost())
    second.collect(answer())
    story.add(second, second.end_whole(second.body))
    outcome = story.outcome(status=200, refused=None, caller_gone=False)
    assert (outcome.model, outcome.tier) == ("gpt-4o", "mid")
    assert outcome.response_model == "gpt-4o-mini-2024-07-18"
    assert outcome.route is Reason.FAILED_OVER
    assert [attempt.hold for attempt in outcome.attempts] == [1, 2]
    assert outcome.cost == first.held.route.hold + 450_000
    assert (outcome.task, outcome.rule) == ("classification", "task_tagged=header:classification")
    assert (outcome.status, outcome.refused) == (200, None)


def test_a_refused_call_keeps_the_reasons_of_its_refusal() -> None:
    rejected = (Rejected(model="o1", reason=Reason.DOES_NOT_FIT),)
    detail = RefusalDetail(
        reason=Reason.POOL_EXHAUSTED, message="Spent.", pool="acme/team", rejected=rejected
    )
    outcome = make_story().outcome(status=402, refused=detail, caller_gone=False)
    assert (outcome.refused, outcome.refused_pool) == (Reason.POOL_EXHAUSTED, "acme/team")
    assert outcome.rejected == rejected
    assert (outcome.model, outcome.route, outcome.cost) == ("", None, 0)


def test_a_caller_that_left_has_a_status_of_its_own() -> None:
    outcome = make_story().outcome(status=200, refused=None, caller_gone=True)
    assert outcome.status == STATUS_CALLER_GONE
    assert outcome.caller_gone


def test_an_outcome_has_no_prompt() -> None:
    outcome = make_story().outcome(status=200, refused=None, caller_gone=False)
    assert CALL.prompt not in repr(outcome)


def test_what_is_asked_to_judge_an_answer_is_kept_apart() -> None:
    story = make_story()
    first, grader = make_attempt(1), make_attempt(2)
    first.collect(answer())
    story.add(first, first.end_whole(first.body))
    grader.collect(answer("90"))
    story.add_aside(grader, grader.end_whole(grader.body), Purpose.GRADE)
    story.judge(0, [Verdict("graded", passed=True)])
    story.gate, story.escalations = "passed", 1
    outcome = story.outcome(status=200, refused=None, caller_gone=False)
    assert [one.purpose for one in outcome.attempts] == [Purpose.ANSWER, Purpose.GRADE]
    assert [len(one.verdicts) for one in outcome.attempts] == [1, 0]
    assert (outcome.model, outcome.cost) == ("gpt-4o-mini", 54_000)
    assert (outcome.gate, outcome.escalations) == ("passed", 1)


def test_the_answer_that_was_given_is_the_one_that_served() -> None:
    story = make_story()
    first, second = make_attempt(1), make_attempt(2, "gpt-4o-mini")
    for attempt in (first, second):
        attempt.collect(answer())
        story.add(attempt, attempt.end_whole(attempt.body))
    story.serve(first, story.attempts[0])
    outcome = story.outcome(status=200, refused=None, caller_gone=False)
    assert (outcome.model, outcome.route) == ("gpt-4o-mini", Reason.CHEAPEST_SUFFICIENT)
