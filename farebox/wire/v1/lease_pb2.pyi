from farebox.wire.v1 import policy_pb2 as _policy_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class JournalState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOURNAL_STATE_UNSPECIFIED: _ClassVar[JournalState]
    JOURNAL_STATE_OK: _ClassVar[JournalState]
    JOURNAL_STATE_NEW: _ClassVar[JournalState]
    JOURNAL_STATE_LOST: _ClassVar[JournalState]
JOURNAL_STATE_UNSPECIFIED: JournalState
JOURNAL_STATE_OK: JournalState
JOURNAL_STATE_NEW: JournalState
JOURNAL_STATE_LOST: JournalState

class SyncRequest(_message.Message):
    __slots__ = ("hello", "report", "goodbye")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    report: Report
    goodbye: Goodbye
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., report: _Optional[_Union[Report, _Mapping]] = ..., goodbye: _Optional[_Union[Goodbye, _Mapping]] = ...) -> None: ...

class SyncResponse(_message.Message):
    __slots__ = ("welcome", "grant", "shrink", "report_ack", "denial", "closed", "policy")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    GRANT_FIELD_NUMBER: _ClassVar[int]
    SHRINK_FIELD_NUMBER: _ClassVar[int]
    REPORT_ACK_FIELD_NUMBER: _ClassVar[int]
    DENIAL_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    welcome: Welcome
    grant: Grant
    shrink: Shrink
    report_ack: ReportAck
    denial: Denial
    closed: Closed
    policy: _policy_pb2.Policy
    def __init__(self, welcome: _Optional[_Union[Welcome, _Mapping]] = ..., grant: _Optional[_Union[Grant, _Mapping]] = ..., shrink: _Optional[_Union[Shrink, _Mapping]] = ..., report_ack: _Optional[_Union[ReportAck, _Mapping]] = ..., denial: _Optional[_Union[Denial, _Mapping]] = ..., closed: _Optional[_Union[Closed, _Mapping]] = ..., policy: _Optional[_Union[_policy_pb2.Policy, _Mapping]] = ...) -> None: ...

class LeaseKey(_message.Message):
    __slots__ = ("pool_uid", "key", "window_id")
    POOL_UID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    WINDOW_ID_FIELD_NUMBER: _ClassVar[int]
    pool_uid: str
    key: str
    window_id: int
    def __init__(self, pool_uid: _Optional[str] = ..., key: _Optional[str] = ..., window_id: _Optional[int] = ...) -> None: ...

class LeaseCounters(_message.Message):
    __slots__ = ("lease", "granted", "returned", "spent", "reserved", "finished")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    RETURNED_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    FINISHED_FIELD_NUMBER: _ClassVar[int]
    lease: LeaseKey
    granted: int
    returned: int
    spent: int
    reserved: int
    finished: bool
    def __init__(self, lease: _Optional[_Union[LeaseKey, _Mapping]] = ..., granted: _Optional[int] = ..., returned: _Optional[int] = ..., spent: _Optional[int] = ..., reserved: _Optional[int] = ..., finished: _Optional[bool] = ...) -> None: ...

class Want(_message.Message):
    __slots__ = ("pool_uid", "key", "want", "need", "least")
    POOL_UID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    WANT_FIELD_NUMBER: _ClassVar[int]
    NEED_FIELD_NUMBER: _ClassVar[int]
    LEAST_FIELD_NUMBER: _ClassVar[int]
    pool_uid: str
    key: str
    want: int
    need: int
    least: int
    def __init__(self, pool_uid: _Optional[str] = ..., key: _Optional[str] = ..., want: _Optional[int] = ..., need: _Optional[int] = ..., least: _Optional[int] = ...) -> None: ...

