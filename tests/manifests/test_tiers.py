"""A tier is read with a price for every model, and the catalogue holds what providers offer."""

from dataclasses import replace
from fractions import Fraction

import pytest

from farebox.core.instant import UtcMs
from farebox.core.prices import Price, Rates
from farebox.core.tiers import Api, Capability, Model, Tier
from farebox.core.usage import UsageKind
from farebox.manifests.resources import Kind
from farebox.manifests.tiers import (
    UNLISTED_CONTEXT_TOKENS,
    UNLISTED_OUTPUT_TOKENS,
)
from tests.manifests.builders import (
    AROUND,
    MODEL,
    NOW,
    Wrong,
    assert_found,
    load,
    load_text,
    manifest,
    named_model,
    tier,
    together,
)


def only_tier(text: str) -> Tier:
    loaded = load_text(text)
    assert loaded.problems == ()
    (read,) = loaded.resources.catalogue.tiers
    return read


def test_a_tier_says_no_more_than_it_must() -> None:
    read = only_tier(tier("small", 1))
    (model,) = read.models
    assert (read.name, read.rank, read.max_difficulty) == ("small", 1, 500)
    assert read.context_guard == Fraction(4, 5)
    assert model.price == AROUND.prices.at("openai", "gpt-4o-mini", NOW)
    assert model == Model(
        name="gpt-4o-mini",
        provider="openai",
        api=Api.OPENAI_CHAT,
        base_url="https://api.openai.com/v1",
        upstream_name="gpt-4o-mini",
        price=model.price,
        context_window=128_000,
        max_output_tokens=16_384,
    )


def test_a_tier_says_everything() -> None:
    text = """\
        rank: 3
        maxDifficulty: 1
        contextGuard: 0.75
        models:
          - name: big
            model: big-2026
            provider: own-cluster
            api: OpenAIChat
            baseURL: http://models.internal:8000/v1/
            price: {input: "0.15", cachedInput: "0.075", cacheWrite: "0.2", output: "0.6",
                    reasoning: "0.7", inputAudio: "1", outputAudio: "2", call: "10000"}
            contextWindow: 32000
            maxOutputTokens: 4000
            capabilities: [Reasoning, Tools]
            overrunPercent: 25
            secretEnv: CLUSTER_KEY
        """
    read = only_tier(manifest(Kind.MODEL_TIER, text, "own"))
    assert (read.max_difficulty, read.context_guard) == (1000, Fraction(3, 4))
    assert read.models[0] == Model(
        name="big",
        provider="own-cluster",
        api=Api.OPENAI_CHAT,
        base_url="http://models.internal:8000/v1",
        upstream_name="big-2026",
        price=Price(
            rates=Rates(
                by_kind={
                    UsageKind.INPUT: 150_000_000,
                    UsageKind.CACHED_INPUT: 75_000_000,
                    UsageKind.CACHE_WRITE: 200_000_000,
                    UsageKind.OUTPUT: 600_000_000,
                    UsageKind.REASONING: 700_000_000,
                    UsageKind.INPUT_AUDIO: 1_000_000_000,
                    UsageKind.OUTPUT_AUDIO: 2_000_000_000,
                    UsageKind.CALL: 10_000_000_000_000,
                }
            )
        ),
        context_window=32_000,
        max_output_tokens=4_000,
        capabilities=frozenset({Capability.REASONING, Capability.TOOLS}),
        overrun_percent=25,
        secret_env="CLUSTER_KEY",
    )


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("${ADDRESS}/v1", "http://127.0.0.1:9100/v1"),
        ("${ADDRESS:-https://other}/v1", "http://127.0.0.1:9100/v1"),
        ("${OTHER:-https://other/v1}", "https://other/v1"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("http://models/base/", "http://models/base"),
    ],
)
def test_an_address(written: str, read: str) -> None:
    model = MODEL.replace("https://api.openai.com/v1", written)
    assert only_tier(tier("small", 1, model)).models[0].base_url == read


