"""Whose stream it is: that of the pod which its token names, if it comes from there.

The one rule: a stream is let in as the pod that the API server names, when that pod is there and
the stream comes from its address; whatever is missing, the stream is turned away with a sentence
that repeats nothing of the token. This module must not know what a pod may have.
"""

import asyncio
import ipaddress
import re
from collections.abc import Mapping
from typing import Final, Protocol
from urllib.parse import unquote

import grpc

from controller.door import Context, TurnedAway
from controller.kube.token_reviews import (
    REVIEWS_PER_PEER_MAX,
    REVIEWS_WAITING_MAX,
    Named,
    Requests,
    TokenReviews,
)
from farebox.runtime.clock import Clock
from farebox.wire.messages import Workload

TOKEN_CHARACTERS_MAX: Final = 16_384
POD_S_MAX: Final = 5.0
"""How long a new pod is waited for: its sidecar may be quicker than the news of its address."""

POD_LOOK_S: Final = 0.2

_BEARER: Final = re.compile(r"[Bb]earer +([!-~]+) *")
_UNAUTHENTICATED: Final = grpc.StatusCode.UNAUTHENTICATED
_DENIED: Final = grpc.StatusCode.PERMISSION_DENIED
_UNAVAILABLE: Final = grpc.StatusCode.UNAVAILABLE


class KnownPod(Protocol):
    """What is known of a pod; see `controller.kube.pods`."""

    @property
    def namespace(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def labels(self) -> Mapping[str, str]: ...

    @property
    def addresses(self) -> tuple[str, ...]: ...

    @property
    def ended(self) -> bool: ...


class Pods(Protocol):
    """The pods of the cluster, by uid."""

    @property
    def by_uid(self) -> Mapping[str, KnownPod]: ...


class Identities:
    """Says whose stream it is. `require_address`: it must come from an address of its pod."""

    def __init__(
        self,
        kube: Requests,
        pods: Pods,
        clock: Clock,
        *,
        audience: str,
        require_address: bool,
        pod_s_max: float = POD_S_MAX,
    ) -> None:
        # Where addresses are translated, many pods may share one.
        per_peer_max = REVIEWS_PER_PEER_MAX if require_address else REVIEWS_WAITING_MAX
        self._reviews = TokenReviews(kube, clock, audience=audience, per_peer_max=per_peer_max)
        self._pods = pods
        self._require_address = require_address
        self._pod_s_max = pod_s_max

    async def authenticate(self, context: Context) -> Workload:
        """The pod at the other end, as it is now. Raises TurnedAway."""
        token = _token_of(context)
        address = _address_of(context.peer())
        return await self._pod_of(await self._reviews.pod_of(token, address), address)

    async def _pod_of(self, named: Named, address: str) -> Workload:
        """The pod as it is now, if the peer is at its address. Raises TurnedAway."""
        pod = await self._find(named)
        if pod is None:
            raise TurnedAway(
                _UNAVAILABLE, f"{named} is not known here (any more, or yet); come again"
            )
        if (pod.namespace, pod.name) != (named.namespace, named.name) or pod.ended:
            raise TurnedAway(_DENIED, f"{named} has ended")
        if self._require_address and not pod.addresses:
            raise TurnedAway(_UNAVAILABLE, f"the address of {named} is not known yet; come again")
        if self._require_address and not _is_among(address, pod.addresses):
            raise TurnedAway(
                _DENIED,
                f"the token is that of {named}, whose address is not {address} (where addresses "
                "are translated on the way: --pod-address Ignore)",
            )
        return Workload(namespace=pod.namespace, name=pod.name, labels=pod.labels, uid=named.uid)

    async def _find(self, named: Named) -> KnownPod | None:
        """The pod, once there is news of it and its address, or what there is after a while."""
        patience = self._pod_s_max
        while True:
            pod = self._pods.by_uid.get(named.uid)
            if patience <= 0 or (pod and (pod.addresses or not self._require_address)):
                return pod
            await asyncio.sleep(POD_LOOK_S)
            patience -= POD_LOOK_S


def _token_of(context: Context) -> str:
    metadata = context.invocation_metadata() or ()
    found = [str(value) for name, value in metadata if name == "authorization"]
    if not found:
        raise TurnedAway(
            _UNAUTHENTICATED,
            "this stream brings no token: start the sidecar with --token-file and --controller-ca",
        )
    match = _BEARER.fullmatch(found[0])
    if len(found) > 1 or match is None or len(match[1]) > TOKEN_CHARACTERS_MAX:
        raise TurnedAway(_UNAUTHENTICATED, 'the authorization is not one "Bearer TOKEN"')
    return match[1]


def _address_of(peer: str) -> str:
    """The IP address in what gRPC calls a peer: "ipv4:10.0.0.7:4711", "ipv6:%5B::1%5D:4711"."""
    host = unquote(peer).partition(":")[2].rpartition(":")[0]
    return host.removeprefix("[").removesuffix("]")


def _is_among(address: str, addresses: tuple[str, ...]) -> bool:
    return _plain(address) in {_plain(one) for one in addresses}


def _plain(address: str) -> str:
    """One text for each address, however it is written; as it is when it is none."""
    try:
        read = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = read.ipv4_mapped if isinstance(read, ipaddress.IPv6Address) else None
    return str(mapped or read)
