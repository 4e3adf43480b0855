"""Who calls: header before baggage before body, bounded, and refused when it can't be read."""

import pytest

from farebox.core.budgets import KEY_CHARS_MAX, NO_KEY
from farebox.core.call import Identity, Priority
from farebox.core.tasks import RoutingPolicy
from sidecar.identify import BAGGAGE_CHARS_MAX, BadIdentityError, identify, max_cost, read_head
from sidecar.inbound.request import Head

ROUTING = RoutingPolicy(user_header="X-Acme-Customer")


def who(headers: dict[str, str], body_user: str = "") -> Identity:
    """Identify with a policy that names its own header for users."""
    return identify(headers, ROUTING, body_user=body_user)


def test_a_silent_caller_is_nobody() -> None:
    assert who({}) == Identity()
    assert who({}).keys.user == NO_KEY


@pytest.mark.parametrize(
    ("what", "headers", "body_user", "user"),
    [
        ("the header that the policy names", {"x-acme-customer": "ana"}, "ben", "ana"),
        ("not the usual one then", {"x-farebox-user": "ana"}, "", NO_KEY),
        ("baggage before the body", {"baggage": "farebox.user=ana"}, "ben", "ana"),
        (
            "the header before baggage",
            {"x-acme-customer": "ana", "baggage": "farebox.user=ben"},
            "",
            "ana",
        ),
        ("the body", {}, "ben", "ben"),
        ("spaces around", {"x-acme-customer": "  ana "}, "", "ana"),
        ("nothing but spaces", {"x-acme-customer": "   "}, "", NO_KEY),
        ("letters of any language", {}, "Zo\u00eb \u6f22", "Zo\u00eb \u6f22"),
        (
            "baggage with others' members, properties and escapes",
            {"baggage": "a=1, farebox.user = an%20a;ttl=5 ,b"},
            "",
            "an a",
        ),
        ("others' baggage", {"baggage": "user=eve,xfarebox.user=eve"}, "", NO_KEY),
        (
            "baggage longer than anyone must read",
            {"baggage": "farebox.user=eve," + "x" * BAGGAGE_CHARS_MAX},
            "",
            NO_KEY,
        ),
    ],
)
def test_where_the_user_comes_from(
    what: str, headers: dict[str, str], body_user: str, user: str
) -> None:
    assert who(headers, body_user).keys.user == user


def test_all_that_can_be_said() -> None:
    identity = who(
        {
            "x-farebox-session": "s-1",
            "x-farebox-workflow": "nightly",
            "x-farebox-task": "rag",
            "x-farebox-priority": "High",
            "x-farebox-min-tier": "mid",
            "x-farebox-residency": "EU, no-training",
        }
    )
    assert (identity.min_tier, identity.residency) == ("mid", ("eu", "no-training"))
    assert (identity.keys.session, identity.keys.workflow) == ("s-1", "nightly")
    assert (identity.task, identity.priority) == ("rag", Priority.HIGH)


@pytest.mark.parametrize(
    ("what", "headers", "body_user", "complaint"),
    [
        ("too long", {"x-farebox-session": "s" * (KEY_CHARS_MAX + 1)}, "", "longer than 128"),
        ("too long in the body", {}, "u" * (KEY_CHARS_MAX + 1), "longer than 128"),
        ("control characters", {}, "a\x00b", "can't be|cannot be printed"),
        ("a line break in baggage", {"baggage": "farebox.user=a%0Ab"}, "", "cannot be printed"),
        ("no label", {"x-farebox-residency": "eu,,us"}, "", "write labels like eu"),
        ("bytes that are no text", {"x-farebox-task": "a\udcff"}, "", "cannot be printed"),
        (
            "a priority that there is not",
            {"x-farebox-priority": "urgent"},
            "",
            '"normal" or "high"',
        ),
    ],
)
def test_what_can_not_be_used_is_refused(
    what: str, headers: dict[str, str], body_user: str, complaint: str
) -> None:
    with pytest.raises(BadIdentityError, match=complaint):
        who(headers, body_user)


def test_the_most_that_a_caller_will_pay() -> None:
    assert max_cost({}) is None
    assert max_cost({"x-farebox-max-cost": " 0.25 "}) == 250_000_000


@pytest.mark.parametrize("text", ["", "-1", "1e3", "free", "0.0000000001"])
def test_an_amount_that_can_not_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadIdentityError, match="x-farebox-max-cost"):
        max_cost({"x-farebox-max-cost": text})


def test_equal_heads_are_read_once_for_each_policy_and_user() -> None:
    head = Head(((b"X-Acme-Customer", b"ana"), (b"x-farebox-max-cost", b"0.01")))
    said = read_head(head, ROUTING, body_user="ben")
    assert (said.identity.keys.user, said.cap) == ("ana", 10_000_000)
    assert read_head(head, ROUTING, body_user="ben") is said
    other = RoutingPolicy()
    assert read_head(head, other, body_user="ben").identity.keys.user == "ben"
    assert read_head(head, other, body_user="cem").identity.keys.user == "cem"
