"""Tiers, tasks and routing policies that are refused.

The one rule: every CEL rule of their CRDs has its resource here. This module must not know how
anything is checked.
"""

from typing import Final

from farebox.manifests.resources import Kind
from tests.deploy.refusals import By, Refused
from tests.deploy.resources import MODEL


def _tier(what: str, model: str, field: str, says: str = "") -> Refused:
    by = By.RULE if says else By.STRUCTURE
    spec = f"{{rank: 1, maxDifficulty: '0.5', models: [{model}]}}"
    return Refused(what=what, kind=Kind.MODEL_TIER, spec=spec, field=field, by=by, says=says)


def _task(what: str, spec: str, field: str, says: str = "") -> Refused:
    by = By.RULE if says else By.STRUCTURE
    spec = f"{{defaultTier: a, {spec}}}"
    return Refused(what=what, kind=Kind.TASK_PROFILE, spec=spec, field=field, by=by, says=says)


def _gate(what: str, gate: str, field: str, says: str = "") -> Refused:
    return _task(what, f"gates: [{{{gate}}}]", f"spec.gates[0].{field}", says)


def _policy(what: str, spec: str, field: str, says: str = "") -> Refused:
    by = By.RULE if says else By.STRUCTURE
    spec = f"{{{spec}}}"
    return Refused(what=what, kind=Kind.ROUTING_POLICY, spec=spec, field=field, by=by, says=says)


