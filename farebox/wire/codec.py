"""The messages of a `Sync` stream to and from protobuf.

The one rule: `decode_*` returns a value that is well-formed throughout or raises CodecError; nobody
behind it checks again whether an amount is negative or a key too long. This module must not know
what either side does with a message, nor whether a figure is true.
"""

from collections.abc import Sequence
from typing import Final, assert_never

from farebox.core.instant import BootMs, UtcMs
from farebox.core.reasons import Reason
from farebox.wire.checks import (
    CodecError,
    amount,
    choice,
    encoding,
    few,
    name,
    number,
    present,
    text,
)
from farebox.wire.lease_codec import (
    charge_of,
    duration_of,
    lease_of,
    lease_out,
    outlook_of,
    outlook_out,
)
from farebox.wire.messages import (
    Counters,
    Denial,
    FromController,
    FromSidecar,
    Goodbye,
    Grant,
    Hello,
    JournalState,
    LeaseClosed,
    PolicyPush,
    Report,
    ReportAck,
    ShrinkTo,
    Want,
    Welcome,
    Workload,
)
from farebox.wire.policy_codec import decode_policy, encode_policy
from farebox.wire.tally_codec import tallies_of, tallies_out
from farebox.wire.v1 import lease_pb2 as pb

__all__ = [
    "CodecError",
    "decode_request",
    "decode_response",
    "encode_request",
    "encode_response",
]

LEASES_MAX: Final = 16_384
"""Leases in one message; their counters stay below gRPC's default of 4 MiB with usual names."""

WANTS_MAX: Final = 256
"""So many wants a sidecar puts into one report: each is decided beside all the others."""

LABELS_MAX: Final = 256
LABEL_CHARS_MAX: Final = 512
PPM_MAX: Final = 1_000_000
UTC_MS_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, the end of what RFC 3339 can write."""

_JOURNALS: Final = {
    JournalState.OK: pb.JOURNAL_STATE_OK,
    JournalState.NEW: pb.JOURNAL_STATE_NEW,
    JournalState.LOST: pb.JOURNAL_STATE_LOST,
}
_JOURNALS_READ: Final = {number_: state for state, number_ in _JOURNALS.items()}


def encode_request(message: FromSidecar) -> pb.SyncRequest:
    """Write what a sidecar says. Raises CodecError for a value that the wire can't carry."""
    with encoding(f"a {type(message).__name__}"):
        match message:
            case Hello():
                return pb.SyncRequest(hello=_hello_out(message))
            case Report():
                return pb.SyncRequest(report=_report_out(message))
            case Goodbye():
                leases = [_counters_out(one) for one in message.leases]
                tallies = tallies_out(message.tallies)
                return pb.SyncRequest(goodbye=pb.Goodbye(leases=leases, tallies=tallies))
            case _:
                assert_never(message)


def decode_request(message: pb.SyncRequest) -> FromSidecar:
    """Read what a sidecar says. Raises CodecError with the field that is malformed."""
    match message.WhichOneof("message"):
        case "hello":
            return _hello(message.hello)
        case "report":
            return _report(message.report)
        case "goodbye":
            return _goodbye(message.goodbye)
        case _:
            raise CodecError("the request is empty or of a kind that this version does not know")


def encode_response(message: FromController) -> pb.SyncResponse:
    """Write what the controller says. Raises CodecError for a value that the wire can't carry."""
    with encoding(f"a {type(message).__name__}"):
        match message:
            case Welcome():
                return pb.SyncResponse(welcome=_welcome_out(message))
            case Grant():
                return pb.SyncResponse(grant=_grant_out(message))
            case ShrinkTo():
                return pb.SyncResponse(shrink=_shrink_out(message))
            case ReportAck():
                return pb.SyncResponse(report_ack=_ack_out(message))
            case Denial():
                return pb.SyncResponse(denial=_denial_out(message))
            case LeaseClosed():
                return pb.SyncResponse(closed=pb.Closed(lease=lease_out(message.lease)))
            case PolicyPush():
                response = pb.SyncResponse()
                encode_policy(message.policy, epoch=message.epoch, into=response.policy)
                return response
            case _:
                assert_never(message)


def decode_response(message: pb.SyncResponse) -> FromController:
    """Read what the controller says. Raises CodecError with the field that is malformed."""
    match message.WhichOneof("message"):
        case "welcome":
            return _welcome(message.welcome)
        case "grant":
            return _grant(message.grant)
        case "shrink":
            return _shrink(message.shrink)
        case "report_ack":
            return _ack(message.report_ack)
        case "denial":
            return _denial(message.denial)
        case "closed":
            present(message.closed.HasField("lease"), "closed.lease")
            return LeaseClosed(lease=lease_of(message.closed.lease, "closed.lease"))
        case "policy":
            epoch = number(message.policy.epoch, "policy.epoch")
            return PolicyPush(epoch=epoch, policy=decode_policy(message.policy))
        case _:
            raise CodecError("the response is empty or of a kind that this version does not know")


