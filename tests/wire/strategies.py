"""Every message of the wire, as hypothesis strategies.

The one rule: only values that the codec promises to carry; what it refuses stands in tables.
"""

from dataclasses import replace
from fractions import Fraction
from typing import TypeVar

from hypothesis import strategies as st

from farebox.core.budgets import (
    KEY_CHARS_MAX,
    Charge,
    Mode,
    OnExhausted,
    Override,
    Per,
    Pool,
    PoolUid,
    Priority,
    Reserve,
    WhenDisconnected,
)
from farebox.core.gates import Gate, GateKind
from farebox.core.instant import BootMs, DurationMs, UtcMs
from farebox.core.leases import LeaseId
from farebox.core.money import Nanos
from farebox.core.policy import Policy
from farebox.core.prices import Price, Rates
from farebox.core.reasons import Reason
from farebox.core.tallies import BINS, Checks, ServedBy, Service, Tally
from farebox.core.tasks import (
    AfterGates,
    Baseline,
    ClassifierKind,
    Consequence,
    Escalation,
    Freedom,
    RoutingPolicy,
    StreamGate,
    TaskMatch,
    TaskProfile,
)
from farebox.core.tiers import Api, Capability, Catalogue, Model, Tier
from farebox.core.usage import UsageKind
from farebox.core.windows import (
    PERIOD_MS_MIN,
    SLIDING_PERIOD_MS_MIN,
    CalendarUnit,
    WindowSpec,
    WindowType,
)
from farebox.wire.checks import INT64_MAX
from farebox.wire.codec import PPM_MAX, UTC_MS_MAX
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
    Outlook,
    PolicyPush,
    Report,
    ReportAck,
    ShrinkTo,
    Tallies,
    Want,
    Welcome,
    Workload,
)

T = TypeVar("T")

numbers = st.integers(0, INT64_MAX)
thousandths = st.integers(0, 1_000)
amounts = numbers.map(Nanos)
durations = numbers.map(DurationMs)
boots = numbers.map(BootMs)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
keys = st.text(st.characters(codec="utf-8"), max_size=KEY_CHARS_MAX)
pool_uids = names.map(PoolUid)
charges = st.builds(Charge, pool_uids, keys)
lease_ids = st.builds(LeaseId, charges, numbers)


