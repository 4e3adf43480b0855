from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Policy(_message.Message):
    __slots__ = ("epoch", "generation", "pools", "tiers", "unlisted", "tasks", "routing")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    POOLS_FIELD_NUMBER: _ClassVar[int]
    TIERS_FIELD_NUMBER: _ClassVar[int]
    UNLISTED_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    ROUTING_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    generation: int
    pools: _containers.RepeatedCompositeFieldContainer[Pool]
    tiers: _containers.RepeatedCompositeFieldContainer[Tier]
    unlisted: _containers.RepeatedCompositeFieldContainer[Model]
    tasks: _containers.RepeatedCompositeFieldContainer[Task]
    routing: Routing
    def __init__(self, epoch: _Optional[int] = ..., generation: _Optional[int] = ..., pools: _Optional[_Iterable[_Union[Pool, _Mapping]]] = ..., tiers: _Optional[_Iterable[_Union[Tier, _Mapping]]] = ..., unlisted: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., tasks: _Optional[_Iterable[_Union[Task, _Mapping]]] = ..., routing: _Optional[_Union[Routing, _Mapping]] = ...) -> None: ...

class Pool(_message.Message):
    __slots__ = ("uid", "namespace", "name", "generation", "limit", "window_type", "calendar", "period_ms", "per", "parent", "on_exhausted", "zone", "refill_per_hour", "burst", "defer_for_ms", "reserve", "normal_of", "mode", "when_disconnected", "override")
    UID_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    WINDOW_TYPE_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_FIELD_NUMBER: _ClassVar[int]
    PERIOD_MS_FIELD_NUMBER: _ClassVar[int]
    PER_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    ON_EXHAUSTED_FIELD_NUMBER: _ClassVar[int]
    ZONE_FIELD_NUMBER: _ClassVar[int]
    REFILL_PER_HOUR_FIELD_NUMBER: _ClassVar[int]
    BURST_FIELD_NUMBER: _ClassVar[int]
    DEFER_FOR_MS_FIELD_NUMBER: _ClassVar[int]
    RESERVE_FIELD_NUMBER: _ClassVar[int]
    NORMAL_OF_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    WHEN_DISCONNECTED_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    uid: str
    namespace: str
    name: str
    generation: int
    limit: int
    window_type: str
    calendar: str
    period_ms: int
    per: str
    parent: str
    on_exhausted: _containers.RepeatedScalarFieldContainer[str]
    zone: str
    refill_per_hour: int
    burst: int
    defer_for_ms: int
    reserve: Reserve
    normal_of: str
    mode: str
    when_disconnected: str
    override: Override
    def __init__(self, uid: _Optional[str] = ..., namespace: _Optional[str] = ..., name: _Optional[str] = ..., generation: _Optional[int] = ..., limit: _Optional[int] = ..., window_type: _Optional[str] = ..., calendar: _Optional[str] = ..., period_ms: _Optional[int] = ..., per: _Optional[str] = ..., parent: _Optional[str] = ..., on_exhausted: _Optional[_Iterable[str]] = ..., zone: _Optional[str] = ..., refill_per_hour: _Optional[int] = ..., burst: _Optional[int] = ..., defer_for_ms: _Optional[int] = ..., reserve: _Optional[_Union[Reserve, _Mapping]] = ..., normal_of: _Optional[str] = ..., mode: _Optional[str] = ..., when_disconnected: _Optional[str] = ..., override: _Optional[_Union[Override, _Mapping]] = ...) -> None: ...

class Reserve(_message.Message):
    __slots__ = ("percent", "priority")
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    percent: int
    priority: str
    def __init__(self, percent: _Optional[int] = ..., priority: _Optional[str] = ...) -> None: ...

class Override(_message.Message):
    __slots__ = ("limit", "until_ms")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    limit: int
    until_ms: int
    def __init__(self, limit: _Optional[int] = ..., until_ms: _Optional[int] = ...) -> None: ...

class Tier(_message.Message):
    __slots__ = ("name", "rank", "max_difficulty", "models", "context_guard_percent")
    NAME_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    MAX_DIFFICULTY_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_GUARD_PERCENT_FIELD_NUMBER: _ClassVar[int]
    name: str
    rank: int
    max_difficulty: int
    models: _containers.RepeatedCompositeFieldContainer[Model]
    context_guard_percent: int
    def __init__(self, name: _Optional[str] = ..., rank: _Optional[int] = ..., max_difficulty: _Optional[int] = ..., models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ..., context_guard_percent: _Optional[int] = ...) -> None: ...

class Rates(_message.Message):
    __slots__ = ("by_kind",)
    class ByKindEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    BY_KIND_FIELD_NUMBER: _ClassVar[int]
    by_kind: _containers.ScalarMap[str, int]
    def __init__(self, by_kind: _Optional[_Mapping[str, int]] = ...) -> None: ...

class RatesAbove(_message.Message):
    __slots__ = ("input_tokens", "rates")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    RATES_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    rates: Rates
    def __init__(self, input_tokens: _Optional[int] = ..., rates: _Optional[_Union[Rates, _Mapping]] = ...) -> None: ...