_PRICED: Final = f"{MODEL}, price: "
_TIERS: Final = (
    _tier("a model without provider", "{name: a, baseURL: 'http://a'}", "spec.models[0].provider"),
    _tier("a model twice", f"{MODEL}}}, {MODEL}}}", "spec.models[1].name"),
    _tier(
        "an address with a password",
        f"{MODEL}, baseURL: 'http://a:b@c'}}",
        "spec.models[0].baseURL",
    ),
    _tier("another protocol", f"{MODEL}, baseURL: 'ftp://a'}}", "spec.models[0].baseURL"),
    _tier("half a price", f"{_PRICED}{{input: '1'}}}}", "spec.models[0].price.output"),
    _tier(
        "a price as a number", f"{_PRICED}{{input: 1, output: '1'}}}}", "spec.models[0].price.input"
    ),
    _tier("an API of a later version", f"{MODEL}, api: OpenAIResponses}}", "spec.models[0].api"),
    _tier(
        "a skill that nobody has",
        f"{MODEL}, capabilities: [Magic]}}",
        "spec.models[0].capabilities[0]",
    ),
    _tier(
        "a skill twice",
        f"{MODEL}, capabilities: [Tools, Tools]}}",
        "spec.models[0].capabilities[1]",
    ),
    _tier(
        "an overrun beyond double",
        f"{MODEL}, overrunPercent: 101}}",
        "spec.models[0].overrunPercent",
    ),
    _tier("a label with capitals", f"{MODEL}, residency: [EU]}}", "spec.models[0].residency[0]"),
    _tier(
        "a secret of a later version",
        f"{MODEL}, secretRef: {{name: a}}}}",
        "spec.models[0].secretRef",
    ),
    _tier("a window of no tokens", f"{MODEL}, contextWindow: 0}}", "spec.models[0].contextWindow"),
    _tier("a name with a space at its end", f"{MODEL}, model: 'a '}}", "spec.models[0].model"),
    _tier(
        "the open name",
        f"{MODEL}, name: farebox/auto}}",
        "spec.models[0].name",
        "name is farebox/auto",
    ),
    _tier(
        "a key in place of its name",
        f"{MODEL}, secretEnv: sk-a1b2}}",
        "spec.models[0].secretEnv",
        "secretEnv is",
    ),
    Refused(
        what="a tier without models",
        kind=Kind.MODEL_TIER,
        spec="{rank: 1, maxDifficulty: '1', models: []}",
        field="spec.models",
    ),
    Refused(
        what="a difficulty above 1",
        kind=Kind.MODEL_TIER,
        spec=f"{{rank: 1, maxDifficulty: '1.5', models: [{MODEL}}}]}}",
        field="spec.maxDifficulty",
    ),
    Refused(
        what="a context guard of nothing",
        kind=Kind.MODEL_TIER,
        spec=f"{{rank: 1, maxDifficulty: '1', contextGuard: '0.00', models: [{MODEL}}}]}}",
        field="spec.contextGuard",
    ),
)
_TASKS: Final = (
    Refused(what="a task of no tier", kind=Kind.TASK_PROFILE, spec="{}", field="spec.defaultTier"),
    _task("an unknown consequence", "consequence: Severe", "spec.consequence"),
    _task("a field of a later version", "match: {header: x}", "spec.match.header"),
    _task("a path without slash", "match: {paths: [v1]}", "spec.match.paths[0]"),
    _task("an alias twice", "match: {modelAliases: [a, a]}", "spec.match.modelAliases[1]"),
    _task(
        "a fingerprint of 15 digits",
        "match: {systemFingerprints: [0123456789abcde]}",
        "spec.match.systemFingerprints[0]",
    ),
    _task("fewer tokens than none", "minOutputTokens: -1", "spec.minOutputTokens"),
    _task("an empty list of gates", "gates: []", "spec.gates"),
    _task(
        "too many gates",
        f"gates: [{', '.join(f'{{name: g{n}, kind: Citation}}' for n in range(9))}]",
        "spec.gates",
    ),
    _gate("a gate without kind", "name: a", "kind"),
    _gate("a gate of an unknown kind", "kind: Vibes", "kind"),
    _gate("more sources than fit", "kind: Citation, citations: 101", "citations"),
    _gate("no label", "kind: Labels, labels: []", "labels"),
    _gate("a blank rubric", "kind: Grader, model: m, rubric: '  '", "rubric"),
    _gate("a pass mark above 1", "kind: Grader, model: m, rubric: r, passMark: '2'", "passMark"),
    _gate("a function without module", "kind: Function, function: check", "function"),
    _gate("a negative tolerance", "kind: Numeric, tolerance: -1", "tolerance"),
    _gate("a bound in words", "kind: Numeric, minimum: low", "minimum"),
    _task(
        "too many steps",
        "gates: [{kind: Citation}], escalation: {maxSteps: 9}",
        "spec.escalation.maxSteps",
    ),
    _task(
        "a baseline without samples",
        "baseline: {measured: '2026-11-01', catalogue: 0123456789ab}",
        "spec.baseline.samples",
    ),
    _task(
        "a baseline of no real day",
        "baseline: {measured: '2026-02-30', samples: 1, catalogue: 0123456789ab}",
        "spec.baseline.measured",
    ),
    _task(
        "a pass rate in percent",
        "baseline: {measured: '2026-11-01', samples: 1, catalogue: 0123456789ab, "
        "passRates: {a: '96'}}",
        "spec.baseline.passRates.a",
    ),
    _task(
        "nine bins",
        "baseline: {measured: '2026-11-01', samples: 1, catalogue: 0123456789ab, "
        "difficulties: ['1', '0', '0', '0', '0', '0', '0', '0', '0']}",
        "spec.baseline.difficulties",
    ),
)
_TASK_RULES: Final = (
    _task(
        "high consequence without gates",
        "consequence: High",
        "spec.consequence",
        "gates are missing",
    ),
    _task("steps without gates", "escalation: {}", "spec.escalation", "escalation means"),
    _task(
        "a failed answer of high consequence",
        "consequence: High, gates: [{kind: Citation}], escalation: {afterGates: ReturnLast}",
        "spec.escalation.afterGates",
        "escalation.afterGates must",
    ),
    _task(
        "an hour of steps",
        "gates: [{kind: Citation}], escalation: {maxAddedLatency: 1h}",
        "spec.escalation.maxAddedLatency",
        "maxAddedLatency must be",
    ),
    _task(
        "two gates of one name",
        "gates: [{kind: Citation}, {name: citation, kind: Numeric}]",
        "spec.gates[1].name",
        "gates have the same name",
    ),
    _task(
        "a pass rate of no tier",
        "baseline: {measured: '2026-11-01', samples: 1, catalogue: 0123456789ab, "
        "passRates: {A b: '0.9'}}",
        "spec.baseline.passRates.A b",
        "passRates has a key",
    ),
    _gate("a schema for a number", "kind: Numeric, schema: {}", "schema", "schema means"),
    _gate("labels that are missing", "kind: Labels", "labels", "labels are needed"),
    _gate("labels for a number", "kind: Numeric, labels: [a]", "labels", "labels are needed"),
    _gate("a pattern that is missing", "kind: Regex", "pattern", "pattern is needed"),
    _gate("values that are missing", "kind: Exact", "values", "values are needed"),
    _gate("case of a number", "kind: Numeric, caseSensitive: true", "caseSensitive", "caseSens"),
    _gate("a minimum of sources", "kind: Citation, minimum: 1", "minimum", "minimum means"),
    _gate("a maximum of sources", "kind: Citation, maximum: 1", "maximum", "maximum means"),
    _gate("a tolerance of sources", "kind: Citation, tolerance: 1", "tolerance", "tolerance means"),
    _gate(
        "bounds that cross",
        "kind: Numeric, minimum: 2, maximum: '1.5'",
        "maximum",
        "maximum is below",
    ),
    _gate("sources of a number", "kind: Numeric, citations: 1", "citations", "citations mean"),
    _gate("a second opinion of nobody", "kind: Agreement", "model", "model is needed"),
    _gate("a grader without rubric", "kind: Grader, model: m", "rubric", "rubric is needed"),
    _gate("a mark without grader", "kind: Citation, passMark: '0.5'", "passMark", "passMark means"),
    _gate("a function that is missing", "kind: Function", "function", "function is needed"),
)
_POLICIES: Final = (
    _policy("an unknown classifier", "classifier: Magic", "spec.classifier"),
    _policy("a share as a number", "unsureDifficulty: 7", "spec.unsureDifficulty"),
    _policy("a share of four decimals", "quality: '0.9501'", "spec.quality"),
    _policy("weights with a path", "weights: ../a", "spec.weights"),
    _policy(
        "an alert at nothing",
        "thresholds: {driftAlertPercent: 0}",
        "spec.thresholds.driftAlertPercent",
    ),
    _policy("a header with a space", "identity: {userHeader: x user}", "spec.identity.userHeader"),
    _policy("a field of a later version", "translation: true", "spec.translation"),
    _policy("a yes that is a text", "pacing: 'true'", "spec.pacing"),
    _policy("no tokens at all", "minOutputTokens: 0", "spec.minOutputTokens"),
    _policy(
        "a floor above the default",
        "minOutputTokens: 5000",
        "spec.minOutputTokens",
        "minOutputTokens is above",
    ),
    _policy(
        "trust below monitoring",
        "thresholds: {trustedPassRate: '0.8'}",
        "spec.thresholds.monitoredPassRate",
        "monitoredPassRate is above",
    ),
    _policy(
        "a user who is a secret",
        "identity: {userHeader: Authorization}",
        "spec.identity.userHeader",
        "identity names a header",
    ),
    _policy(
        "a user who is a session",
        "identity: {userHeader: X-Farebox-Session}",
        "spec.identity.userHeader",
        "identity names the same",
    ),
)
REFUSED: Final = (*_TIERS, *_TASKS, *_TASK_RULES, *_POLICIES)
