"""What is trusted: added at once, dropped a while later, never fought over."""

import pytest

from controller.kube.authorities import EXTRA_MAX, Authorities, bundle_of, certificates_in
from tests.support.clocks import ManualClock


def pem(name: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{name}\n-----END CERTIFICATE-----\n"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def authorities(clock: ManualClock) -> Authorities:
    made = Authorities(clock, drop_after_ms=1_000)
    made.want(pem("new"))
    return made


def test_certificates_are_found_in_any_text() -> None:
    text = f"subject=/CN=a\n{pem('a')}\n\n{pem('b')}{pem('a')}trailing"
    assert certificates_in(text) == (pem("a").strip(), pem("b").strip())
    assert bundle_of(certificates_in(text)) == pem("a") + pem("b")


@pytest.mark.parametrize(
    ("what", "found", "wanted"),
    [
        ("nothing there", "", pem("new")),
        ("as it should be", pem("new"), None),
        ("another that is not wanted", pem("old"), pem("new") + pem("old")),
        ("both, in another order", pem("old") + pem("new"), None),
        ("something that is no certificate", "junk" + pem("new"), pem("new")),
        ("more than any rotation has", "".join(map(pem, map(str, range(9)))), pem("new")),
    ],
)
def test_what_a_place_should_hold(
    authorities: Authorities, what: str, found: str, wanted: str | None
) -> None:
    assert EXTRA_MAX == 8
    assert authorities.bundle_for("place", found) == wanted


def test_what_is_wanted_no_more_is_dropped_after_a_while(
    authorities: Authorities, clock: ManualClock
) -> None:
    both = pem("new") + pem("old")
    assert authorities.wait_s() is None
    assert authorities.bundle_for("place", both) is None
    clock.advance(400)
    assert authorities.wait_s() == 0.6
    assert authorities.bundle_for("place", both) is None
    clock.advance(600)
    assert authorities.wait_s() == 0
    assert authorities.bundle_for("place", both) == pem("new")
    assert authorities.bundle_for("place", pem("new")) is None
    assert authorities.wait_s() is None


def test_what_comes_again_is_given_its_time_again(
    authorities: Authorities, clock: ManualClock
) -> None:
    """So two controllers that want different things write at most so often."""
    both = pem("new") + pem("old")
    authorities.bundle_for("place", both)
    clock.advance(1_000)
    assert authorities.bundle_for("place", pem("new")) is None
    assert authorities.bundle_for("place", both) is None
    assert authorities.bundle_for("other", both) is None


def test_a_place_that_is_gone_is_waited_for_no_more(authorities: Authorities) -> None:
    authorities.bundle_for("place", pem("old"))
    authorities.forget("place")
    assert authorities.wait_s() is None


def test_wanting_nothing_is_a_mistake(authorities: Authorities) -> None:
    with pytest.raises(ValueError, match="no certificate"):
        authorities.want("nothing")
    assert authorities.wanted == (pem("new").strip(),)


def test_what_is_overdue_was_told_and_is_waited_for_no_more(
    authorities: Authorities, clock: ManualClock
) -> None:
    """A place that can't be written has pauses of its own: nobody looks at it all the time."""
    both = pem("new") + pem("old")
    authorities.bundle_for("place", both)
    clock.advance(1_000)
    assert authorities.bundle_for("place", both) == pem("new")
    assert authorities.wait_s() is None
    assert authorities.bundle_for("place", both) == pem("new")


def test_a_place_that_is_not_looked_at_any_more_is_gone(
    authorities: Authorities, clock: ManualClock
) -> None:
    for places in (("a", "b"), ("b",), ()):
        authorities.begin_look()
        for place in places:
            authorities.bundle_for(place, pem("old"))
        authorities.end_look()
        clock.advance(100)
        assert (authorities.wait_s() is None) is (not places)
    authorities.begin_look()
    clock.advance(900)
    assert authorities.bundle_for("a", pem("new") + pem("old")) is None, "its time begins anew"
