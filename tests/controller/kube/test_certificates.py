"""What is made is what TLS clients want, read independently of what made it."""

import ipaddress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from controller.kube.certificates import (
    CertificateError,
    Pair,
    check_pair,
    ends_at,
    is_old,
    is_signed,
    is_valid,
    make_authority,
    make_leaf,
    names_in,
    read,
)
from farebox.core.instant import DurationMs, UtcMs

NOW = UtcMs(1_790_000_000_000)
HOUR = 3_600_000
DAY = 24 * HOUR
NAMES = ("farebox.ns.svc", "*.farebox.ns.svc", "10.0.0.7")


def authority(lasts: int = 100 * DAY, now: int = NOW) -> Pair:
    return make_authority(UtcMs(now), DurationMs(lasts))


def leaf(of: Pair, lasts: int = 90 * DAY, now: int = NOW) -> Pair:
    return make_leaf(of, UtcMs(now), NAMES, DurationMs(lasts))


def test_an_authority_signs_servers_and_no_further_authority() -> None:
    made = read(authority().certificate)
    basic = made.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = made.extensions.get_extension_for_class(x509.KeyUsage)

    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.digital_signature) == (True, False)
    assert made.subject == made.issuer
    key = made.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"


def test_no_two_authorities_have_the_same_name() -> None:
    assert read(authority().certificate).subject != read(authority().certificate).subject


def test_a_certificate_names_its_hosts_and_the_key_that_signed_it() -> None:
    parent = authority()
    made, signer = read(leaf(parent).certificate), read(parent.certificate)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    basic = made.extensions.get_extension_for_class(x509.BasicConstraints).value
    named = made.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    own = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value

    assert sorted(names.get_values_for_type(x509.DNSName)) == ["*.farebox.ns.svc", "farebox.ns.svc"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.0.0.7")]
    assert [one.dotted_string for one in usage] == ["1.3.6.1.5.5.7.3.1"], "serverAuth alone"
    assert not basic.ca
    assert named.key_identifier == own.digest
    assert names_in(made) == frozenset(NAMES)
    assert is_signed(made, signer)
    assert not is_signed(made, read(authority().certificate))


@pytest.mark.parametrize(
    ("host", "days", "fits"),
    [
        ("farebox.ns.svc", 0, True),
        ("farebox-0.farebox.ns.svc", 89, True),
        ("farebox.ns.svc", 91, False),
        ("other.ns.svc", 0, False),
        ("a.b.farebox.ns.svc", 0, False),
    ],
)
def test_a_strict_verifier_takes_it_for_its_hosts_and_its_time(
    host: str, days: int, fits: bool
) -> None:
    parent = authority(lasts=3_650 * DAY)
    made = read(leaf(parent).certificate)
    moment = datetime.fromtimestamp(NOW / 1_000, UTC) + timedelta(days=days)
    verifier = (
        PolicyBuilder()
        .store(Store([read(authority().certificate), read(parent.certificate)]))
        .time(moment)
        .build_server_verifier(x509.DNSName(host))
    )
    if fits:
        assert verifier.verify(made, [])
    else:
        with pytest.raises(VerificationError):
            verifier.verify(made, [])


def test_it_is_valid_for_clocks_that_are_an_hour_behind() -> None:
    made = read(leaf(authority()).certificate)
    assert is_valid(made, UtcMs(NOW - HOUR))
    assert not is_valid(made, UtcMs(NOW - HOUR - 1_000))


def test_a_certificate_ends_with_its_authority() -> None:
    parent = authority(lasts=10 * DAY)
    assert ends_at(read(leaf(parent).certificate)) == NOW + 10 * DAY


@pytest.mark.parametrize(
    ("after", "old"),
    [(0, False), (60 * DAY - 1_000, False), (60 * DAY, True), (91 * DAY, True), (-2 * HOUR, True)],
)
def test_it_is_old_after_two_thirds_of_its_time_and_while_it_is_not_valid(
    after: int, old: bool
) -> None:
    assert is_old(read(leaf(authority()).certificate), UtcMs(NOW + after)) is old


def test_what_is_short_lived_is_not_old_when_it_is_made() -> None:
    made = read(leaf(authority(), lasts=3_000).certificate)
    assert not is_old(made, NOW)
    assert is_old(made, UtcMs(NOW + 2_000))


def test_a_pair_is_checked() -> None:
    one, other = authority(), authority()
    check_pair(one)
    for wrong in (
        Pair(one.certificate, other.key),
        Pair(one.certificate, "no key"),
        Pair("no certificate", one.key),
    ):
        with pytest.raises(CertificateError):
            check_pair(wrong)


def test_a_key_is_never_shown() -> None:
    assert "PRIVATE" not in repr(authority())
