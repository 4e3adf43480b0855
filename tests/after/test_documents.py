"""Proposals as manifests: the user's document with the change in it, and nothing else touched."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from farebox.after.documents import effect_of, manifest_of
from farebox.after.problems import AfterError
from farebox.after.retune import Change, Proposal
from farebox.core.money import Nanos
from farebox.core.tasks import Baseline
from tests.support.tuned import NOW, TASK, TIER

BASELINE = Baseline(
    measured="2026-11-23",
    samples=700,
    catalogue="abcdefabcdef",
    pass_rates=(("small", 912),),
    escalation_rate=88,
    difficulties=(1_000, *[0] * 9),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiers = [TIER.format(name="small", rank=1, difficulty="0.5")]
    tiers.append(TIER.format(name="large", rank=2, difficulty="1"))
    (tmp_path / "tiers.yaml").write_text("---".join(tiers))
    (tmp_path / "tasks.yaml").write_text(TASK)
    return tmp_path


def made(folder: Path, proposal: Proposal) -> tuple[str, dict[str, Any]]:
    text = manifest_of([proposal], folder, namespace="default", now=NOW)
    return text, yaml.safe_load(text)


def test_a_new_baseline_stands_in_the_users_own_document(folder: Path) -> None:
    before = (folder / "tasks.yaml").read_text()
    text, document = made(
        folder,
        Proposal(
            change=Change.BASELINE,
            name="intent",
            reason="prices have changed",
            baseline=BASELINE,
            effect=Nanos(0),
        ),
    )
    assert text.startswith("---\n# new baseline: prices have changed\n# no effect on the bill\n")
    assert document["metadata"] == {"name": "intent", "labels": {"team": "a"}}
    assert document["spec"]["defaultTier"] == "small"
    assert document["spec"]["gates"] == [{"kind": "Labels", "labels": ["yes", "no"]}]
    assert document["spec"]["baseline"]["passRates"] == {"small": "0.912"}
    assert (folder / "tasks.yaml").read_text() == before


def test_another_tier_takes_the_old_baseline_away(folder: Path) -> None:
    _, document = made(
        folder, Proposal(change=Change.TIER_UP, name="intent", reason="fails", tier="large")
    )
    assert document["spec"]["defaultTier"] == "large"
    assert "baseline" not in document["spec"]


def test_a_policy_that_nobody_wrote_is_written(folder: Path) -> None:
    _, document = made(
        folder, Proposal(change=Change.QUALITY, name="default", reason="fails", quality="0.99")
    )
    assert (document["kind"], document["spec"]) == ("RoutingPolicy", {"quality": "0.99"})


def test_what_is_not_sound_is_never_shown(folder: Path) -> None:
    with pytest.raises(AfterError, match="not sound"):
        made(folder, Proposal(change=Change.TIER_UP, name="intent", reason="x", tier="nowhere"))


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (None, "can't be told"),
        (Nanos(0), "no effect"),
        (Nanos(12_345_000_000), "about $12.34 more a month"),
        (Nanos(-5_000_000_000), "about $5.00 less a month"),
    ],
)
def test_an_effect_in_words(effect: Nanos | None, words: str) -> None:
    assert words in effect_of(effect)