WRONG_MODELS = {
    "no-name": ("name: gpt-4o-mini", "other: x", 8, "name", "is missing: write a text"),
    "auto-name": ("gpt-4o-mini", "farebox/auto", 8, "name", "leaves the choice open"),
    "provider": ("openai", "OpenAI", 9, "provider", 'for example "openai"'),
    "no-address": ("baseURL: https://api.openai.com/v1", "x: 1", 8, "baseURL", "is missing"),
    "address-without-scheme": ("https://", "", 10, "baseURL", "is not a base address: write"),
    "address-of-files": ("https:", "file:", 10, "baseURL", "is not a base address"),
    "address-query": ("/v1", "/v1?key=x", 10, "baseURL", "without user, query or fragment"),
    "address-variable": (
        "https://api.openai.com",
        "${GONE}",
        10,
        "baseURL",
        "variable GONE, which",
    ),
    "address-half-variable": ("https://api", "${GONE", 10, "baseURL", "is not a base address"),
    "address-port": ("com/v1", "com:0/v1", 10, "baseURL", "is not a base address"),
    "window-text": ("128000", "128k", 11, "contextWindow", 'is "128k": write a whole number'),
    "window-zero": ("128000", "0", 11, "contextWindow", "is 0: write a whole number from 1"),
    "window-grouped": ("128000", "128_000", 11, "contextWindow", "is the number 128_000"),
    "output-missing": ("maxOutputTokens: 16384", "", 8, "maxOutputTokens", "is missing"),
    "output-quoted": ("16384", '"16384"', 12, "maxOutputTokens", "without quotes"),
}


@pytest.mark.parametrize("case", WRONG_MODELS)
def test_a_wrong_model(case: str) -> None:
    old, new, line, field, says = WRONG_MODELS[case]
    text = tier("small", 1, MODEL.replace(old, new, 1))
    problems = [one for one in load_text(text).problems if one.field == f"spec.models[0].{field}"]
    (problem,) = problems
    assert problem.line == line
    assert says in problem.message


WRONG_EXTRAS = {
    "unpriced": ("model: nobody-knows", "price", "none for openai/nobody-knows: write price with"),
    "price-text": ('price: "0.15"', "price", "write fields and their values below it"),
    "price-number": ('price: {input: 0.15, output: "1"}', "price.input", "put it in quotes"),
    "price-no-output": ('price: {input: "1"}', "price.output", "is missing"),
    "price-kind": ('price: {input: "1", output: "1", cached: "1"}', "price.cached", "did you mean"),
    "api": ("api: OpenAI", "api", 'is "OpenAI": write OpenAIChat'),
    "api-later": (
        "api: AnthropicMessages",
        "api",
        "which is not in this version: write OpenAIChat",
    ),
    "capability": ("capabilities: [Speech]", "capabilities[0]", "write Tools, Vision, JSONSchema"),
    "capability-text": ("capabilities: Tools", "capabilities", "write a list of Tools"),
    "overrun": ("overrunPercent: 101", "overrunPercent", "a whole number from 0 to 100"),
    "weight": ("weight: 5", "weight", "the cheaper model of a tier is tried first"),
    "secret-ref": ("secretRef: {}", "secretRef", 'write "secretEnv" with the name'),
    "base-url": ("baseurl: x", "baseurl", "did you mean baseURL?"),
}


@pytest.mark.parametrize("case", WRONG_EXTRAS)
def test_a_wrong_field_of_a_model(case: str) -> None:
    extra, field, says = WRONG_EXTRAS[case]
    # A missing field is reported where the group that lacks it begins.
    line = 8 if case == "unpriced" else 13
    text = tier("small", 1, f"{MODEL}{extra}\n")
    assert_found(Wrong(text=text, line=line, field=f"spec.models[0].{field}", says=says))


