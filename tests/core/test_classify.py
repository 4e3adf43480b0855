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
from farebox.core.gates import Gate, GateKind
from farebox.core.pacing import Pace
from farebox.core.policy import Policy
from farebox.core.reasons import Reason
from farebox.core.tasks import (
    AUTO_MODEL,
    ClassifierKind,
    Consequence,
    Freedom,
    RoutingPolicy,
    TaskMatch,
    TaskProfile,
)
from tests.support.policies import make_call, make_policy
from tests.support.weights import small_weights

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


GATE = Gate(name="label", kind=GateKind.LABELS, labels=("spam",))
GATED = TaskProfile(name="gated", default_tier="mid", gates=(GATE,), residency=("eu",))
GRAVE = replace(GATED, name="grave", consequence=Consequence.HIGH)


def with_model(classifier: ClassifierKind, **changes: object) -> Policy:
    routing = replace(RoutingPolicy(classifier=classifier), **changes)  # type: ignore[arg-type]  # names its fields
    tasks = (*POLICY.tasks, GATED, GRAVE)
    return replace(POLICY, tasks=tasks, routing=routing, scorer=small_weights())


@pytest.mark.parametrize(
    ("case", "asked", "policy", "reason", "rule"),
    [
        (
            "a tag is certain whatever the classifier",
            call("Ocean", task="triage"),
            with_model(ClassifierKind.MODEL),
            Reason.TASK_TAGGED,
            "header:triage",
        ),
        (
            "the model looks at no keywords",
            call("Please write a function.", model="farebox/auto"),
            with_model(ClassifierKind.MODEL),
            Reason.MODEL_UNSURE,
            "hand-made",
        ),
        (
            "a hybrid knows a task by its words",
            call("Please write a function."),
            with_model(ClassifierKind.HYBRID),
            Reason.HEURISTIC_MATCHED,
            "asks-code",
        ),
        (
            "words for a task that nobody wrote down decide nothing",
            call("Summarize this."),
            with_model(ClassifierKind.HYBRID),
            Reason.MODEL_UNSURE,
            "hand-made",
        ),
        (
            "where words say nothing the model does",
            call("Ocean"),
            with_model(ClassifierKind.HYBRID),
            Reason.MODEL_SCORED,
            "hand-made",
        ),
        (
            "a cascade finds a task as a hybrid does",
            call("Ocean"),
            with_model(ClassifierKind.CASCADE),
            Reason.MODEL_SCORED,
            "hand-made",
        ),
        (
            "one model may serve, so it is not asked about",
            call("Ocean", model="gpt-4o"),
            with_model(ClassifierKind.MODEL, freedom=Freedom.PINNED),
            Reason.NOTHING_MATCHED,
            "unsure",
        ),
    ],
)
def test_who_is_asked_how_hard_a_call_is(
    case: str, asked: Call, policy: Policy, reason: Reason, rule: str
) -> None:
    found = classify(asked, policy)
    assert (found.reason, found.rule) == (reason, rule), case
    assert (found.score is not None) is (rule == "hand-made"), case


def test_a_kind_of_task_is_named_even_where_it_decides_nothing() -> None:
    found = classify(call("Summarize this."), with_model(ClassifierKind.HYBRID))
    assert (found.task, found.floor_tier) == ("summarization", "")


def test_a_pace_reaches_the_model() -> None:
    policy = with_model(ClassifierKind.MODEL)
    assert classify(call("Ocean"), policy).difficulty > 500
    paced = classify(call("Ocean"), policy, Pace(0.9))
    assert (paced.reason, paced.difficulty <= 500) == (Reason.PACED, True)


@pytest.mark.parametrize(
    ("case", "task", "classifier", "cascade", "needed"),
    [
        ("gates and a cascade", "gated", ClassifierKind.CASCADE, True, 0),
        ("gates without a cascade", "gated", ClassifierKind.HYBRID, False, 700),
        ("a cascade without gates is a gamble", "triage", ClassifierKind.CASCADE, False, 350),
        (
            "high consequence does not begin at the bottom",
            "grave",
            ClassifierKind.CASCADE,
            True,
            600,
        ),
    ],
)
def test_a_cascade_needs_gates(
    case: str, task: str, classifier: ClassifierKind, cascade: bool, needed: int
) -> None:
    found = classify(call(task=task), with_model(classifier))
    assert (found.cascade, found.difficulty_needed) == (cascade, needed), case


def test_gates_and_residency_come_with_the_task() -> None:
    found = classify(call(task="gated"), with_model(ClassifierKind.RULES))
    assert (found.gates, found.escalation, found.residency) == (
        (GATE,),
        GATED.escalation,
        ("eu",),
    )
