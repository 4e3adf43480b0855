"""The small worlds of `make model`, each with the question that it answers.

The one rule: all of them together are explored in less than five minutes on one core; a world that
outgrows that is split by the faults it allows. This module must not know how they are explored.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tests.model.bounds import MINUTE, ORG, TEAM, Bounds, Call, Fault


def _most(**faults: int) -> Mapping[Fault, int]:
    return MappingProxyType({Fault[name.upper()]: most for name, most in faults.items()})


_ANY: Final = _most(crash=1, loss=1, duplicate=1, drop=1, failover=1, cut=1)
_ONE: Final = MappingProxyType({TEAM: 1, ORG: 1})
_TWO: Final = MappingProxyType({TEAM: 2, ORG: 2})
_ALONE: Final = MappingProxyType({TEAM: 1})
_FREE: Final = (Call(1, (0,)),)
_PAID: Final = (Call(1, (1,)),)
_LESS: Final = (Call(2, (1,)),)

QUICK: Final = Bounds(
    name="one unit of money, no faults",
    limits=_ONE,
    calls=(_FREE, _PAID),
    faults=_most(),
    faults_max=0,
)
"""Also part of `make test`."""

WORLDS: Final = (
    QUICK,
    Bounds(
        name="two pools and any one fault",
        limits=_TWO,
        calls=(_LESS, _PAID),
        faults=_ANY,
        faults_max=1,
    ),
    Bounds(
        name="one sidecar, two pools and any two faults",
        limits=_ONE,
        calls=(_PAID, ()),
        faults=_most(crash=2, loss=1, duplicate=2, drop=2, failover=2, cut=2),
        faults_max=2,
    ),
    Bounds(
        name="each message by itself",
        limits=_ALONE,
        calls=(_FREE, _PAID),
        faults=_most(duplicate=1, drop=1),
        faults_max=1,
        down_max=2,
        whole=False,
    ),
    Bounds(
        name="the limit falls",
        limits=MappingProxyType({TEAM: 2}),
        calls=(_PAID, _PAID),
        faults=_most(),
        faults_max=0,
        lowered=_ALONE,
    ),
    Bounds(
        name="silence",
        limits=_ALONE,
        calls=(_FREE, _PAID),
        faults=_most(),
        faults_max=0,
        moments=((0, 30_000), (0,)),
    ),
    Bounds(
        name="one sidecar, a window ends, and any one fault",
        limits=_ALONE,
        calls=(_PAID, ()),
        faults=_ANY,
        faults_max=1,
        window=MINUTE,
        moments=((0, 61_000), (0, 61_000)),
    ),
    # No stream repeats a message after a day: that is no fault of this world.
    Bounds(
        name="one sidecar, a window is forgotten, and one fault",
        limits=_ALONE,
        calls=(_PAID, ()),
        faults=_most(crash=1, loss=1, drop=1, failover=1, cut=1),
        faults_max=1,
        under_way_max=1,
        window=MINUTE,
        moments=((0, 61_000, 700_000), (0, 61_000)),
    ),
    Bounds(
        name="two sidecars whose clocks stand still, a window ends",
        limits=_ALONE,
        calls=(_PAID, _PAID),
        faults=_most(),
        faults_max=0,
        under_way_max=1,
        window=MINUTE,
        moments=((0, 61_000), (0,)),
    ),
)
