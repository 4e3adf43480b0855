"""What the application says counts first, then what is recognised, then what can be guessed."""

from dataclasses import replace

import pytest

from farebox.core.call import Call, Identity
from farebox.core.classify import (
    FINGERPRINT_CHARS,
    Classification,
    asks_for_any_model,
    classify,
    fingerprint,
)
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.tasks import (
    AUTO_MODEL,
    ClassifierKind,
    Consequence,
    RoutingPolicy,
    TaskMatch,
    TaskProfile,
)
from tests.support.policies import make_call, make_policy

SYSTEM = "You sort the mail of Acme."
TRIAGE = TaskProfile(
    name="triage",
    match=TaskMatch(
        header_values=("mail-sorting",),
        paths=("/v1/triage",),
        aliases=("acme/triage",),
        system_fingerprints=(fingerprint(SYSTEM),),
    ),
    default_tier="small",
    floor_tier="small",
    ceiling_tier="mid",
    expected_output_tokens=12,
    output_tokens_min=4,
)
CONTRACTS = TaskProfile(
    name="contracts",
    match=TaskMatch(aliases=("acme/contracts",), paths=("/v1/triage",)),
    default_tier="mid",
    consequence=Consequence.HIGH,
)
HARMFUL = TaskProfile(name="dosage", default_tier="small", consequence=Consequence.HIGH)
CODE = TaskProfile(name="code", default_tier="small", floor_tier="mid")
LOST = TaskProfile(name="lost", default_tier="gone")
POLICY = replace(make_policy(), tasks=(TRIAGE, CONTRACTS, HARMFUL, CODE, LOST))
VAGUE = "Tell me more about it, please. " * 10


def call(prompt: str = VAGUE, task: str = "", **changes: object) -> Call:
    return make_call(identity=Identity(task=task), prompt=prompt, **changes)


def with_routing(**changes: object) -> Policy:
    routing = replace(RoutingPolicy(), **changes)  # type: ignore[arg-type]  # names its fields
    return replace(POLICY, routing=routing)


@pytest.mark.parametrize(
    ("case", "asked", "task", "reason", "rule"),
    [
        ("its name", call(task="triage"), "triage", Reason.TASK_TAGGED, "header:triage"),
        (
            "another word for it",
            call(task="mail-sorting"),
            "triage",
            Reason.TASK_TAGGED,
            "header:triage",
        ),
        (
            "its alias as model",
            call(model="acme/triage"),
            "triage",
            Reason.TASK_TAGGED,
            "alias:triage",
        ),
        ("its path", call(path="/v1/triage"), "triage", Reason.TASK_MATCHED, "path:triage"),
        ("its system text", call(system=SYSTEM), "triage", Reason.TASK_MATCHED, "system:triage"),
        (
            "a tag counts more than any path, in whatever order the tasks stand",
            call(task="contracts", path="/v1/triage", system=SYSTEM),
            "contracts",
            Reason.TASK_TAGGED,
            "header:contracts",
        ),
        (
            "an alias counts more than a system text",
            call(model="acme/contracts", system=SYSTEM),
            "contracts",
            Reason.TASK_TAGGED,
            "alias:contracts",
        ),
        (
            "a path counts more than words",
            call("Please write a function.", path="/v1/triage"),
            "triage",
            Reason.TASK_MATCHED,
            "path:triage",
        ),
        (
            "a tag that nobody knows leaves it to the words",
            call("Please write a function.", task="unheard-of"),
            "code",
            Reason.HEURISTIC_MATCHED,
            "asks-code",
        ),
        ("a system text that is not the same", call(system=SYSTEM + " "), "", None, "unsure"),
        ("nothing said, nothing seen", call(), "", None, "unsure"),
    ],
)
def test_how_a_task_is_recognised(
    case: str, asked: Call, task: str, reason: Reason | None, rule: str
) -> None:
    found = classify(asked, POLICY)
    assert (found.task, found.rule) == (task, rule), case
    assert found.reason is (reason or Reason.NOTHING_MATCHED), case


@pytest.mark.parametrize(
    ("case", "asked", "policy", "difficulty"),
    [
        ("a task is as hard as its tier serves", call(task="triage"), POLICY, 350),
        ("high consequence raises an easy one", call(task="dosage"), POLICY, 600),
        ("and leaves a harder one alone", call(task="contracts"), POLICY, 700),
        (
            "how far it raises is the policy's to say",
            call(task="dosage"),
            with_routing(high_consequence_difficulty=900),
            900,
        ),
        ("a tier that is gone leaves it unsure", call(task="lost"), POLICY, 700),
        ("words can show a call to be harder", call("Write a function."), POLICY, 850),
        ("what can't be told is as hard as the policy says", call(), POLICY, 700),
        ("or thinks otherwise", call(), with_routing(unsure_difficulty=300), 300),
        (
            "a policy of rules alone does not look at words",
            call("Write a function."),
            with_routing(classifier=ClassifierKind.RULES),
            700,
        ),
        (
            "a guess at a task without a profile stands alone",
            call("Summarize this."),
            POLICY,
            450,
        ),
    ],
)
def test_how_hard_a_call_is(case: str, asked: Call, policy: Policy, difficulty: int) -> None:
    assert classify(asked, policy).difficulty == difficulty, case


def test_a_task_brings_its_bounds_and_lengths_along() -> None:
    assert classify(call(task="triage"), POLICY) == Classification(
        task="triage",
        difficulty=350,
        reason=Reason.TASK_TAGGED,
        rule="header:triage",
        floor_tier="small",
        ceiling_tier="mid",
        output_expected=12,
        output_min=4,
    )


def test_a_guess_at_a_known_task_takes_its_bounds() -> None:
    assert classify(call("Please write a function."), POLICY).floor_tier == "mid"


def test_a_fingerprint_is_short_stable_and_of_any_text() -> None:
    assert fingerprint("") == "e3b0c44298fc1c14"
    assert fingerprint(SYSTEM) != fingerprint(SYSTEM.lower())
    # A lone surrogate can stand in JSON, though not in UTF-8.
    assert len(fingerprint("\ud800")) == FINGERPRINT_CHARS


@pytest.mark.parametrize(
    ("model", "any_model"),
    [(AUTO_MODEL, True), ("acme/contracts", True), ("gpt-4o", False), ("", False)],
)
def test_which_model_names_leave_the_choice_open(model: str, any_model: bool) -> None:
    assert asks_for_any_model(call(model=model), POLICY.marks) is any_model
