"""The bound on waiting: it fires once, as late as it was last told, and never when lifted."""

import asyncio

from sidecar.upstream.watchdog import Watchdog
from tests.support.peers import eventually


class Bell:
    """Counts how often it rang."""

    def __init__(self) -> None:
        self.rang = 0

    def ring(self) -> None:
        self.rang += 1


def make(bell: Bell) -> Watchdog:
    return Watchdog(asyncio.get_running_loop(), bell.ring)


async def pass_ms(milliseconds: int) -> None:
    """Let at least so much time pass on the loop's clock."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + milliseconds / 1000
    await eventually(lambda: loop.time() >= ends)


async def test_it_fires_once_when_the_deadline_has_passed() -> None:
    bell = Bell()
    make(bell).arm(5)
    await eventually(lambda: bell.rang == 1)
    await pass_ms(20)
    assert bell.rang == 1


async def test_it_does_not_fire_when_lifted_and_can_be_armed_again() -> None:
    bell = Bell()
    dog = make(bell)
    dog.arm(5)
    dog.lift()
    await pass_ms(30)
    assert bell.rang == 0
    dog.arm(5)
    await eventually(lambda: bell.rang == 1)


async def test_a_later_deadline_replaces_an_earlier_one() -> None:
    bell = Bell()
    dog = make(bell)
    dog.arm(5)
    dog.arm(60_000)
    await pass_ms(30)
    assert bell.rang == 0
    dog.close()


async def test_an_earlier_deadline_replaces_a_later_one() -> None:
    bell = Bell()
    dog = make(bell)
    dog.arm(60_000)
    dog.arm(5)
    await eventually(lambda: bell.rang == 1)
    dog.close()


async def test_a_closed_one_never_fires() -> None:
    bell = Bell()
    dog = make(bell)
    dog.arm(5)
    dog.close()
    await pass_ms(30)
    assert bell.rang == 0
