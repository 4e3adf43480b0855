"""How the controller reaches etcd, as it is configured.

The one rule: a password and a ledger never cross a network in the clear. This module must not know
what is kept in etcd, or the client.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PREFIX: Final = "/farebox"
FILE_BYTES_MAX: Final = 1024 * 1024
ENDPOINTS_MAX: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdOptions:
    """What `controller.store.etcd_client.Access` is made of, and the prefix of all keys."""

    endpoints: tuple[str, ...]
    prefix: str = PREFIX
    ca: bytes | None = None
    cert: bytes | None = None
    key: bytes | None = None
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Without the password and the key."""
        return f"EtcdOptions(endpoints={self.endpoints}, prefix={self.prefix!r})"


def _endpoints(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    for one in found:
        if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}", one):
            raise ValueError(f"{one!r} is not an endpoint: write HOST:PORT,HOST:PORT")
    if not 1 <= len(found) <= ENDPOINTS_MAX:
        raise ValueError(f"{text!r} names {len(found)} endpoints: write 1 to {ENDPOINTS_MAX}")
    return found


def _content(text: str) -> bytes:
    path = Path(text)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{text!r} can't be read: {error.strerror}") from None
    if not content.strip() or len(content) > FILE_BYTES_MAX:
        raise ValueError(f"{text!r} is empty or larger than {FILE_BYTES_MAX} bytes")
    return content


def _password(text: str) -> str:
    try:
        return _content(text).decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{text!r} is not text in UTF-8") from None


def _prefix(text: str) -> str:
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)+/?", text):
        raise ValueError(f"{text!r} is not a prefix: write one such as {PREFIX}")
    return text.rstrip("/")


def _user(text: str) -> str:
    if not text.strip():
        raise ValueError("the name of a user can't be empty")
    return text.strip()


ETCD_OPTIONS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "--etcd-endpoints": ("etcd_endpoints", _endpoints),
    "--etcd-ca": ("etcd_ca", _content),
    "--etcd-cert": ("etcd_cert", _content),
    "--etcd-key": ("etcd_key", _content),
    "--etcd-user": ("etcd_user", _user),
    "--etcd-password-file": ("etcd_password", _password),
    "--etcd-prefix": ("etcd_prefix", _prefix),
}
"""Each flag with the name of its value and how its text is read (or ValueError)."""


def take_etcd(values: dict[str, Any]) -> dict[str, Any]:
    """Take the values of these flags out of all values, under the names of EtcdOptions."""
    return {
        name.removeprefix("etcd_"): values.pop(name)
        for name, _ in ETCD_OPTIONS.values()
        if name in values
    }


def checked_etcd(values: Mapping[str, Any], mistakes: list[str]) -> EtcdOptions | None:
    """The options, or None and what is wrong with them together."""
    before = len(mistakes)
    if "endpoints" not in values:
        mistakes.append("--etcd-endpoints is missing: give etcd's members as HOST:PORT,HOST:PORT.")
    if ("cert" in values) != ("key" in values):
        mistakes.append("--etcd-cert and --etcd-key go together: give both or none.")
    if ("user" in values) != ("password" in values):
        mistakes.append("--etcd-user and --etcd-password-file go together: give both or none.")
    if "ca" not in values:
        if "cert" in values:
            mistakes.append("--etcd-cert needs --etcd-ca: etcd's certificate must be checked too.")
        far = [one for one in values.get("endpoints", ()) if not _is_near(one)]
        if far:
            mistakes.append(
                f"--etcd-ca is missing: {', '.join(far)} is not on this machine, "
                "and a ledger must not cross a network in the clear."
            )
    return EtcdOptions(**values) if len(mistakes) == before else None


def _is_near(endpoint: str) -> bool:
    host = endpoint.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
