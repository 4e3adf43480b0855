"""When the controllers' authority and certificate are made anew, and in which order.

An authority serves for ten years, a certificate for ninety days; each is replaced after two thirds
of that. The next authority is published beside the serving one before anything that it signed is
shown, and the last one stays published after. Somebody may ask for all of this at once, and faster,
where a key has leaked. The one rule: whoever trusts any bundle that was published long enough ago
accepts what is served now. This module is pure: it must not know where the keys are kept, who
trusts them, or what time it is.
"""

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, assert_never

from controller.kube.certificates import (
    CertificateError,
    Pair,
    check_pair,
    is_old,
    is_signed,
    is_valid,
    make_authority,
    make_leaf,
    names_in,
    read,
)
from farebox.core.instant import DurationMs, UtcMs

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """How long each thing lasts.

    `published`: so long a new authority is known before it serves; every pod has read the bundle
    by then. `dropped`: so long an old one is known after it served; every controller has read the
    new certificate by then.
    """

    authority: DurationMs = DurationMs(3_650 * _DAY_MS)
    leaf: DurationMs = DurationMs(90 * _DAY_MS)
    published: DurationMs = DurationMs(7 * _DAY_MS)
    dropped: DurationMs = DurationMs(7 * _DAY_MS)


SPANS: Final = Spans()
PACE_MIN: Final = DurationMs(30_000)
"""Nobody can ask for less: each controller has looked at what the others did by then."""

PACE_MAX: Final = SPANS.published


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """All that the controllers share.

    `serving` is the authority that signed `leaf`. `coming` will be the next; `going` was the last,
    a certificate without its key, "" for none. `since` is when one of these two was last exchanged.
    `pace`: somebody asked for the exchange that is under way, and that each step waits so long.
    """

    serving: Pair
    leaf: Pair
    since: UtcMs
    coming: Pair | None = None
    going: str = ""
    pace: DurationMs | None = None

    @property
    def trusted(self) -> str:
        """What clients are to trust, PEM, the serving authority first."""
        coming = self.coming.certificate if self.coming is not None else ""
        return self.serving.certificate + coming + self.going


class Due(enum.StrEnum):
    """What is to be done next."""

    NOTHING = "nothing"
    MAKE = "make an authority and a certificate"
    PUBLISH = "publish the next authority"
    SERVE = "serve what the next authority signs"
    DROP = "drop the last authority"
    RENEW = "renew the certificate"


def due(
    bundle: Bundle | None,
    now: UtcMs,
    names: Iterable[str],
    *,
    asked: DurationMs | None = None,
    spans: Spans = SPANS,
) -> Due:
    """What is due for a bundle, None where there is none yet. Raises CertificateError.

    A server's names are the DNS names and IP addresses that its certificate is made out to. With
    `asked` somebody wants another authority at that pace.
    """
    if bundle is None:
        return Due.MAKE
    if asked is not None:
        # Also when one is to come already: its key is kept where the one that leaked was.
        return Due.PUBLISH
    serving, leaf = read(bundle.serving.certificate), read(bundle.leaf.certificate)
    waited = now - bundle.since
    if bundle.coming is None and is_old(serving, now):
        return Due.PUBLISH
    if bundle.coming is not None and not is_valid(read(bundle.coming.certificate), now):
        # Made by a clock that was wrong, or forgotten for years.
        return Due.PUBLISH
    published = spans.published if bundle.pace is None else bundle.pace
    if bundle.coming is not None and (waited >= published or not is_valid(serving, now)):
        return Due.SERVE
    if is_old(leaf, now) or not frozenset(names) <= names_in(leaf) or not is_signed(leaf, serving):
        return Due.RENEW
    dropped = spans.dropped if bundle.pace is None else bundle.pace
    if bundle.coming is None and bundle.going and waited >= dropped:
        return Due.DROP
    return Due.NOTHING


def done(
    step: Due,
    bundle: Bundle | None,
    now: UtcMs,
    names: Iterable[str],
    *,
    asked: DurationMs | None = None,
    spans: Spans = SPANS,
) -> Bundle:
    """A bundle after a step that was due; `asked` as for `due`. Raises CertificateError."""
    if bundle is None:
        serving = make_authority(now, spans.authority)
        return Bundle(serving=serving, leaf=make_leaf(serving, now, names, spans.leaf), since=now)
    match step:
        case Due.NOTHING | Due.MAKE:
            return bundle
        case Due.PUBLISH:
            coming = make_authority(now, spans.authority)
            return replace(bundle, coming=coming, since=now, pace=asked)
        case Due.SERVE:
            serving = bundle.coming or make_authority(now, spans.authority)
            leaf = make_leaf(serving, now, names, spans.leaf)
            old = bundle.serving.certificate
            return Bundle(serving=serving, leaf=leaf, since=now, going=old, pace=bundle.pace)
        case Due.RENEW:
            return replace(bundle, leaf=make_leaf(bundle.serving, now, names, spans.leaf))
        case Due.DROP:
            return replace(bundle, going="", since=now, pace=None)
        case _:
            assert_never(step)


def check(bundle: Bundle) -> None:
    """Raises CertificateError when a bundle can't be served: a part is no PEM, or a wrong key."""
    for pair in filter(None, (bundle.serving, bundle.leaf, bundle.coming)):
        check_pair(pair)
    if bundle.going:
        read(bundle.going)
    if not is_signed(read(bundle.leaf.certificate), read(bundle.serving.certificate)):
        raise CertificateError("the certificate is not signed by the authority beside it")
