"""The certificates and keys of a test's own Kubernetes, made anew for each.

The one rule: one authority signs everything, and what is written is in the folder that was given
and nowhere else. This module must not know what runs.
"""

import datetime as dt
import ipaddress
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from farebox.runtime.clock import SystemClock

_VALID: Final = dt.timedelta(days=2)
_SERVER: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
_CLIENT: Final = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])


class Authority:
    """Signs the certificates of one Kubernetes. Each is NAME.crt with NAME.key in the folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.file = folder / "ca.crt"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("test-authority", ())
        public = self._key.public_key()
        self._signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
        basic = x509.BasicConstraints(ca=True, path_length=None)
        own = x509.SubjectKeyIdentifier.from_public_key(public)
        builder = self._builder(self._name, public).add_extension(basic, critical=True)
        signed = builder.add_extension(own, critical=False).sign(self._key, hashes.SHA256())
        self.file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str, names: Sequence[str], addresses: Sequence[str]) -> None:
        """A server that is reached by these names and addresses."""
        found: list[x509.GeneralName] = [x509.DNSName(one) for one in names]
        found += [x509.IPAddress(ipaddress.ip_address(one)) for one in addresses]
        alternatives = x509.SubjectAlternativeName(found)
        self._issue(name, _named(name, ()), (_SERVER, alternatives))

    def client(self, name: str, user: str, groups: Sequence[str] = ()) -> None:
        """Somebody whom the API server knows as this user."""
        self._issue(name, _named(user, groups), (_CLIENT,))

    def _issue(
        self, name: str, subject: x509.Name, extensions: Sequence[x509.ExtensionType]
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(subject, key.public_key())
        for one in (*extensions, self._signer):
            builder = builder.add_extension(one, critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        encoded = signed.public_bytes(serialization.Encoding.PEM)
        (self.folder / f"{name}.crt").write_bytes(encoded)
        write_key(self.folder / f"{name}.key", key)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = dt.datetime.fromtimestamp(SystemClock().utc() / 1000, dt.UTC)
        return (
            x509.CertificateBuilder()
            .issuer_name(self._name)
            .subject_name(subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + _VALID)
        )

    def kubeconfig(self, name: str, server: str) -> Path:
        """How a client of this authority reaches the API server; gives the file."""
        path = self.folder / f"{name}.kubeconfig"
        found = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [
                {
                    "name": "test",
                    "cluster": {"server": server, "certificate-authority": str(self.file)},
                }
            ],
            "users": [
                {
                    "name": name,
                    "user": {
                        "client-certificate": str(self.folder / f"{name}.crt"),
                        "client-key": str(self.folder / f"{name}.key"),
                    },
                }
            ],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
        }
        path.write_text(json.dumps(found))
        return path


def write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a private key, for its owner alone."""
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def write_key_pair(folder: Path, name: str) -> None:
    """A key NAME.key and its public half NAME.pub."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_key(folder / f"{name}.key", key)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / f"{name}.pub").write_bytes(public)


def _named(user: str, groups: Sequence[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, user)])