WRONG_TIERS = {
    "rank": ("rank: 1", "rank: first", 5, "spec.rank", 'is "first": write a whole number from 0'),
    "negative": ("rank: 1", "rank: -1", 5, "spec.rank", "is -1: write a whole number from 0"),
    "difficulty": ('"0.5"', "35", 6, "spec.maxDifficulty", "is the number 35: write a decimal"),
    "no-difficulty": ('maxDifficulty: "0.5"', "", 4, "spec.maxDifficulty", "is missing"),
    "no-guard": (
        "rank: 1",
        "contextGuard: 0\n  rank: 1",
        5,
        "spec.contextGuard",
        "write more than",
    ),
    "guard": ("rank: 1", "contextGuard: 80\n  rank: 1", 5, "spec.contextGuard", "from 0 to 1"),
    "field": ("rank: 1", "ranks: 1\n  rank: 1", 5, "spec.ranks", "did you mean rank?"),
    "namespaced": ("{name", "{namespace: a, name", 3, "metadata.namespace", "which serves all"),
}


@pytest.mark.parametrize("case", WRONG_TIERS)
def test_a_wrong_tier(case: str) -> None:
    old, new, line, field, says = WRONG_TIERS[case]
    # A missing field of the spec is reported where the spec stands.
    assert_found(
        Wrong(text=tier("small", 1).replace(old, new, 1), line=line, field=field, says=says)
    )


@pytest.mark.parametrize(
    "extra", ["secretEnv: sk-very-secret", "baseurl: https://me:sk-very-secret@host"]
)
def test_a_secret_in_the_wrong_place_is_not_repeated(extra: str) -> None:
    (problem,) = load_text(tier("small", 1, f"{MODEL}{extra}\n")).problems
    assert "sk-very-secret" not in str(problem)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    model = MODEL.replace("https://", "https://me:sk-very-secret@")
    (problem,) = load_text(tier("small", 1, model)).problems
    assert problem.field == "spec.models[0].baseURL"
    assert "sk-very-secret" not in str(problem)


def test_tiers_are_in_the_order_of_their_ranks() -> None:
    text = together(tier("b", 2, named_model("x")), tier("c", 3, named_model("y")), tier("a", 1))
    assert [one.name for one in load_text(text).resources.catalogue.tiers] == ["a", "b", "c"]


def test_models_that_no_tier_lists_are_reached_as_the_first_of_their_provider() -> None:
    first = f"{MODEL}secretEnv: KEY\noverrunPercent: 10\n"
    second = named_model("other").replace("api.openai.com", "other.example.com")
    catalogue = load_text(together(tier("b", 2, second), tier("a", 1, first))).resources.catalogue
    unlisted = {model.name: model for model in catalogue.unlisted}
    assert {"gpt-4o", "gpt-4o-2024-08-06", "o1"} <= unlisted.keys()
    assert unlisted.keys().isdisjoint({"gpt-4o-mini", "other"})
    assert {model.provider for model in catalogue.unlisted} == {"openai"}
    assert unlisted["o1"] == Model(
        name="o1",
        provider="openai",
        api=Api.OPENAI_CHAT,
        base_url="https://api.openai.com/v1",
        upstream_name="o1",
        price=unlisted["o1"].price,
        context_window=UNLISTED_CONTEXT_TOKENS,
        max_output_tokens=UNLISTED_OUTPUT_TOKENS,
        capabilities=frozenset(Capability),
        overrun_percent=10,
        secret_env="KEY",
    )
    assert unlisted["o1"].price.rates.of(UsageKind.OUTPUT) == 60_000_000_000


def test_a_price_is_that_of_the_day() -> None:
    model = MODEL.replace("gpt-4o-mini", "o3")
    prices = {}
    for day, now in {"before": 1_749_000_000_000, "after": 1_750_000_000_000}.items():
        around = replace(AROUND, now=UtcMs(now))
        (read,) = load({"a.yaml": tier("one", 1, model)}, around=around).resources.catalogue.tiers
        prices[day] = read.models[0].price.rates.of(UsageKind.INPUT)
    assert prices == {"before": 10_000_000_000, "after": 2_000_000_000}
