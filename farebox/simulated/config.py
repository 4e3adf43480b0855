"""The configuration of a simulated provider: YAML in, frozen values out.

The one rule: every bad value yields one sentence that names the field, and nothing starts with a
bad value. Prices stay decimal strings, so that no float ever touches money.
"""

from pathlib import Path
from typing import Any

import msgspec
import yaml

from farebox.simulated.faults import FaultSettings
from farebox.simulated.outcomes import BookError, OutcomeBook, read_book
from farebox.simulated.pricing import Rates, pico_per_token
from farebox.simulated.tokens import TokenizerKind, make_tokenizer

answer_tokens_max = 1_000_000
context_window_max = 100_000_000
latency_ms_max = 600_000


class ConfigError(ValueError):
    """The configuration cannot be used; the text has one sentence per mistake."""


class ModelConfig(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    name: str
    input_per_million: str
    """Dollars per million input tokens, a decimal string."""
    output_per_million: str
    cached_input_per_million: str | None = None
    """Absent: cached input costs as much as fresh input."""
    context_window: int = 128_000
    """Tokens; a prompt that leaves no room for an answer is refused."""
    latency_ms: int = 0
    """Wait before the first byte of an answer."""
    tokens_per_second: int = 0
    """Pace of generation; 0 generates at once."""
    reasoning_tokens: int = 0
    """Hidden tokens of each answer, billed as output and counted against the caller's limit."""
    correct_rate: Any = None
    """Accepted for the sake of shared files and ignored: the answers here have no content."""

    def rates(self) -> Rates:
        """Raises ValueError with a sentence when a price is not usable."""
        cached = self.cached_input_per_million
        return Rates(
            input_pico=pico_per_token(self.input_per_million),
            cached_pico=pico_per_token(self.input_per_million if cached is None else cached),
            output_pico=pico_per_token(self.output_per_million),
        )


class AnswerConfig(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """How long an answer is when nothing stops it, in tokens."""

    tokens_min: int = 200
    tokens_max: int = 400
    fill_max: bool = False
    """Every answer is as long as the caller allows, or `tokensMax` when it sets no limit."""


class Config(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    models: tuple[ModelConfig, ...]
    seed: int = 0
    tokenizer: TokenizerKind = TokenizerKind.PIECES
    answer: AnswerConfig = msgspec.field(default_factory=AnswerConfig)
    faults: FaultSettings = msgspec.field(default_factory=FaultSettings)
    outcomes: str = ""
    """A file of foreseen answers (`farebox.simulated.outcomes`); "" for none."""

    def book(self) -> OutcomeBook:
        """Read the foreseen answers. Raises ConfigError when the file cannot be used."""
        if not self.outcomes:
            return OutcomeBook({})
        try:
            return read_book(Path(self.outcomes), make_tokenizer(self.tokenizer))
        except BookError as error:
            raise ConfigError(str(error)) from error


def load_config(path: Path) -> Config:
    """Read and check a YAML file.

    Raises:
        ConfigError: when the file cannot be read or has a bad value.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration {path} is not YAML: {error}.") from error
    return parse_config(document)


def parse_config(document: object) -> Config:
    """Check a decoded document (the shape of the YAML file).

    Raises:
        ConfigError: with one sentence per mistake.
    """
    try:
        config = msgspec.convert(document, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"The configuration is not usable: {error}.") from error
    problems = [
        *_model_problems(config),
        *_answer_problems(config.answer),
        *config.faults.problems(),
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    return config


def _model_problems(config: Config) -> list[str]:
    problems: list[str] = []
    if not config.models:
        problems.append("models is empty; a provider needs at least one model.")
    names = [model.name for model in config.models]
    problems += [
        f'models has "{name}" twice.' for name in sorted(set(names)) if names.count(name) > 1
    ]
    for model in config.models:
        try:
            model.rates()
        except ValueError as error:
            problems.append(f'models "{model.name}": {error}')
        bounds = {
            "contextWindow": (model.context_window, 1, context_window_max),
            "latencyMs": (model.latency_ms, 0, latency_ms_max),
            "tokensPerSecond": (model.tokens_per_second, 0, answer_tokens_max),
            "reasoningTokens": (model.reasoning_tokens, 0, answer_tokens_max),
        }
        problems += [
            f'models "{model.name}": {name} is {value}, but must lie between {low} and {high}.'
            for name, (value, low, high) in bounds.items()
            if not low <= value <= high
        ]
    return problems


def _answer_problems(answer: AnswerConfig) -> list[str]:
    if 1 <= answer.tokens_min <= answer.tokens_max <= answer_tokens_max:
        return []
    rule = f"answer needs 1 <= tokensMin <= tokensMax <= {answer_tokens_max}"
    return [f"{rule}, but has {answer.tokens_min} and {answer.tokens_max}."]
