"""How calls are routed over real sockets: the small model, and what a caller asks by header."""

from dataclasses import replace
from pathlib import Path

import openai
import pytest

from farebox.core.policy import Policy
from farebox.core.tasks import ClassifierKind, RoutingPolicy
from farebox.runtime.small_model import SmallModel
from tests.support.planes import Running, ask, policy_at, running, simulated

SUM = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in "
    "May. How many clips did Natalia sell altogether in April and May?"
)
STRANGE = "Éire bhraitheann scéal fada leithscéal anocht"


def routed_by(classifier: ClassifierKind, base_url: str, **changes: str) -> Policy:
    routing = replace(RoutingPolicy(classifier=classifier), **changes)  # type: ignore[arg-type]  # names its fields
    policy = replace(policy_at(base_url), tasks=(), routing=routing)
    return SmallModel().filled(policy)


async def told(run: Running, prompt: str, **headers: str) -> tuple[str, str]:
    """The tier that served a prompt, and the route as it was told."""
    raw = await run.client.chat.completions.with_raw_response.create(
        model="farebox/auto",
        messages=[{"role": "user", "content": prompt}],
        max_tokens=40,
        extra_headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    return raw.headers["x-farebox-tier"], raw.headers["x-farebox-route"]


@pytest.mark.parametrize(
    ("case", "classifier", "prompt", "weights", "tiers", "why"),
    [
        (
            "a familiar prompt",
            ClassifierKind.MODEL,
            SUM,
            "a-gsm8k",
            {"small", "mid", "frontier"},
            "model_scored=A-gsm8k",
        ),
        (
            "a strange one",
            ClassifierKind.MODEL,
            STRANGE,
            "a",
            {"mid", "frontier"},
            "model_unsure=A",
        ),
        (
            "a strange one",
            ClassifierKind.HYBRID,
            STRANGE,
            "a",
            {"mid", "frontier"},
            "model_unsure=A",
        ),
        (
            "no weights of that name",
            ClassifierKind.HYBRID,
            SUM,
            "lost",
            {"mid", "frontier"},
            "model_missing=weights:lost",
        ),
    ],
)
async def test_the_small_model_routes(
    tmp_path: Path,
    case: str,
    classifier: ClassifierKind,
    prompt: str,
    weights: str,
    tiers: set[str],
    why: str,
) -> None:
    async with simulated(tmp_path) as provider:
        policy = routed_by(classifier, provider.base_url, weights=weights)
        async with running(tmp_path, policy) as run:
            tier, route = await told(run, prompt)
    assert tier in tiers, case
    assert route.endswith(f"; {why}"), case


async def test_a_caller_asks_for_a_tier_or_a_place(tmp_path: Path) -> None:
    async with simulated(tmp_path) as provider:
        policy = policy_at(provider.base_url)
        small, mid, frontier = policy.catalogue.tiers
        there = replace(frontier.models[0], residency=frozenset({"eu"}))
        tiers = (small, mid, replace(frontier, models=(there,)))
        policy = replace(policy, catalogue=replace(policy.catalogue, tiers=tiers))
        async with running(tmp_path, policy) as run:
            tag = {"x_farebox_task": "classification"}
            assert (await told(run, "Hello?", **tag))[0] == "small"
            assert (await told(run, "Hello?", **tag, x_farebox_min_tier="mid"))[0] == "mid"
            assert (await told(run, "Hello?", **tag, x_farebox_residency="EU"))[0] == "frontier"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"x-farebox-min-tier": "best"}, 400, "unknown_tier"),
        ({"x-farebox-residency": "mars"}, 422, "no_candidate"),
        ({"x-farebox-residency": ","}, 400, "bad_request"),
    ],
)
async def test_what_can_not_be_had_is_refused(
    tmp_path: Path, headers: dict[str, str], status: int, code: str
) -> None:
    async with running(tmp_path, policy_at("http://127.0.0.1:9/v1")) as run:
        with pytest.raises(openai.APIStatusError) as caught:
            await ask(run, extra_headers=headers)
    assert (caught.value.status_code, caught.value.code) == (status, code)
