"""Messages survive the wire unchanged, and malformed ones are refused with the field's name."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from google.protobuf.message import Message
from hypothesis import given

from farebox.core.budgets import KEY_CHARS_MAX, Charge, PoolUid
from farebox.core.instant import BootMs, DurationMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.wire import codec
from farebox.wire.codec import (
    CodecError,
    decode_request,
    decode_response,
    encode_request,
    encode_response,
)
from farebox.wire.messages import (
    Counters,
    FromController,
    FromSidecar,
    Goodbye,
    Grant,
    Hello,
    JournalState,
    Report,
    Want,
    Workload,
)
from farebox.wire.v1 import lease_pb2 as pb
from tests.wire.strategies import requests, responses

CHARGE = Charge(PoolUid("default/team"), "ana")
LEASE = LeaseId(CHARGE, 7)
HELLO = Hello(
    holder="7d0c",
    boot_seq=1,
    workload=Workload(namespace="default", name="assistant-0", labels={"app": "assistant"}),
    journal=JournalState.OK,
    epoch_seen_max=3,
    boot_ms=BootMs(1_000),
    leases=(Counters(lease=LEASE, granted=Nanos(5)),),
)
REPORT = Report(
    seq=1,
    boot_ms=BootMs(2_000),
    leases=(Counters(lease=LEASE, granted=Nanos(5)),),
    wants=(Want(charge=CHARGE, want=Nanos(3), need=Nanos(2), least=Nanos(1)),),
)
GRANT = Grant(epoch=1, lease=LEASE, granted=Nanos(9), ttl=DurationMs(15), echo_boot_ms=BootMs(4))


@given(requests)
def test_what_a_sidecar_says_arrives_as_it_was_said(message: FromSidecar) -> None:
    sent = encode_request(message).SerializeToString()
    assert decode_request(pb.SyncRequest.FromString(sent)) == message


@given(responses)
def test_what_the_controller_says_arrives_as_it_was_said(message: FromController) -> None:
    sent = encode_response(message).SerializeToString()
    assert decode_response(pb.SyncResponse.FromString(sent)) == message


def test_a_window_that_never_ends_is_not_one_that_ends_now() -> None:
    endless, ending = GRANT, replace(GRANT, window_ends_in=DurationMs(0))
    assert decode_response(encode_response(endless)) == endless
    assert decode_response(encode_response(ending)) == ending


def test_a_window_that_has_started_is_not_one_that_starts_now() -> None:
    started, starting = GRANT, replace(GRANT, starts_in=DurationMs(0))
    assert decode_response(encode_response(started)) == started
    assert decode_response(encode_response(starting)) == starting


@pytest.mark.parametrize(
    ("read", "empty", "sentence"),
    [
        (decode_request, pb.SyncRequest(), "the request is empty"),
        (decode_response, pb.SyncResponse(), "the response is empty"),
        (decode_request, pb.SyncRequest(hello=pb.Hello()), "hello.workload is missing"),
        (decode_response, pb.SyncResponse(grant=pb.Grant()), "grant.lease is missing"),
        (decode_response, pb.SyncResponse(shrink=pb.Shrink()), "shrink.lease is missing"),
        (decode_response, pb.SyncResponse(denial=pb.Denial()), "denial.lease is missing"),
        (decode_response, pb.SyncResponse(closed=pb.Closed()), "closed.lease is missing"),
        (decode_response, pb.SyncResponse(policy={}), "policy.routing is missing"),
        (
            decode_request,
            pb.SyncRequest(goodbye=pb.Goodbye(leases=[pb.LeaseCounters()])),
            "goodbye.leases[0].lease is missing",
        ),
    ],
)
def test_a_message_without_a_part_that_it_must_have_is_refused(
    read: Callable[[Message], object], empty: Message, sentence: str
) -> None:
    with pytest.raises(CodecError) as caught:
        read(empty)
    assert sentence in str(caught.value)


def _first(message: pb.SyncRequest) -> pb.LeaseCounters:
    kind = message.WhichOneof("message")
    assert kind is not None
    leases = getattr(message, kind).leases
    found = leases[0]
    assert isinstance(found, pb.LeaseCounters)
    return found


BAD_REQUESTS: list[tuple[str, FromSidecar, Callable[[pb.SyncRequest], object], str]] = [
    (
        "a holder without a name",
        HELLO,
        lambda m: setattr(m.hello, "holder_uid", ""),
        "hello.holder_uid is empty",
    ),
    (
        "a holder with a name beyond all bounds",
        HELLO,
        lambda m: setattr(m.hello, "holder_uid", "h" * 513),
        "hello.holder_uid has 513 characters",
    ),
    (
        "a journal that says nothing",
        HELLO,
        lambda m: setattr(m.hello, "journal", pb.JOURNAL_STATE_UNSPECIFIED),
        "hello.journal is 0",
    ),
    (
        "a journal state from another version",
        HELLO,
        lambda m: setattr(m.hello, "journal", 9),
        "hello.journal is 9",
    ),
    (
        "a clock before its machine started",
        HELLO,
        lambda m: setattr(m.hello, "boot_ms", -1),
        "hello.boot_ms is -1",
    ),
    (
        "restarts below zero",
        HELLO,
        lambda m: setattr(m.hello, "boot_seq", -1),
        "hello.boot_seq is -1",
    ),
    (
        "a pod without a namespace",
        HELLO,
        lambda m: setattr(m.hello.workload, "namespace", ""),
        "hello.workload.namespace is empty",
    ),
    (
        "more labels than a pod has",
        HELLO,
        lambda m: m.hello.workload.labels.update({f"l{n}": "" for n in range(257)}),
        "hello.workload.labels has 258 entries",
    ),
    (
        "a label longer than labels are",
        HELLO,
        lambda m: m.hello.workload.labels.update({"app": "a" * 513}),
        "hello.workload.labels has 513 characters",
    ),
    (
        "a lease of no pool",
        HELLO,
        lambda m: setattr(_first(m).lease, "pool_uid", ""),
        "hello.leases[0].lease.pool_uid is empty",
    ),
    (
        "a lease of an over-long key",
        REPORT,
        lambda m: setattr(_first(m).lease, "key", "k" * (KEY_CHARS_MAX + 1)),
        "report.leases[0].lease.key has 129 characters: at most 128",
    ),
    (
        "a lease in a window before all windows",
        REPORT,
        lambda m: setattr(_first(m).lease, "window_id", -1),
        "report.leases[0].lease.window_id is -1",
    ),
    (
        "a holder that was lent less than nothing",
        REPORT,
        lambda m: setattr(_first(m), "granted", -1),
        "report.leases[0].granted is -1 n$",
    ),
    (
        "a holder that gives back less than nothing",
        REPORT,
        lambda m: setattr(_first(m), "returned", -1),
        "report.leases[0].returned is -1 n$",
    ),
    (
        "a holder that spent less than nothing",
        Goodbye(leases=HELLO.leases),
        lambda m: setattr(_first(m), "spent", -1),
        "goodbye.leases[0].spent is -1 n$",
    ),
    (
        "a holder that holds less than nothing",
        HELLO,
        lambda m: setattr(_first(m), "reserved", -1),
        "hello.leases[0].reserved is -1 n$",
    ),
    (
        "a want of no pool",
        REPORT,
        lambda m: setattr(m.report.wants[0], "pool_uid", ""),
        "report.wants[0].pool_uid is empty",
    ),
    (
        "a want below nothing",
        REPORT,
        lambda m: setattr(m.report.wants[0], "want", -5),
        "report.wants[0].want is -5 n$",
    ),
    (
        "a need below nothing",
        REPORT,
        lambda m: setattr(m.report.wants[0], "need", -5),
        "report.wants[0].need is -5 n$",
    ),
    (
        "a least below nothing",
        REPORT,
        lambda m: setattr(m.report.wants[0], "least", -5),
        "report.wants[0].least is -5 n$",
    ),
    (
        "more wants than a report may have",
        REPORT,
        lambda m: m.report.wants.extend([pb.Want()] * codec.WANTS_MAX),
        "report.wants has 257 entries: at most 256",
    ),
    (
        "more leases than a message may have",
        REPORT,
        lambda m: m.report.leases.extend([pb.LeaseCounters()] * codec.LEASES_MAX),
        "report.leases has 16385 entries: at most 16384",
    ),
    ("a sequence below zero", REPORT, lambda m: setattr(m.report, "seq", -1), "report.seq is -1"),
]


@pytest.mark.parametrize(
    ("good", "spoil", "sentence"),
    [case[1:] for case in BAD_REQUESTS],
    ids=[case[0] for case in BAD_REQUESTS],
)
def test_a_malformed_request_is_refused(
    good: FromSidecar, spoil: Callable[[pb.SyncRequest], object], sentence: str
) -> None:
    message = encode_request(good)
    assert decode_request(message) == good
    spoil(message)
    with pytest.raises(CodecError) as caught:
        decode_request(message)
    assert sentence in str(caught.value)


LEASE_KEY = {"pool_uid": "default/team", "window_id": 7}
BAD_RESPONSES: list[tuple[str, dict[str, object], str]] = [
    ("a grant below nothing", {"grant": {"granted": -1}}, "grant.granted is -1 n$"),
    ("a lease that ended before it began", {"grant": {"ttl_ms": -1}}, "grant.ttl_ms is -1"),
    (
        "a window that is over already",
        {"grant": {"window_ends_in_ms": -1}},
        "grant.window_ends_in_ms is -1",
    ),
    (
        "a start before the message",
        {"grant": {"starts_in_ms": -1}},
        "grant.starts_in_ms is -1",
    ),
    ("an epoch below zero", {"grant": {"epoch": -1}}, "grant.epoch is -1"),
    ("an echo of no time", {"grant": {"echo_boot_ms": -1}}, "grant.echo_boot_ms is -1"),
    ("a shrink below nothing", {"shrink": {"limit": -1}}, "shrink.limit is -1 n$"),
    ("a denial without a reason", {"denial": {"reason": ""}}, "denial.reason is ''"),
    (
        "a denial for a reason that nobody knows",
        {"denial": {"reason": "full_moon"}},
        "denial.reason is 'full_moon': it must be one of",
    ),
    (
        "a retry in the past",
        {"denial": {"reason": "hold_pending", "retry_after_ms": -1}},
        "denial.retry_after_ms is -1",
    ),
    (
        "a limit below nothing",
        {"denial": {"reason": "hold_pending", "limit": -1}},
        "denial.limit is -1 n$",
    ),
    (
        "a reset after the end of calendars",
        {"denial": {"reason": "pool_exhausted", "resets_at_ms": codec.UTC_MS_MAX + 1}},
        "denial.resets_at_ms is 253402300800000",
    ),
]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [case[1:] for case in BAD_RESPONSES],
    ids=[case[0] for case in BAD_RESPONSES],
)
def test_a_malformed_response_about_a_lease_is_refused(
    fields: dict[str, dict[str, object]], sentence: str
) -> None:
    kind, values = next(iter(fields.items()))
    message = pb.SyncResponse(**{kind: {"lease": LEASE_KEY, **values}})
    with pytest.raises(CodecError) as caught:
        decode_response(message)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (pb.Welcome(ttl_ms=-1), "welcome.ttl_ms is -1"),
        (pb.Welcome(heartbeat_ms=-1), "welcome.heartbeat_ms is -1"),
        (pb.Welcome(drift_ppm=codec.PPM_MAX + 1), "welcome.drift_ppm is 1000001"),
        (pb.Welcome(refusal="x" * 4_097), "welcome.refusal has 4097 characters"),
    ],
)
def test_a_malformed_welcome_is_refused(message: pb.Welcome, sentence: str) -> None:
    with pytest.raises(CodecError) as caught:
        decode_response(pb.SyncResponse(welcome=message))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a Goodbye", Goodbye(leases=(Counters(lease=LEASE, spent=Nanos(2**63)),))),
        ("a Report", replace(REPORT, seq=2**63)),
        ("a Hello", replace(HELLO, holder="\ud800")),
    ],
)
def test_what_does_not_fit_the_wire_is_not_sent(name: str, message: FromSidecar) -> None:
    with pytest.raises(CodecError) as caught:
        encode_request(message)
    assert str(caught.value).startswith(f"{name} can't be sent: ")


def test_a_grant_beyond_the_wire_is_not_sent() -> None:
    with pytest.raises(CodecError, match="a Grant can't be sent"):
        encode_response(replace(GRANT, granted=Nanos(2**63)))
