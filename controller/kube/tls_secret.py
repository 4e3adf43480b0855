"""The Secret in which the controllers share their authority and certificate.

An empty one may be there before them, and is filled; an annotation asks for another authority. The
one rule: it is only ever written over the version that was read, so that of two controllers that do
the same thing one does it and the other one sees that; and what can't be read is left as it is, for
it may be somebody else's. This module must not know what is due.
"""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from controller.kube.certificates import CertificateError, Pair
from controller.kube.client import KubeError, path
from controller.kube.rotation import PACE_MAX, PACE_MIN, Bundle, check
from farebox.core.instant import DurationError, DurationMs, UtcMs, parse_duration

SECRET: Final = "farebox-tls"  # noqa: S105  a name
REPLACE: Final = "farebox.dev/replace-ca"
"""The annotation that asks for another authority; it says how long each step waits."""

_SINCE: Final = "since"
_PACE: Final = "pace"


class Conflict(Exception):
    """Somebody else has written the Secret since it was read."""


class Requests(Protocol):
    """The requests that are made to the API server; see `controller.kube.client.KubeClient`."""

    async def get(self, at: str) -> dict[str, Any]: ...

    async def create(self, at: str, body: dict[str, Any]) -> dict[str, Any]: ...

    async def replace(self, at: str, body: dict[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What the Secret holds, None while it is empty, and all else of it as it was read."""

    bundle: Bundle | None
    metadata: dict[str, Any] = field(repr=False)

    @property
    def asked(self) -> DurationMs | None:
        """The pace at which another authority is asked for. Raises CertificateError."""
        text = (self.metadata.get("annotations") or {}).get(REPLACE)
        if text is None:
            return None
        try:
            pace = parse_duration(str(text))
        except DurationError as error:
            raise CertificateError(f"{REPLACE} on Secret {SECRET}: {error}") from None
        return DurationMs(min(max(pace, PACE_MIN), PACE_MAX))


class TlsSecret:
    """The Secret `farebox-tls` of a namespace."""

    def __init__(self, kube: Requests, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace

    def __str__(self) -> str:
        return f"Secret {self._namespace}/{SECRET}"

    async def read(self) -> Kept | None:
        """What is kept, None when there is no Secret. Raises KubeError, CertificateError."""
        try:
            found = await self._kube.get(self._path(SECRET))
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        return self._kept(found)

    async def write(self, bundle: Bundle, over: Kept | None, *, heard: bool = False) -> Kept:
        """Keep a bundle instead of what was read, None: of nothing. Raises Conflict, KubeError.

        `heard`: it is what was asked for, so that it is asked for no more.
        """
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "data": _data_of(bundle)}
        try:
            if over is None:
                body["metadata"] = {"name": SECRET, "namespace": self._namespace}
                return self._kept(await self._kube.create(self._path(), body))
            # With the resourceVersion that was read.
            body["metadata"] = _unasked(over.metadata) if heard else over.metadata
            return self._kept(await self._kube.replace(self._path(SECRET), body))
        except KubeError as error:
            # 404: deleted since it was read.
            if error.status in {404, 409}:
                raise Conflict from error
            raise

    def _path(self, name: str = "") -> str:
        return path("v1", "secrets", self._namespace, name)

    def _kept(self, found: dict[str, Any]) -> Kept:
        try:
            data, metadata = found.get("data"), found["metadata"]
            if not data:
                return Kept(None, metadata)
            bundle = _bundle_of(data)
            check(bundle)
            return Kept(bundle, metadata)
        except (CertificateError, KeyError, TypeError, ValueError) as error:
            why = str(error) if isinstance(error, CertificateError) else f"{error!r} is wrong in it"
            raise CertificateError(
                f"{self} can't be used: {why}; empty it, and it is filled anew"
            ) from None


def _unasked(metadata: dict[str, Any]) -> dict[str, Any]:
    annotations = {k: v for k, v in metadata["annotations"].items() if k != REPLACE}
    return {**metadata, "annotations": annotations}


def _data_of(bundle: Bundle) -> dict[str, str]:
    texts = {
        "tls.crt": bundle.leaf.certificate,
        "tls.key": bundle.leaf.key,
        "ca.crt": bundle.serving.certificate,
        "ca.key": bundle.serving.key,
        _SINCE: str(bundle.since),
    }
    if bundle.coming is not None:
        texts |= {"next-ca.crt": bundle.coming.certificate, "next-ca.key": bundle.coming.key}
    if bundle.going:
        texts["last-ca.crt"] = bundle.going
    if bundle.pace is not None:
        texts[_PACE] = f"{bundle.pace}ms"
    return {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}


def _bundle_of(data: dict[str, str]) -> Bundle:
    """Raises KeyError, TypeError or ValueError."""
    texts = {name: _text(name, value) for name, value in data.items()}
    coming = None
    if "next-ca.crt" in texts:
        coming = Pair(texts["next-ca.crt"], texts["next-ca.key"])
    return Bundle(
        serving=Pair(texts["ca.crt"], texts["ca.key"]),
        leaf=Pair(texts["tls.crt"], texts["tls.key"]),
        since=UtcMs(int(texts[_SINCE])),
        coming=coming,
        going=texts.get("last-ca.crt", ""),
        pace=parse_duration(texts[_PACE]) if _PACE in texts else None,
    )


def _text(name: str, value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        # What it holds may be a key, so that it is not shown.
        raise CertificateError(f"{name} is not a text") from None