def some(of: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(of, max_size=3).map(tuple)


counters = st.builds(
    Counters,
    lease=lease_ids,
    granted=amounts,
    returned=amounts,
    spent=amounts,
    reserved=amounts,
    finished=st.booleans(),
)
wants = st.builds(Want, charge=charges, want=amounts, need=amounts, least=amounts)
workloads = st.builds(
    Workload,
    namespace=names,
    name=names,
    labels=st.dictionaries(texts, texts, max_size=3),
)
hellos = st.builds(
    Hello,
    holder=names,
    boot_seq=numbers,
    workload=workloads,
    journal=st.sampled_from(JournalState),
    epoch_seen_max=numbers,
    boot_ms=boots,
    leases=some(counters),
)
tallies = st.builds(
    Tally,
    calls=numbers,
    refused=numbers,
    gated=numbers,
    escalated=numbers,
    unmended=numbers,
    unsure=numbers,
    difficulties=st.tuples(*[numbers] * BINS),
    services=st.dictionaries(
        st.builds(ServedBy, texts, texts),
        st.builds(Service, numbers, numbers, numbers, numbers),
        max_size=3,
    ),
    gates=st.dictionaries(
        st.sampled_from(GateKind), st.builds(Checks, numbers, numbers, numbers), max_size=3
    ),
)
told = st.none() | st.builds(
    Tallies,
    incarnation=numbers,
    age=durations,
    tasks=st.dictionaries(texts, tallies, max_size=3),
)
reports = st.builds(
    Report, seq=numbers, boot_ms=boots, leases=some(counters), wants=some(wants), tallies=told
)
requests: st.SearchStrategy[FromSidecar] = st.one_of(
    hellos, reports, st.builds(Goodbye, leases=some(counters), tallies=told)
)

lengths = st.integers(PERIOD_MS_MIN, INT64_MAX).map(DurationMs)
windows = st.one_of(
    st.just(WindowSpec(type=WindowType.LIFETIME)),
    st.builds(
        WindowSpec,
        type=st.just(WindowType.FIXED),
        period=st.sampled_from(CalendarUnit) | lengths,
        zone=names,
    ),
    st.builds(
        WindowSpec,
        type=st.just(WindowType.SLIDING),
        period=st.integers(SLIDING_PERIOD_MS_MIN, INT64_MAX).map(DurationMs),
    ),
    st.builds(
        WindowSpec,
        type=st.just(WindowType.TOKEN_BUCKET),
        period=lengths,
        burst=st.none() | amounts,
    ),
    st.builds(
        WindowSpec,
        type=st.just(WindowType.TOKEN_BUCKET),
        refill_per_hour=amounts,
        burst=st.none() | amounts,
    ),
)


def _pool(pool: Pool, defer_for: DurationMs) -> Pool:
    """A pool that defers for a while exactly where it lists that it defers."""
    defers = OnExhausted.DEFER in pool.on_exhausted
    return replace(pool, defer_for=defer_for if defers else None)


pools = st.builds(
    _pool,
    st.builds(
        Pool,
        uid=pool_uids,
        namespace=names,
        name=names,
        generation=numbers,
        limit=amounts,
        window=windows,
        per=st.sampled_from(Per),
        selector=st.none(),
        parent=st.none() | pool_uids,
        on_exhausted=st.lists(st.sampled_from(OnExhausted), unique=True).map(tuple),
        reserve=st.none()
        | st.builds(Reserve, percent=st.integers(0, 100), priority=st.sampled_from(Priority)),
        normal_of=st.none() | pool_uids,
        mode=st.sampled_from(Mode),
        when_disconnected=st.sampled_from(WhenDisconnected),
        override=st.none()
        | st.builds(Override, limit=amounts, until=st.integers(0, UTC_MS_MAX).map(UtcMs)),
    ),
    st.integers(1, INT64_MAX).map(DurationMs),
)
rates = st.builds(
    lambda rest, plain: Rates(by_kind={**rest, **plain}),
    st.dictionaries(st.sampled_from(UsageKind), numbers),
    st.fixed_dictionaries({UsageKind.INPUT: numbers, UsageKind.OUTPUT: numbers}),
)
steps = st.dictionaries(numbers, rates, max_size=3).map(
    lambda found: tuple(sorted(found.items(), key=lambda step: step[0]))
)
prices = st.builds(Price, rates=rates, above=steps)
models = st.builds(
    Model,
    name=names,
    provider=names,
    api=st.sampled_from(Api),
    base_url=names,
    upstream_name=names,
    price=prices,
    context_window=st.integers(1, INT64_MAX),
    max_output_tokens=st.integers(1, INT64_MAX),
    capabilities=st.frozensets(st.sampled_from(Capability)),
    overrun_percent=numbers,
    secret_env=texts,
    residency=st.frozensets(texts, max_size=3),
)
tiers = st.builds(
    Tier,
    name=names,
    rank=numbers,
    max_difficulty=thousandths,
    models=some(models),
    context_guard=st.integers(1, 100).map(lambda percent: Fraction(percent, 100)),
)
catalogues = st.builds(
    Catalogue,
    tiers=some(tiers).map(lambda found: tuple(sorted(found, key=lambda tier: tier.rank))),
    unlisted=some(models),
)
decimals = st.decimals(-(10**15), 10**15, places=9)
gates = st.builds(
    Gate,
    name=names,
    kind=st.sampled_from(GateKind),
    schema=texts,
    labels=some(texts),
    pattern=texts,
    values=some(texts),
    minimum=st.none() | decimals,
    maximum=st.none() | decimals,
    tolerance=decimals,
    citations_min=numbers,
    model=texts,
    rubric=texts,
    pass_mark=thousandths,
    function=texts,
    case_sensitive=st.booleans(),
)
tasks = st.builds(
    TaskProfile,
    name=names,
    match=st.builds(
        TaskMatch,
        header_values=some(texts),
        paths=some(texts),
        aliases=some(texts),
        system_fingerprints=some(texts),
    ),
    default_tier=names,
    floor_tier=texts,
    ceiling_tier=texts,
    consequence=st.sampled_from(Consequence),
    expected_output_tokens=numbers,
    output_tokens_min=numbers,
    gates=st.lists(gates, max_size=3).map(tuple),
    escalation=st.builds(
        Escalation,
        steps_max=numbers,
        added_latency_max=durations,
        after=st.sampled_from(AfterGates),
    ),
    baseline=st.none()
    | st.builds(
        Baseline,
        measured=texts,
        samples=numbers,
        catalogue=texts,
        pass_rates=some(st.tuples(names, thousandths)),
        escalation_rate=thousandths,
        difficulties=some(thousandths),
    ),
    residency=some(texts),
)
routings = st.builds(
    RoutingPolicy,
    name=names,
    classifier=st.sampled_from(ClassifierKind),
    freedom=st.sampled_from(Freedom),
    unsure_difficulty=thousandths,
    high_consequence_difficulty=thousandths,
    output_tokens_min=numbers,
    output_tokens_default=st.integers(1, INT64_MAX),
    session_header=texts,
    user_header=texts,
    workflow_header=texts,
    task_header=texts,
    priority_header=texts,
    tier_header=texts,
    residency_header=texts,
    weights=texts,
    quality=texts,
    boundary_difficulty=thousandths,
    pacing=st.booleans(),
    streams=st.sampled_from(StreamGate),
    escalation_alert_percent=numbers,
    schema_failure_alert_percent=numbers,
    drift_alert_percent=numbers,
    pass_rate_trusted=numbers,
    pass_rate_monitored=numbers,
)
policies = st.builds(
    Policy,
    generation=numbers,
    pools=some(pools),
    catalogue=catalogues,
    tasks=some(tasks),
    routing=routings,
)

welcomes = st.builds(
    Welcome,
    epoch=numbers,
    accepted=st.booleans(),
    heartbeat=durations,
    ttl=durations,
    drift_ppm=st.integers(0, PPM_MAX),
    refusal=texts,
)
outlooks = st.builds(Outlook, lease=lease_ids, spent_by_then=amounts, lasts=durations)
grants = st.builds(
    Grant,
    epoch=numbers,
    lease=lease_ids,
    granted=amounts,
    ttl=durations,
    echo_boot_ms=boots,
    window_ends_in=st.none() | durations,
    starts_in=st.none() | durations,
    outlook=st.none() | outlooks,
)
denials = st.builds(
    Denial,
    epoch=numbers,
    lease=lease_ids,
    reason=st.sampled_from(Reason),
    retry_after=durations,
    limit=amounts,
    settled=amounts,
    held=amounts,
    remaining=amounts,
    resets_at=st.none() | st.integers(1, UTC_MS_MAX).map(UtcMs),
)
responses: st.SearchStrategy[FromController] = st.one_of(
    welcomes,
    grants,
    st.builds(ShrinkTo, epoch=numbers, lease=lease_ids, limit=amounts),
    st.builds(
        ReportAck,
        epoch=numbers,
        seq=numbers,
        echo_boot_ms=boots,
        ttl=durations,
        outlooks=some(outlooks),
    ),
    denials,
    st.builds(LeaseClosed, lease=lease_ids),
    st.builds(PolicyPush, epoch=numbers, policy=policies),
)
