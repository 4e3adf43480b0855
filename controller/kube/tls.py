"""Serving with the controllers' own certificate, and taking a new one without a restart.

Every controller does what is due and takes what another has done. The one rule: what is served
stays in force until there is something better; no failure takes it away. This module must not know
how certificates are made, who trusts them, or what is served.
"""

import asyncio
import logging
import os
import random
import ssl
from collections.abc import Callable, Iterable
from typing import Final

import grpc

from controller.kube.certificates import CertificateError, ends_at, read
from controller.kube.client import KubeError
from controller.kube.rotation import SPANS, Bundle, Due, Spans, done, due
from controller.kube.tls_secret import Conflict, Kept, TlsSecret
from farebox.core.instant import DurationMs, UtcMs
from farebox.runtime.clock import Clock

_LOG = logging.getLogger(__name__)

LOOK_S: Final = 20.0
"""How often the Secret is looked at: far more often than anything in it has to be known."""

RETRY_S_MIN: Final = 0.5
RETRY_S_MAX: Final = 15.0
TRIES_MAX: Final = 8
"""So many steps and lost races in one look; the rest is done by the next."""


class Tls:
    """The certificate in force. `names` are what it must be made out to.

    `on_bundle` is told what clients are to trust (PEM), at first and whenever that changes.
    """

    def __init__(
        self,
        secret: TlsSecret,
        clock: Clock,
        names: Iterable[str],
        *,
        on_bundle: Callable[[str], None] = lambda _: None,
        spans: Spans = SPANS,
        look_s: float = LOOK_S,
    ) -> None:
        self._secret = secret
        self._clock = clock
        self._names = tuple(names)
        self._on_bundle = on_bundle
        self._spans = spans
        self._look_s = look_s
        self._bundle: Bundle | None = None
        self._for_grpc: grpc.ServerCertificateConfiguration | None = None
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._said = ""
        self._misheard = ""

    @property
    def bundle(self) -> str:
        """What clients are to trust, PEM; "" before `ready` has returned."""
        return self._bundle.trusted if self._bundle is not None else ""

    @property
    def ends_at(self) -> UtcMs | None:
        """Until when the certificate in force is valid."""
        return ends_at(read(self._bundle.leaf.certificate)) if self._bundle is not None else None

    async def ready(self) -> None:
        """Wait until there is a certificate, for as long as it takes."""
        pause_s = RETRY_S_MIN
        while not await self._try_to_look():
            await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311
            pause_s = min(2 * pause_s, RETRY_S_MAX)

    async def run(self) -> None:
        """Do what is due and take what others have done, for ever."""
        while True:
            await asyncio.sleep(random.uniform(self._look_s / 2, self._look_s))  # noqa: S311
            await self._try_to_look()

    def server_credentials(self) -> grpc.ServerCredentials:
        """For a gRPC server: each new connection gets the certificate then in force."""
        first = shown = self._for_grpc
        assert first is not None, "ready() comes first"

        def newer() -> grpc.ServerCertificateConfiguration | None:
            # Called by gRPC's own threads; reading one attribute is all that it does.
            nonlocal shown
            now = self._for_grpc
            if now is shown:
                return None
            shown = now
            return now

        return grpc.dynamic_ssl_server_credentials(
            first,
            newer,  # type: ignore[arg-type]  # None: no change; the stubs do not know that
        )

    def ssl_context(self) -> ssl.SSLContext:
        """For any other server: the same object for ever, whose certificate is the one in force."""
        return self._context

    async def _try_to_look(self) -> bool:
        try:
            await self.look()
        except (KubeError, CertificateError) as error:
            self._say(f"the certificate is kept as it is: {error}")
            return False
        self._said = ""
        return True

    def _say(self, sentence: str) -> None:
        if sentence != self._said:
            _LOG.warning("%s", sentence)
        self._said = sentence

    async def look(self) -> None:
        """Read the Secret, do what is due, and serve what it holds then.

        Raises KubeError, CertificateError.
        """
        kept = await self._secret.read()
        for _ in range(TRIES_MAX):
            bundle = kept.bundle if kept is not None else None
            if bundle is not None:
                self._adopt(bundle)
            # A Secret that was deleted or emptied is put back as it was: who trusts it needs it.
            known = bundle or self._bundle
            now, asked = self._clock.utc(), self._asked(kept)
            step = due(known, now, self._names, asked=asked, spans=self._spans)
            if step is Due.NOTHING and bundle is not None:
                return
            made = done(step, known, now, self._names, asked=asked, spans=self._spans)
            kept = await self._write(step, made, kept, heard=asked is not None)
        raise KubeError(f"{self._secret} is written by others all the time")

    def _asked(self, kept: Kept | None) -> DurationMs | None:
        """The pace at which somebody wants another authority; what is no pace changes nothing."""
        try:
            return kept.asked if kept is not None and kept.bundle is not None else None
        except CertificateError as error:
            if str(error) != self._misheard:
                _LOG.warning("%s", error)
            self._misheard = str(error)
            return None

    async def _write(
        self, step: Due, bundle: Bundle, over: Kept | None, *, heard: bool
    ) -> Kept | None:
        """The Secret after a step, or after somebody else was faster."""
        try:
            written = await self._secret.write(bundle, over, heard=heard)
        except Conflict:
            return await self._secret.read()
        _LOG.info("%s: %s", self._secret, "put back" if step is Due.NOTHING else step)
        return written

    def _adopt(self, bundle: Bundle) -> None:
        if bundle == self._bundle:
            return
        before, leaf = self._bundle, bundle.leaf
        if before is None or before.leaf != leaf:
            _load(self._context, leaf.certificate + leaf.key)
            pair = (leaf.key.encode(), leaf.certificate.encode())
            self._for_grpc = grpc.ssl_server_certificate_configuration([pair])
        self._bundle = bundle
        if before is None or before.trusted != bundle.trusted:
            self._on_bundle(bundle.trusted)


def _load(context: ssl.SSLContext, pem: str) -> None:
    """Let a context show a certificate. The key goes through memory alone: ssl takes only files."""
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "w", encoding="ascii", closefd=False) as file:
            file.write(pem)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
