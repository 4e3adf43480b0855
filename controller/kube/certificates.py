"""Making and reading the certificates of the controllers.

Elliptic keys (P-256), as every TLS client takes them. The one rule: an authority signs servers'
certificates and no further authority, and each certificate names the key that signed it. This
module is pure: it must not know what is due, where keys are kept, or what time it is.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from farebox.core.instant import DurationMs, UtcMs

BACKDATED_MS: Final = 3_600_000
"""What is made now is valid since then: the clocks of others may be behind."""


class CertificateError(ValueError):
    """What should be certificates and their keys is none, with a sentence."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str = field(repr=False)


def make_authority(now: UtcMs, lasts: DurationMs) -> Pair:
    """An authority that signs itself and nothing but servers' certificates."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # No two authorities are called the same: who trusts an old and a new one finds the right one.
    name = _name(f"Farebox authority {own.digest.hex()[:12]}")
    usage = _usage(key_cert_sign=True, crl_sign=True)
    builder = _builder(name, name, key, now, UtcMs(now + lasts))
    signed = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(own, critical=False)
        .sign(key, hashes.SHA256())
    )
    return _pair(signed, key)


def make_leaf(authority: Pair, now: UtcMs, names: Iterable[str], lasts: DurationMs) -> Pair:
    """A server's certificate, made out to DNS names and IP addresses. Raises CertificateError."""
    issuer, issuer_key = read(authority.certificate), _read_key(authority.key)
    key = ec.generate_private_key(ec.SECP256R1())
    ends = min(UtcMs(now + lasts), _instant(issuer.not_valid_after_utc))
    builder = _builder(issuer.subject, _name("Farebox controller"), key, now, ends)
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    parent = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    signed = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName(list(map(_general, sorted(names)))), critical=False
        )
        .add_extension(own, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(parent), critical=False
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return _pair(signed, key)


def read(text: str) -> x509.Certificate:
    """A certificate of PEM. Raises CertificateError."""
    try:
        return x509.load_pem_x509_certificate(text.encode())
    except ValueError as error:
        raise CertificateError("what should be a certificate is none") from error


def check_pair(pair: Pair) -> None:
    """Raises CertificateError when a pair is no certificate with its own key."""
    if _read_key(pair.key).public_key() != read(pair.certificate).public_key():
        raise CertificateError("a private key is not that of its certificate")


def names_in(leaf: x509.Certificate) -> frozenset[str]:
    """The DNS names and IP addresses that a certificate is made out to."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(str(name.value) for name in names)


def is_signed(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether a certificate was signed by this authority."""
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def is_valid(certificate: x509.Certificate, now: UtcMs) -> bool:
    """Whether it is neither over nor of a time to come."""
    starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return _instant(starts) <= now < _instant(ends)


def is_old(certificate: x509.Certificate, now: UtcMs) -> bool:
    """Whether two thirds of its time are over, or it is not valid at all.

    A third is long enough to repair what keeps it from being renewed. What is valid later only was
    made by a wrong clock.
    """
    made = _instant(certificate.not_valid_before_utc) + BACKDATED_MS
    lasts = _instant(certificate.not_valid_after_utc) - made
    return not is_valid(certificate, now) or 3 * (now - made) >= 2 * lasts


def ends_at(certificate: x509.Certificate) -> UtcMs:
    """Until when it is valid."""
    return _instant(certificate.not_valid_after_utc)


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePrivateKey, now: UtcMs, ends: UtcMs
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_moment(UtcMs(now - BACKDATED_MS)))
        .not_valid_after(_moment(ends))
    )


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Pair(certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode())


def _read_key(text: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise CertificateError("what should be a private key is none") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError("a private key is of a kind that was not made here")
    return key


def _instant(moment: datetime) -> UtcMs:
    return UtcMs(int(moment.timestamp()) * 1_000)


def _moment(instant: UtcMs) -> datetime:
    # Certificates know whole seconds only.
    return datetime.fromtimestamp(instant // 1_000, UTC)