class Workload(_message.Message):
    __slots__ = ("namespace", "name", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    name: str
    labels: _containers.ScalarMap[str, str]
    def __init__(self, namespace: _Optional[str] = ..., name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("holder_uid", "boot_seq", "workload", "journal", "epoch_seen_max", "boot_ms", "leases")
    HOLDER_UID_FIELD_NUMBER: _ClassVar[int]
    BOOT_SEQ_FIELD_NUMBER: _ClassVar[int]
    WORKLOAD_FIELD_NUMBER: _ClassVar[int]
    JOURNAL_FIELD_NUMBER: _ClassVar[int]
    EPOCH_SEEN_MAX_FIELD_NUMBER: _ClassVar[int]
    BOOT_MS_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    holder_uid: str
    boot_seq: int
    workload: Workload
    journal: JournalState
    epoch_seen_max: int
    boot_ms: int
    leases: _containers.RepeatedCompositeFieldContainer[LeaseCounters]
    def __init__(self, holder_uid: _Optional[str] = ..., boot_seq: _Optional[int] = ..., workload: _Optional[_Union[Workload, _Mapping]] = ..., journal: _Optional[_Union[JournalState, str]] = ..., epoch_seen_max: _Optional[int] = ..., boot_ms: _Optional[int] = ..., leases: _Optional[_Iterable[_Union[LeaseCounters, _Mapping]]] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("seq", "boot_ms", "leases", "wants", "tallies")
    SEQ_FIELD_NUMBER: _ClassVar[int]
    BOOT_MS_FIELD_NUMBER: _ClassVar[int]
    LEASES_FIELD_NUMBER: _ClassVar[int]
    WANTS_FIELD_NUMBER: _ClassVar[int]
    TALLIES_FIELD_NUMBER: _ClassVar[int]
    seq: int
    boot_ms: int
    leases: _containers.RepeatedCompositeFieldContainer[LeaseCounters]
    wants: _containers.RepeatedCompositeFieldContainer[Want]
    tallies: Tallies
    def __init__(self, seq: _Optional[int] = ..., boot_ms: _Optional[int] = ..., leases: _Optional[_Iterable[_Union[LeaseCounters, _Mapping]]] = ..., wants: _Optional[_Iterable[_Union[Want, _Mapping]]] = ..., tallies: _Optional[_Union[Tallies, _Mapping]] = ...) -> None: ...

class Tallies(_message.Message):
    __slots__ = ("incarnation", "age_ms", "tasks")
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    AGE_MS_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    incarnation: int
    age_ms: int
    tasks: _containers.RepeatedCompositeFieldContainer[TaskTally]
    def __init__(self, incarnation: _Optional[int] = ..., age_ms: _Optional[int] = ..., tasks: _Optional[_Iterable[_Union[TaskTally, _Mapping]]] = ...) -> None: ...

class TaskTally(_message.Message):
    __slots__ = ("task", "calls", "refused", "gated", "escalated", "unmended", "unsure", "difficulties", "services", "gates")
    TASK_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    GATED_FIELD_NUMBER: _ClassVar[int]
    ESCALATED_FIELD_NUMBER: _ClassVar[int]
    UNMENDED_FIELD_NUMBER: _ClassVar[int]
    UNSURE_FIELD_NUMBER: _ClassVar[int]
    DIFFICULTIES_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    task: str
    calls: int
    refused: int
    gated: int
    escalated: int
    unmended: int
    unsure: int
    difficulties: _containers.RepeatedScalarFieldContainer[int]
    services: _containers.RepeatedCompositeFieldContainer[ServiceTally]
    gates: _containers.RepeatedCompositeFieldContainer[GateTally]
    def __init__(self, task: _Optional[str] = ..., calls: _Optional[int] = ..., refused: _Optional[int] = ..., gated: _Optional[int] = ..., escalated: _Optional[int] = ..., unmended: _Optional[int] = ..., unsure: _Optional[int] = ..., difficulties: _Optional[_Iterable[int]] = ..., services: _Optional[_Iterable[_Union[ServiceTally, _Mapping]]] = ..., gates: _Optional[_Iterable[_Union[GateTally, _Mapping]]] = ...) -> None: ...

class ServiceTally(_message.Message):
    __slots__ = ("tier", "model", "calls", "judged", "failed", "cost")
    TIER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    JUDGED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    tier: str
    model: str
    calls: int
    judged: int
    failed: int
    cost: int
    def __init__(self, tier: _Optional[str] = ..., model: _Optional[str] = ..., calls: _Optional[int] = ..., judged: _Optional[int] = ..., failed: _Optional[int] = ..., cost: _Optional[int] = ...) -> None: ...

class GateTally(_message.Message):
    __slots__ = ("kind", "checked", "failed", "unrun")
    KIND_FIELD_NUMBER: _ClassVar[int]
    CHECKED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    UNRUN_FIELD_NUMBER: _ClassVar[int]
    kind: str
    checked: int
    failed: int
    unrun: int
    def __init__(self, kind: _Optional[str] = ..., checked: _Optional[int] = ..., failed: _Optional[int] = ..., unrun: _Optional[int] = ...) -> None: ...

class Goodbye(_message.Message):
    __slots__ = ("leases", "tallies")
    LEASES_FIELD_NUMBER: _ClassVar[int]
    TALLIES_FIELD_NUMBER: _ClassVar[int]
    leases: _containers.RepeatedCompositeFieldContainer[LeaseCounters]
    tallies: Tallies
    def __init__(self, leases: _Optional[_Iterable[_Union[LeaseCounters, _Mapping]]] = ..., tallies: _Optional[_Union[Tallies, _Mapping]] = ...) -> None: ...

class Welcome(_message.Message):
    __slots__ = ("epoch", "accepted", "refusal", "heartbeat_ms", "ttl_ms", "drift_ppm")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_MS_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    DRIFT_PPM_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    accepted: bool
    refusal: str
    heartbeat_ms: int
    ttl_ms: int
    drift_ppm: int
    def __init__(self, epoch: _Optional[int] = ..., accepted: _Optional[bool] = ..., refusal: _Optional[str] = ..., heartbeat_ms: _Optional[int] = ..., ttl_ms: _Optional[int] = ..., drift_ppm: _Optional[int] = ...) -> None: ...

class Grant(_message.Message):
    __slots__ = ("epoch", "lease", "granted", "ttl_ms", "echo_boot_ms", "window_ends_in_ms", "starts_in_ms", "outlook")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    ECHO_BOOT_MS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_ENDS_IN_MS_FIELD_NUMBER: _ClassVar[int]
    STARTS_IN_MS_FIELD_NUMBER: _ClassVar[int]
    OUTLOOK_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    lease: LeaseKey
    granted: int
    ttl_ms: int
    echo_boot_ms: int
    window_ends_in_ms: int
    starts_in_ms: int
    outlook: Outlook
    def __init__(self, epoch: _Optional[int] = ..., lease: _Optional[_Union[LeaseKey, _Mapping]] = ..., granted: _Optional[int] = ..., ttl_ms: _Optional[int] = ..., echo_boot_ms: _Optional[int] = ..., window_ends_in_ms: _Optional[int] = ..., starts_in_ms: _Optional[int] = ..., outlook: _Optional[_Union[Outlook, _Mapping]] = ...) -> None: ...

class Outlook(_message.Message):
    __slots__ = ("lease", "spent_by_then", "lasts_ms")
    LEASE_FIELD_NUMBER: _ClassVar[int]
    SPENT_BY_THEN_FIELD_NUMBER: _ClassVar[int]
    LASTS_MS_FIELD_NUMBER: _ClassVar[int]
    lease: LeaseKey
    spent_by_then: int
    lasts_ms: int
    def __init__(self, lease: _Optional[_Union[LeaseKey, _Mapping]] = ..., spent_by_then: _Optional[int] = ..., lasts_ms: _Optional[int] = ...) -> None: ...

class Shrink(_message.Message):
    __slots__ = ("epoch", "lease", "limit")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    lease: LeaseKey
    limit: int
    def __init__(self, epoch: _Optional[int] = ..., lease: _Optional[_Union[LeaseKey, _Mapping]] = ..., limit: _Optional[int] = ...) -> None: ...

class ReportAck(_message.Message):
    __slots__ = ("epoch", "seq", "echo_boot_ms", "ttl_ms", "outlooks")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    ECHO_BOOT_MS_FIELD_NUMBER: _ClassVar[int]
    TTL_MS_FIELD_NUMBER: _ClassVar[int]
    OUTLOOKS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    seq: int
    echo_boot_ms: int
    ttl_ms: int
    outlooks: _containers.RepeatedCompositeFieldContainer[Outlook]
    def __init__(self, epoch: _Optional[int] = ..., seq: _Optional[int] = ..., echo_boot_ms: _Optional[int] = ..., ttl_ms: _Optional[int] = ..., outlooks: _Optional[_Iterable[_Union[Outlook, _Mapping]]] = ...) -> None: ...

class Denial(_message.Message):
    __slots__ = ("epoch", "lease", "reason", "retry_after_ms", "limit", "settled", "held", "remaining", "resets_at_ms")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    RESETS_AT_MS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    lease: LeaseKey
    reason: str
    retry_after_ms: int
    limit: int
    settled: int
    held: int
    remaining: int
    resets_at_ms: int
    def __init__(self, epoch: _Optional[int] = ..., lease: _Optional[_Union[LeaseKey, _Mapping]] = ..., reason: _Optional[str] = ..., retry_after_ms: _Optional[int] = ..., limit: _Optional[int] = ..., settled: _Optional[int] = ..., held: _Optional[int] = ..., remaining: _Optional[int] = ..., resets_at_ms: _Optional[int] = ...) -> None: ...

class Closed(_message.Message):
    __slots__ = ("lease",)
    LEASE_FIELD_NUMBER: _ClassVar[int]
    lease: LeaseKey
    def __init__(self, lease: _Optional[_Union[LeaseKey, _Mapping]] = ...) -> None: ...
