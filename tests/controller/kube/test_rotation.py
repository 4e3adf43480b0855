"""When what is due, and that whoever trusts what was published long enough ago is served."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from controller.kube.certificates import CertificateError, make_leaf, read
from controller.kube.rotation import PACE_MIN, SPANS, Bundle, Due, check, done, due
from farebox.core.instant import DurationMs, UtcMs

NOW = UtcMs(1_790_000_000_000)
DAY = 86_400_000
NAMES = ("farebox.ns.svc", "*.farebox.ns.svc")
TWO_THIRDS_OF_AN_AUTHORITY = 2 * SPANS.authority // 3 + DAY


def made(*steps: tuple[Due, int]) -> Bundle:
    """A bundle of NOW after steps, each so many days later."""
    bundle = done(Due.MAKE, None, NOW, NAMES)
    for step, days in steps:
        bundle = done(step, bundle, UtcMs(NOW + days * DAY), NAMES)
    return bundle


@pytest.mark.parametrize(
    ("steps", "days", "want"),
    [
        ([], 0, Due.NOTHING),
        ([], 59, Due.NOTHING),
        ([], 60, Due.RENEW),
        ([(Due.RENEW, 60)], 61, Due.NOTHING),
        ([(Due.RENEW, 2_433)], 2_434, Due.PUBLISH),
        ([(Due.RENEW, 2_433), (Due.PUBLISH, 2_434)], 2_440, Due.NOTHING),
        ([(Due.RENEW, 2_433), (Due.PUBLISH, 2_434)], 2_441, Due.SERVE),
        ([(Due.PUBLISH, 2_434), (Due.SERVE, 2_441)], 2_447, Due.NOTHING),
        ([(Due.PUBLISH, 2_434), (Due.SERVE, 2_441)], 2_448, Due.DROP),
        ([(Due.PUBLISH, 2_434), (Due.SERVE, 2_441), (Due.DROP, 2_448)], 2_449, Due.NOTHING),
        ([(Due.PUBLISH, 2_434)], 2_435, Due.RENEW),
        ([], 4_000, Due.PUBLISH),
        ([(Due.PUBLISH, 4_000)], 4_000, Due.SERVE),
        ([(Due.PUBLISH, 10)], 4_000, Due.PUBLISH),
        ([], -1, Due.PUBLISH),
    ],
    ids=[
        "new",
        "young",
        "two thirds of the certificate are over",
        "renewed",
        "two thirds of the authority are over",
        "the next authority is not known long enough",
        "it is known",
        "the last authority may still be served by others",
        "it is not",
        "dropped",
        "a certificate is renewed whatever is waited for",
        "nobody was there for years",
        "an authority that is over is not waited for",
        "one that was to come is over as well",
        "made by a clock that was ahead",
    ],
)
def test_what_is_due(steps: list[tuple[Due, int]], days: int, want: Due) -> None:
    assert due(made(*steps), UtcMs(NOW + days * DAY), NAMES) is want


PACE = DurationMs(300_000)


def at_pace(bundle: Bundle, asked_at: int) -> Bundle:
    """A bundle after somebody asked for another authority."""
    return done(Due.PUBLISH, bundle, UtcMs(asked_at), NAMES, asked=PACE)


def test_who_asks_for_another_authority_gets_it_at_that_pace_and_the_next_one_as_usual() -> None:
    bundle = made()
    assert due(bundle, NOW, NAMES, asked=PACE) is Due.PUBLISH
    bundle = at_pace(bundle, NOW)
    steps = []
    for now in range(NOW, NOW + 4 * PACE, PACE_MIN):
        while (step := due(bundle, UtcMs(now), NAMES)) is not Due.NOTHING:
            bundle = done(step, bundle, UtcMs(now), NAMES)
            check(bundle)
            steps.append((step, now - NOW))
    assert steps == [(Due.SERVE, PACE), (Due.DROP, 2 * PACE)]
    assert bundle.pace is None
    assert bundle.trusted != made().trusted


def test_an_authority_whose_key_may_have_leaked_with_the_other_never_serves() -> None:
    coming = made((Due.PUBLISH, 1))
    assert due(coming, UtcMs(NOW + DAY), NAMES, asked=PACE) is Due.PUBLISH
    bundle = at_pace(coming, NOW + DAY)
    assert coming.coming is not None
    assert coming.coming.certificate not in bundle.trusted
    served = done(Due.SERVE, bundle, UtcMs(NOW + DAY + PACE), NAMES)
    assert trusts(bundle.trusted, served, NOW + DAY + PACE)


def test_asked_for_while_the_last_one_is_going_all_three_are_trusted() -> None:
    going = made((Due.PUBLISH, 1), (Due.SERVE, 8))
    bundle = at_pace(going, NOW + 9 * DAY)
    assert bundle.trusted.count("BEGIN") == 3
    served = done(Due.SERVE, bundle, UtcMs(NOW + 9 * DAY + PACE), NAMES)
    assert served.going == going.serving.certificate


def test_without_a_bundle_one_is_made() -> None:
    assert due(None, NOW, NAMES) is Due.MAKE


def test_another_service_name_is_a_reason_to_renew_and_fewer_names_are_none() -> None:
    assert due(made(), NOW, (*NAMES, "other.ns.svc")) is Due.RENEW
    assert due(made(), NOW, NAMES[:1]) is Due.NOTHING


def trusts(published: str, bundle: Bundle, now: int) -> bool:
    """Whether who trusts what was published takes what is served."""
    store = Store(x509.load_pem_x509_certificates(published.encode()))
    moment = datetime.fromtimestamp(now / 1_000, UTC)
    verifier = (
        PolicyBuilder().store(store).time(moment).build_server_verifier(x509.DNSName(NAMES[0]))
    )
    try:
        verifier.verify(read(bundle.leaf.certificate), [])
    except VerificationError:
        return False
    return True


def test_over_fourteen_years_whoever_read_the_bundle_within_a_week_is_served() -> None:
    """Two controllers look at different times; each serves what it read two days ago at most."""
    bundle = made()
    published: list[tuple[int, str]] = []
    served: list[Bundle] = []
    for day in range(0, 14 * 365, 2):
        now = UtcMs(NOW + day * DAY)
        while (step := due(bundle, now, NAMES)) is not Due.NOTHING:
            bundle = done(step, bundle, now, NAMES)
            check(bundle)
        published = [*published[-3:], (day, bundle.trusted)]
        served = [*served[-1:], bundle]
        if day > 0 and (served[0] is not served[-1] or day % 500 == 0 or bundle.going):
            for one in {id(one): one for one in served}.values():
                for since, text in published:
                    assert trusts(text, one, now), f"day {day}, bundle of day {since}"
    assert bundle.trusted != made().trusted
    assert len(x509.load_pem_x509_certificates(bundle.trusted.encode())) <= 3


def test_what_clients_trust_is_read_by_the_ssl_module() -> None:
    bundle = made((Due.PUBLISH, 1), (Due.SERVE, 2), (Due.PUBLISH, 3))
    context = ssl.create_default_context(cadata=bundle.trusted)
    assert len(context.get_ca_certs()) == 3


def test_a_bundle_that_can_not_be_served_is_told() -> None:
    good, other = made(), made()
    check(good)
    foreign = make_leaf(other.serving, NOW, NAMES, SPANS.leaf)
    for wrong in (
        replace(good, leaf=foreign),
        replace(good, leaf=replace(good.leaf, key=other.leaf.key)),
        replace(good, serving=replace(good.serving, key="")),
        replace(good, going="nothing"),
    ):
        with pytest.raises(CertificateError):
            check(wrong)