class Price(_message.Message):
    __slots__ = ("rates", "above")
    RATES_FIELD_NUMBER: _ClassVar[int]
    ABOVE_FIELD_NUMBER: _ClassVar[int]
    rates: Rates
    above: _containers.RepeatedCompositeFieldContainer[RatesAbove]
    def __init__(self, rates: _Optional[_Union[Rates, _Mapping]] = ..., above: _Optional[_Iterable[_Union[RatesAbove, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "provider", "api", "base_url", "upstream_name", "price", "context_window", "max_output_tokens", "capabilities", "overrun_percent", "secret_env", "residency")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    API_FIELD_NUMBER: _ClassVar[int]
    BASE_URL_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_NAME_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CAPABILITIES_FIELD_NUMBER: _ClassVar[int]
    OVERRUN_PERCENT_FIELD_NUMBER: _ClassVar[int]
    SECRET_ENV_FIELD_NUMBER: _ClassVar[int]
    RESIDENCY_FIELD_NUMBER: _ClassVar[int]
    name: str
    provider: str
    api: str
    base_url: str
    upstream_name: str
    price: Price
    context_window: int
    max_output_tokens: int
    capabilities: _containers.RepeatedScalarFieldContainer[str]
    overrun_percent: int
    secret_env: str
    residency: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., provider: _Optional[str] = ..., api: _Optional[str] = ..., base_url: _Optional[str] = ..., upstream_name: _Optional[str] = ..., price: _Optional[_Union[Price, _Mapping]] = ..., context_window: _Optional[int] = ..., max_output_tokens: _Optional[int] = ..., capabilities: _Optional[_Iterable[str]] = ..., overrun_percent: _Optional[int] = ..., secret_env: _Optional[str] = ..., residency: _Optional[_Iterable[str]] = ...) -> None: ...

class Task(_message.Message):
    __slots__ = ("name", "header_values", "paths", "aliases", "system_fingerprints", "default_tier", "floor_tier", "ceiling_tier", "consequence", "expected_output_tokens", "output_tokens_min", "gates", "escalation", "baseline", "residency")
    NAME_FIELD_NUMBER: _ClassVar[int]
    HEADER_VALUES_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_TIER_FIELD_NUMBER: _ClassVar[int]
    FLOOR_TIER_FIELD_NUMBER: _ClassVar[int]
    CEILING_TIER_FIELD_NUMBER: _ClassVar[int]
    CONSEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_MIN_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    ESCALATION_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    RESIDENCY_FIELD_NUMBER: _ClassVar[int]
    name: str
    header_values: _containers.RepeatedScalarFieldContainer[str]
    paths: _containers.RepeatedScalarFieldContainer[str]
    aliases: _containers.RepeatedScalarFieldContainer[str]
    system_fingerprints: _containers.RepeatedScalarFieldContainer[str]
    default_tier: str
    floor_tier: str
    ceiling_tier: str
    consequence: str
    expected_output_tokens: int
    output_tokens_min: int
    gates: _containers.RepeatedCompositeFieldContainer[Gate]
    escalation: Escalation
    baseline: Baseline
    residency: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., header_values: _Optional[_Iterable[str]] = ..., paths: _Optional[_Iterable[str]] = ..., aliases: _Optional[_Iterable[str]] = ..., system_fingerprints: _Optional[_Iterable[str]] = ..., default_tier: _Optional[str] = ..., floor_tier: _Optional[str] = ..., ceiling_tier: _Optional[str] = ..., consequence: _Optional[str] = ..., expected_output_tokens: _Optional[int] = ..., output_tokens_min: _Optional[int] = ..., gates: _Optional[_Iterable[_Union[Gate, _Mapping]]] = ..., escalation: _Optional[_Union[Escalation, _Mapping]] = ..., baseline: _Optional[_Union[Baseline, _Mapping]] = ..., residency: _Optional[_Iterable[str]] = ...) -> None: ...

class Gate(_message.Message):
    __slots__ = ("name", "kind", "schema", "labels", "pattern", "values", "minimum", "maximum", "tolerance", "citations_min", "model", "rubric", "pass_mark", "function", "case_sensitive")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PATTERN_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    TOLERANCE_FIELD_NUMBER: _ClassVar[int]
    CITATIONS_MIN_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    RUBRIC_FIELD_NUMBER: _ClassVar[int]
    PASS_MARK_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    CASE_SENSITIVE_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    schema: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    pattern: str
    values: _containers.RepeatedScalarFieldContainer[str]
    minimum: str
    maximum: str
    tolerance: str
    citations_min: int
    model: str
    rubric: str
    pass_mark: int
    function: str
    case_sensitive: bool
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., schema: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., pattern: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ..., minimum: _Optional[str] = ..., maximum: _Optional[str] = ..., tolerance: _Optional[str] = ..., citations_min: _Optional[int] = ..., model: _Optional[str] = ..., rubric: _Optional[str] = ..., pass_mark: _Optional[int] = ..., function: _Optional[str] = ..., case_sensitive: _Optional[bool] = ...) -> None: ...

