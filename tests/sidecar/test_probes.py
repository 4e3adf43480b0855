"""When the pod's own containers may start, and be sent to."""

import pytest
from prometheus_client import CollectorRegistry

from sidecar.probes import START_MS_MAX, Probes
from tests.support.clocks import ManualClock


@pytest.mark.parametrize(
    ("policy", "tried_all", "waited", "started"),
    [
        (False, False, 0, False),
        (True, False, 0, True),
        (False, True, START_MS_MAX - 1, False),
        (False, True, START_MS_MAX, True),
        (False, False, 10 * START_MS_MAX, False),
        (True, True, START_MS_MAX, True),
    ],
    ids=[
        "nothing is known yet",
        "there is a policy",
        "no controller answers, but one may soon",
        "no controller answers: calls are answered with that",
        "not every controller was tried",
        "all is well",
    ],
)
def test_a_workload_starts_with_a_policy_or_when_it_is_clear_that_none_comes(
    policy: bool, tried_all: bool, waited: int, started: bool
) -> None:
    clock = ManualClock()
    probes = Probes(CollectorRegistry(), clock, ready=lambda: policy, tried_all=lambda: tried_all)
    clock.advance(waited)
    want = "" if started else "no policy from the controller yet"
    assert (probes.not_started(), probes.not_ready()) == (want, want)


def test_one_that_stops_takes_no_calls_and_has_started_all_the_same() -> None:
    probes = Probes(CollectorRegistry(), ManualClock(), ready=lambda: True, tried_all=lambda: True)
    probes.stopping = True
    assert (probes.not_started(), probes.not_ready()) == ("", "stopping")
