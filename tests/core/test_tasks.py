"""What a team that writes nothing down gets: defaults that are safe and in their ranges."""

from farebox.core.tasks import (
    AUTO_MODEL,
    AfterGates,
    Consequence,
    Escalation,
    Freedom,
    RoutingPolicy,
    TaskMatch,
    TaskProfile,
)


def test_a_concrete_model_name_is_a_ceiling_unless_the_team_says_otherwise() -> None:
    assert RoutingPolicy().freedom is Freedom.CEILING


def test_an_unsure_call_is_treated_as_harder_than_most() -> None:
    routing = RoutingPolicy()
    assert 500 < routing.unsure_difficulty <= 1_000
    assert 0 < routing.output_tokens_min < routing.output_tokens_default


def test_identity_headers_are_all_different_and_all_our_own() -> None:
    routing = RoutingPolicy()
    headers = {
        routing.session_header,
        routing.user_header,
        routing.workflow_header,
        routing.task_header,
        routing.priority_header,
        routing.tier_header,
        routing.residency_header,
    }
    assert len(headers) == 7
    assert all(header.startswith("x-farebox-") and header.islower() for header in headers)


def test_a_task_is_recognised_by_nothing_and_bound_by_nothing_until_it_says_so() -> None:
    task = TaskProfile(name="triage", default_tier="small")
    assert task.match == TaskMatch()
    assert (task.floor_tier, task.ceiling_tier) == ("", "")
    assert task.consequence is Consequence.LOW


def test_the_open_choice_cannot_be_a_model_of_any_provider() -> None:
    assert AUTO_MODEL == "farebox/auto"


def test_a_failed_answer_of_high_consequence_is_refused_whatever_is_written() -> None:
    for consequence, after in (
        (Consequence.LOW, AfterGates.RETURN_LAST),
        (Consequence.MEDIUM, AfterGates.RETURN_LAST),
        (Consequence.HIGH, AfterGates.REFUSE),
    ):
        task = TaskProfile(name="dosage", default_tier="small", consequence=consequence)
        assert task.escalation == Escalation(after=after)