class Escalation(_message.Message):
    __slots__ = ("steps_max", "added_latency_max_ms", "after")
    STEPS_MAX_FIELD_NUMBER: _ClassVar[int]
    ADDED_LATENCY_MAX_MS_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    steps_max: int
    added_latency_max_ms: int
    after: str
    def __init__(self, steps_max: _Optional[int] = ..., added_latency_max_ms: _Optional[int] = ..., after: _Optional[str] = ...) -> None: ...

class Baseline(_message.Message):
    __slots__ = ("measured", "samples", "catalogue", "pass_rates", "escalation_rate", "difficulties")
    MEASURED_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    CATALOGUE_FIELD_NUMBER: _ClassVar[int]
    PASS_RATES_FIELD_NUMBER: _ClassVar[int]
    ESCALATION_RATE_FIELD_NUMBER: _ClassVar[int]
    DIFFICULTIES_FIELD_NUMBER: _ClassVar[int]
    measured: str
    samples: int
    catalogue: str
    pass_rates: _containers.RepeatedCompositeFieldContainer[PassRate]
    escalation_rate: int
    difficulties: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, measured: _Optional[str] = ..., samples: _Optional[int] = ..., catalogue: _Optional[str] = ..., pass_rates: _Optional[_Iterable[_Union[PassRate, _Mapping]]] = ..., escalation_rate: _Optional[int] = ..., difficulties: _Optional[_Iterable[int]] = ...) -> None: ...

class PassRate(_message.Message):
    __slots__ = ("tier", "rate")
    TIER_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    tier: str
    rate: int
    def __init__(self, tier: _Optional[str] = ..., rate: _Optional[int] = ...) -> None: ...

class Routing(_message.Message):
    __slots__ = ("name", "classifier", "freedom", "unsure_difficulty", "high_consequence_difficulty", "output_tokens_min", "output_tokens_default", "session_header", "user_header", "workflow_header", "task_header", "priority_header", "tier_header", "residency_header", "weights", "quality", "boundary_difficulty", "pacing", "streams", "escalation_alert_percent", "schema_failure_alert_percent", "drift_alert_percent", "pass_rate_trusted", "pass_rate_monitored")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CLASSIFIER_FIELD_NUMBER: _ClassVar[int]
    FREEDOM_FIELD_NUMBER: _ClassVar[int]
    UNSURE_DIFFICULTY_FIELD_NUMBER: _ClassVar[int]
    HIGH_CONSEQUENCE_DIFFICULTY_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_MIN_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    SESSION_HEADER_FIELD_NUMBER: _ClassVar[int]
    USER_HEADER_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_HEADER_FIELD_NUMBER: _ClassVar[int]
    TASK_HEADER_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_HEADER_FIELD_NUMBER: _ClassVar[int]
    TIER_HEADER_FIELD_NUMBER: _ClassVar[int]
    RESIDENCY_HEADER_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    BOUNDARY_DIFFICULTY_FIELD_NUMBER: _ClassVar[int]
    PACING_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    ESCALATION_ALERT_PERCENT_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FAILURE_ALERT_PERCENT_FIELD_NUMBER: _ClassVar[int]
    DRIFT_ALERT_PERCENT_FIELD_NUMBER: _ClassVar[int]
    PASS_RATE_TRUSTED_FIELD_NUMBER: _ClassVar[int]
    PASS_RATE_MONITORED_FIELD_NUMBER: _ClassVar[int]
    name: str
    classifier: str
    freedom: str
    unsure_difficulty: int
    high_consequence_difficulty: int
    output_tokens_min: int
    output_tokens_default: int
    session_header: str
    user_header: str
    workflow_header: str
    task_header: str
    priority_header: str
    tier_header: str
    residency_header: str
    weights: str
    quality: str
    boundary_difficulty: int
    pacing: bool
    streams: str
    escalation_alert_percent: int
    schema_failure_alert_percent: int
    drift_alert_percent: int
    pass_rate_trusted: int
    pass_rate_monitored: int
    def __init__(self, name: _Optional[str] = ..., classifier: _Optional[str] = ..., freedom: _Optional[str] = ..., unsure_difficulty: _Optional[int] = ..., high_consequence_difficulty: _Optional[int] = ..., output_tokens_min: _Optional[int] = ..., output_tokens_default: _Optional[int] = ..., session_header: _Optional[str] = ..., user_header: _Optional[str] = ..., workflow_header: _Optional[str] = ..., task_header: _Optional[str] = ..., priority_header: _Optional[str] = ..., tier_header: _Optional[str] = ..., residency_header: _Optional[str] = ..., weights: _Optional[str] = ..., quality: _Optional[str] = ..., boundary_difficulty: _Optional[int] = ..., pacing: _Optional[bool] = ..., streams: _Optional[str] = ..., escalation_alert_percent: _Optional[int] = ..., schema_failure_alert_percent: _Optional[int] = ..., drift_alert_percent: _Optional[int] = ..., pass_rate_trusted: _Optional[int] = ..., pass_rate_monitored: _Optional[int] = ...) -> None: ...
