"""Configuration: flags and FAREBOX_* environment variables of the same names.

A flag wins over the variable. The one rule: every value is checked here, before anything starts,
and every mistake is one sentence that says what to write. This module must not know what the values
are used for.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from farebox.runtime.endpoints import (
    Endpoint,
    EndpointError,
    parse_address,
    parse_host,
    parse_loopback,
)
from farebox.runtime.logs import LEVELS

PREFIX: Final = "FAREBOX_"
LISTEN: Final = Endpoint("127.0.0.1", 15_002)
ADMIN: Final = Endpoint("127.0.0.1", 15_003)
LABELS_MAX: Final = 64
CONTROLLERS_MAX: Final = 16


class ConfigError(Exception):
    """The configuration can't be used; `mistakes` has one sentence for each."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a sidecar is started with. Field names are the names of the flags."""

    listen: Endpoint = LISTEN
    admin: Endpoint = ADMIN
    probes: Endpoint | None = None
    controller: tuple[Endpoint, ...]
    controller_ca: Path | None = None
    token_file: Path | None = None
    journal: Path
    namespace: str = "default"
    name: str = "sidecar"
    labels: Mapping[str, str] = field(default_factory=dict)
    receipts: Path | None = None
    keep_prompts: bool = False
    weights_dir: Path | None = None
    ready_file: Path | None = None
    log_level: str = "info"
    body_bytes_max: int = 32 * 1024 * 1024
    body_ms_max: int = 60_000
    calls_max: int = 1_024
    connect_ms_max: int = 5_000
    head_ms_max: int = 600_000
    answer_ms_max: int = 120_000
    send_ms_max: int = 120_000
    drain_ms_max: int = 30_000
    money_ms_max: int = 2_000
    grace_ms_max: int = 25_000