def _counters_out(counters: Counters) -> pb.LeaseCounters:
    return pb.LeaseCounters(
        lease=lease_out(counters.lease),
        granted=counters.granted,
        returned=counters.returned,
        spent=counters.spent,
        reserved=counters.reserved,
        finished=counters.finished,
    )


def _all_counters(messages: Sequence[pb.LeaseCounters], at: str) -> tuple[Counters, ...]:
    few(messages, f"{at}.leases", most=LEASES_MAX)
    return tuple(_counters(one, f"{at}.leases[{i}]") for i, one in enumerate(messages))


def _counters(message: pb.LeaseCounters, at: str) -> Counters:
    present(message.HasField("lease"), f"{at}.lease")
    return Counters(
        lease=lease_of(message.lease, f"{at}.lease"),
        granted=amount(message.granted, f"{at}.granted"),
        returned=amount(message.returned, f"{at}.returned"),
        spent=amount(message.spent, f"{at}.spent"),
        reserved=amount(message.reserved, f"{at}.reserved"),
        finished=message.finished,
    )


def _hello_out(message: Hello) -> pb.Hello:
    return pb.Hello(
        holder_uid=message.holder,
        boot_seq=message.boot_seq,
        workload=pb.Workload(
            namespace=message.workload.namespace,
            name=message.workload.name,
            labels=message.workload.labels,
        ),
        journal=_JOURNALS[message.journal],
        epoch_seen_max=message.epoch_seen_max,
        boot_ms=message.boot_ms,
        leases=[_counters_out(one) for one in message.leases],
    )


def _hello(message: pb.Hello) -> Hello:
    present(message.HasField("workload"), "hello.workload")
    if message.journal not in _JOURNALS_READ:
        raise CodecError(f"hello.journal is {message.journal}: it must say ok, new or lost")
    return Hello(
        holder=name(message.holder_uid, "hello.holder_uid"),
        boot_seq=number(message.boot_seq, "hello.boot_seq"),
        workload=_workload(message.workload),
        journal=_JOURNALS_READ[message.journal],
        epoch_seen_max=number(message.epoch_seen_max, "hello.epoch_seen_max"),
        boot_ms=BootMs(number(message.boot_ms, "hello.boot_ms")),
        leases=_all_counters(message.leases, "hello"),
    )


def _workload(message: pb.Workload) -> Workload:
    at = "hello.workload"
    few(message.labels, f"{at}.labels", most=LABELS_MAX)
    return Workload(
        namespace=name(message.namespace, f"{at}.namespace"),
        name=name(message.name, f"{at}.name"),
        labels={
            text(label, f"{at}.labels", chars_max=LABEL_CHARS_MAX): text(
                value, f"{at}.labels", chars_max=LABEL_CHARS_MAX
            )
            for label, value in message.labels.items()
        },
    )


def _report_out(message: Report) -> pb.Report:
    return pb.Report(
        seq=message.seq,
        boot_ms=message.boot_ms,
        leases=[_counters_out(one) for one in message.leases],
        wants=[
            pb.Want(
                pool_uid=one.charge.pool,
                key=one.charge.key,
                want=one.want,
                need=one.need,
                least=one.least,
            )
            for one in message.wants
        ],
        tallies=tallies_out(message.tallies),
    )


def _report(message: pb.Report) -> Report:
    few(message.wants, "report.wants", most=WANTS_MAX)
    return Report(
        seq=number(message.seq, "report.seq"),
        boot_ms=BootMs(number(message.boot_ms, "report.boot_ms")),
        leases=_all_counters(message.leases, "report"),
        wants=tuple(_want(one, f"report.wants[{i}]") for i, one in enumerate(message.wants)),
        tallies=tallies_of(message.tallies, "report") if message.HasField("tallies") else None,
    )


def _goodbye(message: pb.Goodbye) -> Goodbye:
    return Goodbye(
        leases=_all_counters(message.leases, "goodbye"),
        tallies=tallies_of(message.tallies, "goodbye") if message.HasField("tallies") else None,
    )


def _want(message: pb.Want, at: str) -> Want:
    return Want(
        charge=charge_of(message.pool_uid, message.key, at),
        want=amount(message.want, f"{at}.want"),
        need=amount(message.need, f"{at}.need"),
        least=amount(message.least, f"{at}.least"),
    )


def _welcome_out(message: Welcome) -> pb.Welcome:
    return pb.Welcome(
        epoch=message.epoch,
        accepted=message.accepted,
        refusal=message.refusal,
        heartbeat_ms=message.heartbeat,
        ttl_ms=message.ttl,
        drift_ppm=message.drift_ppm,
    )


