"""Every bad value of the configuration yields a sentence that names it."""

from pathlib import Path
from typing import Any

import pytest

from farebox.simulated.config import ConfigError, load_config, parse_config
from farebox.simulated.faults import FaultKind
from farebox.simulated.pricing import Rates
from farebox.simulated.tokens import TokenizerKind

FULL = """
models:
  - name: gpt-4o-mini
    inputPerMillion: "0.15"
    cachedInputPerMillion: "0.075"
    outputPerMillion: "0.60"
    contextWindow: 128000
    latencyMs: 5
    tokensPerSecond: 100
    reasoningTokens: 3
    correctRate: {code: 0.9}
seed: 5
tokenizer: Bytes
answer: {tokensMin: 10, tokensMax: 20, fillMax: true}
faults: {mix: {error500: 0.02, hangUp: 0.01}, overrunPercent: 40, latencyMs: 9, slowMs: 8}
"""
MODEL = {"name": "m", "inputPerMillion": "1", "outputPerMillion": "2"}


def test_a_full_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "provider.yaml"
    path.write_text(FULL)
    config = load_config(path)
    assert config.tokenizer is TokenizerKind.BYTES
    assert config.answer.fill_max
    assert config.faults.mix == {FaultKind.ERROR_500: 0.02, FaultKind.HANG_UP: 0.01}
    assert config.models[0].rates() == Rates(
        input_pico=150_000, cached_pico=75_000, output_pico=600_000
    )


def test_cached_input_costs_as_much_as_fresh_input_unless_priced() -> None:
    rates = parse_config({"models": [MODEL]}).models[0].rates()
    assert rates.cached_pico == rates.input_pico == 1_000_000


@pytest.mark.parametrize(
    ("document", "want_sentence"),
    [
        pytest.param(None, "not usable", id="nothing at all"),
        pytest.param({"models": []}, "at least one model", id="no model"),
        pytest.param({"models": [MODEL, MODEL]}, '"m" twice', id="a model twice"),
        pytest.param(
            {"models": [MODEL | {"inputPerMillion": 0.15}]}, "Expected `str`", id="price as float"
        ),
        pytest.param(
            {"models": [MODEL | {"outputPerMillion": "cheap"}]}, '"cheap" must be', id="no price"
        ),
        pytest.param(
            {"models": [MODEL | {"contextWindow": 0}]}, "contextWindow is 0", id="no context"
        ),
        pytest.param({"models": [MODEL], "sed": 1}, "unknown field `sed`", id="a typing error"),
        pytest.param(
            {"models": [MODEL], "answer": {"tokensMin": 9, "tokensMax": 8}},
            "tokensMin <= tokensMax",
            id="answer bounds crossed",
        ),
        pytest.param(
            {"models": [MODEL], "faults": {"mix": {"hangUp": 2}}}, "faults.mix.hangUp", id="mix"
        ),
        pytest.param({"models": [MODEL], "tokenizer": "Words"}, "Words", id="unknown tokenizer"),
    ],
)
def test_a_bad_value_is_named(document: Any, want_sentence: str) -> None:
    with pytest.raises(ConfigError, match=want_sentence):
        parse_config(document)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "absent.yaml")
    (tmp_path / "bad.yaml").write_text("models: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_config(tmp_path / "bad.yaml")
