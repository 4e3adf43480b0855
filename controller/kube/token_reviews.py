"""Which pod a token names: asked of the API server, which alone can tell.

The one rule: a token is believed for one audience, for one pod, and not longer than a minute
without asking again; how many are asked about at once is bounded, and nothing of a token is ever
kept or told, only its digest. This module must not know streams, or what the pod is now.
"""

import asyncio
import hashlib
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc

from controller.door import TurnedAway
from controller.kube.client import KubeError, path
from farebox.core.instant import BootMs, DurationMs
from farebox.runtime.clock import Clock

REVIEWS_AT_ONCE_MAX: Final = 32
REVIEWS_WAITING_MAX: Final = 2_500
REVIEWS_PER_PEER_MAX: Final = 4
"""Reviews under way for one peer: a pod has one sidecar, which has one stream."""

KNOWN_MS_MAX: Final = DurationMs(60_000)
"""For so long a token that was good is not asked for again; its pod is looked at every time."""

KNOWN_MAX: Final = 16_384
"""So many tokens are known at once."""

POD_NAME: Final = "authentication.kubernetes.io/pod-name"
POD_UID: Final = "authentication.kubernetes.io/pod-uid"
_SERVICE_ACCOUNT: Final = "system:serviceaccount:"
_REVIEWS: Final = path("authentication.k8s.io/v1", "tokenreviews")


class Requests(Protocol):
    """The request that is made to the API server; see `controller.kube.client.KubeClient`."""

    async def create(self, at: str, body: dict[str, Any]) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Named:
    """The pod that a token names."""

    uid: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"pod {self.namespace}/{self.name}"


class TokenReviews:
    """Asks the API server about tokens. `per_peer_max`: so many at once for one peer."""

    def __init__(
        self,
        kube: Requests,
        clock: Clock,
        *,
        audience: str,
        per_peer_max: int = REVIEWS_PER_PEER_MAX,
    ) -> None:
        self._kube = kube
        self._clock = clock
        self._audience = audience
        self._per_peer_max = per_peer_max
        self._known: OrderedDict[bytes, tuple[Named, BootMs]] = OrderedDict()
        self._turns = asyncio.Semaphore(REVIEWS_AT_ONCE_MAX)
        self._waiting: Counter[str] = Counter()
        self._waiting_in_all = 0

    async def pod_of(self, token: str, peer: str) -> Named:
        """The pod that a token names which was shown from this peer. Raises TurnedAway."""
        named = self._recall(token)
        if named is None:
            named = await self._review(token, peer)
            self._remember(token, named)
        return named

    async def _review(self, token: str, peer: str) -> Named:
        """Ask the API server, not too many at once, and none for a peer that asks all the time."""
        if self._waiting[peer] >= self._per_peer_max:
            raise TurnedAway(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{peer} has shown too many tokens at once; come again",
            )
        if self._waiting_in_all >= REVIEWS_WAITING_MAX:
            raise TurnedAway(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "too many tokens are being reviewed; come again"
            )
        self._waiting[peer] += 1
        self._waiting_in_all += 1
        try:
            async with self._turns:
                return self._read(await self._ask(token))
        finally:
            self._waiting_in_all -= 1
            self._waiting[peer] -= 1
            if not self._waiting[peer]:
                del self._waiting[peer]

    async def _ask(self, token: str) -> Mapping[str, Any]:
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self._audience]},
        }
        try:
            answer = await self._kube.create(_REVIEWS, body)
        except KubeError as error:
            # What the API server says of a request that it refuses may repeat what was in it.
            answered = f"it answers {error.status} {error.reason}".strip()
            why = answered if error.status else "it can't be reached"
            raise TurnedAway(
                grpc.StatusCode.UNAVAILABLE,
                f"the API server could not be asked who this is: {why}; come again",
            ) from None
        status = answer.get("status")
        return status if isinstance(status, dict) else {}

    def _read(self, status: Mapping[str, Any]) -> Named:
        """The pod that the answer of a review names. Raises TurnedAway."""
        if status.get("authenticated") is not True:
            raise TurnedAway(
                grpc.StatusCode.UNAUTHENTICATED, self._refusal(str(status.get("error", "")))
            )
        if self._audience not in (status.get("audiences") or ()):
            # An API server that knows no audiences takes a token for itself.
            raise TurnedAway(grpc.StatusCode.UNAUTHENTICATED, self._refusal("audience"))
        user = status.get("user") or {}
        extra = user.get("extra") or {}
        uid, name = _only(extra.get(POD_UID)), _only(extra.get(POD_NAME))
        account = str(user.get("username", ""))
        namespace = account.removeprefix(_SERVICE_ACCOUNT).partition(":")[0]
        if not uid or not name or not account.startswith(_SERVICE_ACCOUNT) or not namespace:
            raise TurnedAway(
                grpc.StatusCode.PERMISSION_DENIED,
                "the token names no pod: mount one that is bound to its pod (a projected "
                f"serviceAccountToken with the audience {self._audience})",
            )
        return Named(uid=uid, namespace=namespace, name=name)

    def _refusal(self, error: str) -> str:
        if "expired" in error:
            return (
                "the token has expired: the kubelet renews the file, which is read anew each time"
            )
        if "audience" in error:
            return f"the token is for another audience than {self._audience}"
        return "the API server does not accept the token: it is not its own, or its pod is gone"

    def _recall(self, token: str) -> Named | None:
        key = _digest(token)
        named, until = self._known.get(key, (None, BootMs(0)))
        if named is not None and self._clock.boot() >= until:
            del self._known[key]
            return None
        return named

    def _remember(self, token: str, named: Named) -> None:
        until = BootMs(self._clock.boot() + KNOWN_MS_MAX)
        self._known[_digest(token)] = (named, until)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _only(values: object) -> str:
    """The one text of a list of one."""
    return str(values[0]) if isinstance(values, list) and len(values) == 1 else ""