def _welcome(message: pb.Welcome) -> Welcome:
    return Welcome(
        epoch=number(message.epoch, "welcome.epoch"),
        accepted=message.accepted,
        refusal=text(message.refusal, "welcome.refusal"),
        heartbeat=duration_of(message.heartbeat_ms, "welcome.heartbeat_ms"),
        ttl=duration_of(message.ttl_ms, "welcome.ttl_ms"),
        drift_ppm=number(message.drift_ppm, "welcome.drift_ppm", most=PPM_MAX),
    )


def _grant_out(message: Grant) -> pb.Grant:
    return pb.Grant(
        epoch=message.epoch,
        lease=lease_out(message.lease),
        granted=message.granted,
        ttl_ms=message.ttl,
        echo_boot_ms=message.echo_boot_ms,
        window_ends_in_ms=message.window_ends_in,
        starts_in_ms=message.starts_in,
        outlook=None if message.outlook is None else outlook_out(message.outlook),
    )


def _grant(message: pb.Grant) -> Grant:
    present(message.HasField("lease"), "grant.lease")
    ends = message.window_ends_in_ms if message.HasField("window_ends_in_ms") else None
    starts = message.starts_in_ms if message.HasField("starts_in_ms") else None
    foreseen = message.HasField("outlook")
    return Grant(
        epoch=number(message.epoch, "grant.epoch"),
        lease=lease_of(message.lease, "grant.lease"),
        granted=amount(message.granted, "grant.granted"),
        ttl=duration_of(message.ttl_ms, "grant.ttl_ms"),
        echo_boot_ms=BootMs(number(message.echo_boot_ms, "grant.echo_boot_ms")),
        window_ends_in=None if ends is None else duration_of(ends, "grant.window_ends_in_ms"),
        starts_in=None if starts is None else duration_of(starts, "grant.starts_in_ms"),
        outlook=outlook_of(message.outlook, "grant.outlook") if foreseen else None,
    )


def _shrink_out(message: ShrinkTo) -> pb.Shrink:
    return pb.Shrink(epoch=message.epoch, lease=lease_out(message.lease), limit=message.limit)


def _shrink(message: pb.Shrink) -> ShrinkTo:
    present(message.HasField("lease"), "shrink.lease")
    return ShrinkTo(
        epoch=number(message.epoch, "shrink.epoch"),
        lease=lease_of(message.lease, "shrink.lease"),
        limit=amount(message.limit, "shrink.limit"),
    )


def _ack_out(message: ReportAck) -> pb.ReportAck:
    return pb.ReportAck(
        epoch=message.epoch,
        seq=message.seq,
        echo_boot_ms=message.echo_boot_ms,
        ttl_ms=message.ttl,
        outlooks=[outlook_out(one) for one in message.outlooks],
    )


def _ack(message: pb.ReportAck) -> ReportAck:
    few(message.outlooks, "report_ack.outlooks", most=LEASES_MAX)
    return ReportAck(
        epoch=number(message.epoch, "report_ack.epoch"),
        seq=number(message.seq, "report_ack.seq"),
        echo_boot_ms=BootMs(number(message.echo_boot_ms, "report_ack.echo_boot_ms")),
        ttl=duration_of(message.ttl_ms, "report_ack.ttl_ms"),
        outlooks=tuple(
            outlook_of(one, f"report_ack.outlooks[{i}]") for i, one in enumerate(message.outlooks)
        ),
    )


def _denial_out(message: Denial) -> pb.Denial:
    return pb.Denial(
        epoch=message.epoch,
        lease=lease_out(message.lease),
        reason=message.reason,
        retry_after_ms=message.retry_after,
        limit=message.limit,
        settled=message.settled,
        held=message.held,
        remaining=message.remaining,
        resets_at_ms=message.resets_at or 0,
    )


def _denial(message: pb.Denial) -> Denial:
    present(message.HasField("lease"), "denial.lease")
    resets_at = number(message.resets_at_ms, "denial.resets_at_ms", most=UTC_MS_MAX)
    return Denial(
        epoch=number(message.epoch, "denial.epoch"),
        lease=lease_of(message.lease, "denial.lease"),
        reason=choice(Reason, message.reason, "denial.reason"),
        retry_after=duration_of(message.retry_after_ms, "denial.retry_after_ms"),
        limit=amount(message.limit, "denial.limit"),
        settled=amount(message.settled, "denial.settled"),
        held=amount(message.held, "denial.held"),
        remaining=amount(message.remaining, "denial.remaining"),
        resets_at=UtcMs(resets_at) if resets_at else None,
    )
