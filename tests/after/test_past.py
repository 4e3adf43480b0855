"""A receipt as a call again: what it says of itself, and what a policy takes it for."""

from dataclasses import replace

import msgspec
import pytest

from farebox.after.past import call_of, case_of, found_again
from farebox.core.budgets import Keys
from farebox.core.call import Identity, Priority
from farebox.core.reasons import Reason
from farebox.core.tasks import ClassifierKind, RoutingPolicy, TaskMatch
from farebox.core.usage import Usage
from sidecar.commands import Asked
from tests.support.past import START, past
from tests.support.policies import TASKS, make_policy

POLICY = make_policy()


def test_the_call_is_as_it_was_but_for_its_text() -> None:
    identity = Identity(
        keys=Keys(user="ana", session="s"),
        task="rag",
        priority=Priority.HIGH,
        min_tier="mid",
        residency=("eu",),
    )
    asked = Asked(
        body_bytes=900, turns=3, output_tokens=7, choices=2, tools=1, images=4, json_schema=True
    )
    call = call_of(past(identity=identity, asked=asked, stream=True))
    assert call.identity == identity
    assert (
        Asked(
            call.body_bytes,
            call.turns,
            call.output_tokens,
            call.choices,
            call.tools,
            call.images,
            call.json_schema,
        )
        == asked
    )
    assert (call.stream, call.prompt, call.system) == (True, "", "")


def test_an_older_receipt_says_its_size_by_its_tokens() -> None:
    older = msgspec.structs.replace(past(usage=Usage(input=100, call=1)), asked=None)
    assert call_of(older).body_bytes == 400


@pytest.mark.parametrize(
    ("rule", "task", "kind", "expected"),
    [
        ("heuristic_matched=long-text", "rag", ClassifierKind.HEURISTIC, ("rag", 700)),
        ("heuristic_matched=long-text", "rag", ClassifierKind.RULES, ("", 500)),
        ("heuristic_matched=greeting", "odd", ClassifierKind.HEURISTIC, ("odd", 123)),
        ("model_scored=a", "", ClassifierKind.HYBRID, ("", 123)),
        ("model_scored=a", "", ClassifierKind.HEURISTIC, ("", 500)),
        ("task_matched=system:rag", "rag", ClassifierKind.RULES, ("rag", 700)),
        ("task_matched=system:gone", "gone", ClassifierKind.RULES, ("", 500)),
        ("nothing_matched=unsure", "", ClassifierKind.HYBRID, ("", 500)),
        ("word-of-another-version", "", ClassifierKind.HYBRID, ("", 500)),
    ],
)
def test_what_was_found_in_the_text_is_used_as_far_as_the_policy_would_look(
    rule: str, task: str, kind: ClassifierKind, expected: tuple[str, int]
) -> None:
    policy = replace(POLICY, routing=RoutingPolicy(classifier=kind, unsure_difficulty=500))
    of = past(identity=Identity(), rule=rule, task=task, difficulty=123)
    found = found_again(of, call_of(of), policy)
    assert (found.task, found.difficulty) == expected


def test_what_the_application_says_is_heard_anew() -> None:
    tasks = (replace(TASKS[1], match=TaskMatch(header_values=("classification",))), TASKS[2])
    found = found_again(past(), call_of(past()), replace(POLICY, tasks=tasks))
    assert (found.task, found.reason) == ("rag", Reason.TASK_TAGGED)


def test_a_case_is_asked_at_the_time_of_its_receipt() -> None:
    case = case_of(past(at=17, duration=3), POLICY)
    assert (case.id, case.at, case.duration) == ("call-1", START + 17, 3)


def test_a_text_that_was_kept_is_classified_anew() -> None:
    kept = msgspec.structs.replace(
        past(identity=Identity(), rule="nothing_matched=unsure", task=""),
        prompt="Please write a small Python function that adds two numbers.",
    )
    found = found_again(kept, call_of(kept), POLICY)
    assert (found.task, found.reason) == ("code", Reason.HEURISTIC_MATCHED)
