"""The relay passes messages on as they are, and counts them."""

from collections import Counter

from bench.leases_relay import relaying
from farebox.core.instant import BootMs, DurationMs
from farebox.wire.messages import ReportAck
from tests.support.controllers import scripted_controller
from tests.support.lease_peers import lease_peer
from tests.support.peers import eventually
from tests.support.scenes import wants


async def test_what_passes_is_counted_by_kind() -> None:
    async with (
        scripted_controller() as (controller, port),
        relaying(port) as (relay, relay_port),
        lease_peer(relay_port) as peer,
    ):
        assert (await peer.greet("a")).accepted
        await peer.report(want=(wants(300),))
        await peer.report()
        ack = ReportAck(epoch=1, seq=2, echo_boot_ms=BootMs(1), ttl=DurationMs(1))
        await controller.say(ack)

        assert await peer.next(ReportAck) == ack
        # This acknowledgement may be quicker than the report: nobody waited for that.
        passed = Counter(hello=1, welcome=1, report=2, report_ack=1)
        await eventually(lambda: relay.messages == passed)
        assert relay.asks == 1


async def test_a_stream_ends_when_the_other_end_ends_it() -> None:
    async with scripted_controller() as (controller, port), relaying(port) as (_, relay_port):
        async with lease_peer(relay_port) as peer:
            assert (await peer.greet("a")).accepted
        await eventually(lambda: controller.ended == 1)