def _text(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text.strip()


def _path(text: str) -> Path:
    return Path(_text(text))


def _near_controllers(text: str) -> tuple[Endpoint, ...]:
    return _controllers(text, parse_loopback)


def _far_controllers(text: str) -> tuple[Endpoint, ...]:
    return _controllers(text, parse_host)


def _controllers(text: str, read: Callable[[str], Endpoint]) -> tuple[Endpoint, ...]:
    found = tuple(read(part.strip()) for part in text.split(","))
    if len(found) > CONTROLLERS_MAX or len(set(found)) < len(found):
        raise ValueError(f"{text!r} should name 1 to {CONTROLLERS_MAX} controllers, each once")
    return found


def _labels(text: str) -> dict[str, str]:
    labels = {}
    for part in filter(None, text.split(",")):
        name, found, value = part.partition("=")
        if not found or not name.strip():
            raise ValueError(f"{part!r} is not a label; write NAME=VALUE,NAME=VALUE")
        labels[name.strip()] = value.strip()
    if len(labels) > LABELS_MAX:
        raise ValueError(f"more than {LABELS_MAX} labels")
    return labels


def _level(text: str) -> str:
    if text not in LEVELS:
        raise ValueError(f"{text!r} is not one of {', '.join(LEVELS)}")
    return text


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
            raise ValueError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return read


def _switch(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError(f"{text!r} is not true or false")
    return text == "true"


_MS: Final = _whole(1, 3_600_000)
_MONEY_MS: Final = _whole(1_000, 3_600_000)
"""Where money is scarce it is asked for twice a second: who waits for less never has its turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value: how its text is read, and what it means."""

    read: Callable[[str], Any]
    meaning: str


OPTIONS: Final[dict[str, Option]] = {
    "listen": Option(read=parse_loopback, meaning="address for calls; port 0: any"),
    "admin": Option(read=parse_loopback, meaning="address for probes, metrics and JSON views"),
    "probes": Option(
        read=parse_address, meaning="address for probes and metrics alone, on any interface (off)"
    ),
    "controller": Option(
        read=_near_controllers, meaning="addresses of the controllers: ADDRESS,ADDRESS (required)"
    ),
    "controller_ca": Option(
        read=_path,
        meaning="certificates the controllers' are checked against (PEM); then --controller may "
        "name any host",
    ),
    "token_file": Option(read=_path, meaning="token that says whose sidecar it is"),
    "journal": Option(read=_path, meaning="file of the money (required)"),
    "namespace": Option(read=_text, meaning="namespace of the pod that is served"),
    "name": Option(read=_text, meaning="name of the pod that is served"),
    "labels": Option(read=_labels, meaning="labels of the pod: NAME=VALUE,NAME=VALUE"),
    "receipts": Option(read=_path, meaning="file for receipts (JSON lines), - for standard output"),
    "keep_prompts": Option(
        read=_switch,
        meaning="true: receipts of calls that gates judged hold the prompt (false)",
    ),
    "weights_dir": Option(read=_path, meaning="folder of routing weights: NAME.weights"),
    "ready_file": Option(read=_path, meaning="written when serving"),
    "log_level": Option(read=_level, meaning="debug, info, warning or error"),
    "body_bytes_max": Option(read=_whole(1_024, 2**30), meaning="longest body of a call"),
    "body_ms_max": Option(read=_MS, meaning="wait for the body of a call"),
    "calls_max": Option(read=_whole(1, 4_000), meaning="calls under way at a time"),
    "connect_ms_max": Option(read=_MS, meaning="wait for a connection to a provider"),
    "head_ms_max": Option(read=_MS, meaning="wait for a provider to begin its answer"),
    "answer_ms_max": Option(read=_MS, meaning="wait for the next piece of an answer"),
    "send_ms_max": Option(read=_MS, meaning="wait for a caller to take a piece of a stream"),
    "drain_ms_max": Option(read=_MS, meaning="reading on after a caller has gone"),
    "money_ms_max": Option(read=_MONEY_MS, meaning="wait for money from the controller"),
    "grace_ms_max": Option(read=_MS, meaning="wait for calls under way when stopping"),
}
"""Every flag (with dashes) and variable (FAREBOX_ and capitals), as the fields of Config."""

_REQUIRED: Final = ("controller", "journal")


def load_config(arguments: Sequence[str], environment: Mapping[str, str]) -> Config:
    """Read flags (without the program's name) and variables. Raises ConfigError."""
    mistakes: list[str] = []
    texts = {
        name: (f"{PREFIX}{name.upper()}", environment[f"{PREFIX}{name.upper()}"])
        for name in OPTIONS
        if environment.get(f"{PREFIX}{name.upper()}")
    }
    texts |= _flags(arguments, mistakes)
    values = {}
    for name, (source, text) in texts.items():
        try:
            values[name] = _reader(name, texts)(text)
        except (ValueError, EndpointError) as error:
            mistakes.append(f"{source}: {error}.")
    mistakes += [
        f"{_flag(name)} is missing: give the {OPTIONS[name].meaning.removesuffix(' (required)')}."
        for name in _REQUIRED
        if name not in texts
    ]
    mistakes += _together(values, texts)
    if mistakes:
        raise ConfigError(mistakes)
    return Config(**values)


def _together(values: Mapping[str, Any], given: Collection[str]) -> list[str]:
    """What is wrong with values only because of others."""
    mistakes = []
    if values.get("keep_prompts") and "receipts" not in given:
        mistakes.append("--keep-prompts needs --receipts: prompts are kept in that file only.")
    if values.get("keep_prompts") and values.get("receipts") == Path("-"):
        mistakes.append(
            "--keep-prompts needs a file in --receipts: prompts are kept where only the owner "
            "reads."
        )
    if ("controller_ca" in given) != ("token_file" in given):
        mistakes.append("--controller-ca and --token-file belong together: give both, or none.")
    return mistakes


def _reader(name: str, given: Collection[str]) -> Callable[[str], Any]:
    """How a value is read: without TLS the controllers are on loopback."""
    if name == "controller" and "controller_ca" in given:
        return _far_controllers
    return OPTIONS[name].read


def usage() -> str:
    """All flags with their meanings, one a line."""
    return "\n".join(f"  {_flag(name):20} {option.meaning}" for name, option in OPTIONS.items())


def _flags(arguments: Sequence[str], mistakes: list[str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    rest = list(arguments)
    while rest:
        flag, equals, text = rest.pop(0).partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if not flag.startswith("--") or name not in OPTIONS:
            mistakes.append(f"{flag} is not a flag of the sidecar; see --help.")
        elif equals:
            found[name] = (flag, text)
        elif rest:
            found[name] = (flag, rest.pop(0))
        else:
            mistakes.append(f"{flag} needs a value.")
    return found


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
