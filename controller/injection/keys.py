"""Providers' keys: variables of the sidecar that come from Secrets of the pod's namespace.

The one rule: only names are written and read here; no key is ever seen, and whatever is written in
the place of a name is not repeated, since it may be one. This module must not know containers.
"""

import re
from dataclasses import dataclass
from typing import Final

from farebox.manifests.documents import Scalar
from farebox.manifests.scalars import Reader, Unfit, text

KEYS_MAX: Final = 16
"""So many keys one sidecar may have."""

NONE: Final = "none"
_VARIABLE: Final = r"(?!FAREBOX_)(?:[A-Z][A-Z0-9_]{0,119})?(?:KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL)"
_SOURCE: Final = r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
_ENTRY: Final = r"[A-Za-z0-9._-]{1,253}"

VARIABLE: Final = text(
    _VARIABLE,
    "a variable in capitals that ends in KEY, TOKEN, SECRET, PASSWORD or CREDENTIAL and does not "
    "begin with FAREBOX_, for example OPENAI_API_KEY",
    secret=True,
)
"""No other, because what is in a Secret must not steer the sidecar itself."""

SECRET: Final = text(_SOURCE, 'the name of a Secret, for example "llm-keys"', secret=True)
ENTRY: Final = text(_ENTRY, 'a key within the Secret, for example "openai"', secret=True)

_PART: Final = re.compile(rf"({_VARIABLE})=([^/=]+)/({_ENTRY})(\?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The variable `name` is what the Secret `secret` has under `entry`.

    Without its Secret the pod does not start, unless the key is `optional`: then calls that need it
    are refused.
    """

    name: str
    secret: str
    entry: str
    optional: bool = False


def _keys(scalar: Scalar) -> tuple[Key, ...]:
    if scalar.text.strip() in {"", NONE}:
        return ()
    parts = [part.strip() for part in scalar.text.split(",", KEYS_MAX)]
    if len(parts) > KEYS_MAX:
        raise Unfit(f"has more than {KEYS_MAX} keys: write fewer")
    found: dict[str, Key] = {}
    for number, part in enumerate(parts, 1):
        match = _PART.fullmatch(part)
        if match is None or not re.fullmatch(_SOURCE, match[2]):
            raise Unfit(f"is not fit in part {number} of {len(parts)}: write {KEYS.wanted}")
        if match[1] in found:
            raise Unfit(f"has {match[1]} for the second time: keep one")
        found[match[1]] = Key(
            name=match[1], secret=match[2], entry=match[3], optional=match[4] is not None
        )
    return tuple(found.values())


KEYS: Final[Reader[tuple[Key, ...]]] = Reader(
    wanted="VARIABLE=SECRET/KEY, for example OPENAI_API_KEY=llm-keys/openai, with commas between "
    f'several and "?" behind one whose Secret may be absent, or {NONE}; VARIABLE is '
    f"{VARIABLE.wanted.partition(', for')[0]}",
    read=_keys,
    stand_in=(),
)
"""An annotation's text."""
