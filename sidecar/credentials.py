"""How a sidecar knows the controller, and shows it who it is: certificates and a token, from files.

Others renew the files while the sidecar runs. The one rule: they are read for each connection, and
nothing of them is kept, logged or told. This module must not know what is said on the connection.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc

FILE_BYTES_MAX: Final = 1024 * 1024

_TOKEN: Final = re.compile(rb"[!-~]{1,16384}")
_BEGINS: Final = b"-----BEGIN CERTIFICATE-----"


class CredentialsError(Exception):
    """A file can't be used, with a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Files: `ca` has the certificates that the controller's is checked against (PEM)."""

    ca: Path
    token: Path

    def channel(self) -> grpc.ChannelCredentials:
        """What a channel is opened with. Raises CredentialsError."""
        found = _read(self.ca, "--controller-ca")
        if _BEGINS not in found:
            raise CredentialsError(f"--controller-ca {self.ca} holds no certificate (PEM)")
        return grpc.ssl_channel_credentials(root_certificates=found)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes along with a call. Raises CredentialsError."""
        found = _read(self.token, "--token-file").strip()
        if not _TOKEN.fullmatch(found):
            raise CredentialsError(f"--token-file {self.token} holds no token")
        return (("authorization", f"Bearer {found.decode()}"),)


def _read(path: Path, flag: str) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise CredentialsError(f"{flag} {path} can't be read: {error.strerror}") from None
    if len(found) > FILE_BYTES_MAX:
        raise CredentialsError(f"{flag} {path} is over {FILE_BYTES_MAX} bytes")
    return found
