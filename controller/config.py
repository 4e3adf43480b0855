"""The controller's configuration: flags, else FAREBOX_* variables of the same names, else defaults.

The one rule: it is checked whole before anything starts, and every mistake is one sentence that
says what to write. This module must not know what the values are used for.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from controller.etcd_options import ETCD_OPTIONS, EtcdOptions, checked_etcd, take_etcd
from controller.kube.options import KUBE_OPTIONS, SWITCHES, KubeOptions, checked_kube, take_kube
from controller.kube.options import USAGE as KUBE_USAGE
from controller.observations import HOUR_MS
from controller.terms import Terms
from controller.watch import INTERVAL_MS
from controller.watching import PRICES_DAYS_MAX
from farebox.core.instant import DurationMs
from farebox.runtime.endpoints import (
    Endpoint,
    EndpointError,
    parse_address,
    parse_host,
    parse_loopback,
)
from farebox.runtime.logs import LEVELS

NAME_CHARACTERS_MAX: Final = 128
MS_MAX: Final = 30 * 24 * 3_600_000
LISTEN: Final = Endpoint("127.0.0.1", 7447)
ADMIN: Final = Endpoint("127.0.0.1", 7448)
_TERMS: Final = Terms()

USAGE: Final = f"""\
usage: python -m controller --manifests DIR --state FILE [options]
       python -m controller --kubernetes --store etcd --etcd-endpoints A,B [options]

  --manifests DIR       folder of BudgetPools, ModelTiers, TaskProfiles, RoutingPolicies (required)
  --store STORE         the ledger: sqlite:FILE, made when it isn't there, for one controller; or
                        etcd, for several of which one leads (required, or --state)
  --state FILE          the same as --store sqlite:FILE
  --listen ADDRESS      where sidecars connect (127.0.0.1:7447; port 0: any)
  --admin ADDRESS       probes, metrics and views (127.0.0.1:7448; port 0: any)
  --ready-file FILE     written with the ports and the pid once the controller serves
  --heartbeat-ms N      how often a sidecar reports while there are few (5000)
  --heartbeat-max-ms N  how often each of many reports at least (60000)
  --ttl-ms N            how long it may spend after a report; what the heartbeat is longer where
                        there are many is added twice (15000)
  --recall-wait-ms N    how long to wait for money asked back (500)
  --forget-after-ms N   how long an ended window is kept (86400000)
  --watch-window-ms N   over how long tasks are compared with their baselines (3600000)
  --prices-days-max N   how old the built-in price table may be (90)
  --poll-ms N           how often the folder is looked at (500)
  --variables A=B,...   what ${{A}} stands for in a baseURL
  --log-level LEVEL     debug, info, warning or error (info)

With --store etcd:
  --etcd-endpoints A,B  where etcd's members take clients, each HOST:PORT (required)
  --etcd-ca FILE        certificates that etcd's are checked against; needed unless on loopback
  --etcd-cert FILE      this controller's certificate for etcd, with --etcd-key
  --etcd-key FILE       the key of --etcd-cert
  --etcd-user NAME      this controller's user in etcd, with --etcd-password-file
  --etcd-password-file FILE
                        holds the user's password and nothing else
  --etcd-prefix PREFIX  what this ledger's keys begin with (/farebox)
  --name NAME           what the other controllers call this one (its host name and pid)
  --advertise ADDRESS   where sidecars reach this controller (its --listen; with --kubernetes the
                        name of its pod below --service, and its port)

{KUBE_USAGE}
Each flag can be given as an environment variable, such as FAREBOX_READY_FILE; the flag wins.
"""


class ConfigError(Exception):
    """What is wrong with the configuration: one sentence for each mistake."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that can be configured; durations in milliseconds.

    Resources come from the folder `manifests`, or else from the API server that `kube` names.
    """

    manifests: Path | None = None
    kube: KubeOptions | None = None
    store: Path | EtcdOptions
    listen: Endpoint = LISTEN
    admin: Endpoint = ADMIN
    ready_file: Path | None = None
    heartbeat: DurationMs = _TERMS.heartbeat
    heartbeat_max: DurationMs = _TERMS.heartbeat_max
    ttl: DurationMs = _TERMS.ttl
    recall_wait: DurationMs = _TERMS.recall_wait
    forget_after: DurationMs = _TERMS.forget_after
    watch_window: DurationMs = HOUR_MS
    prices_days_max: int = PRICES_DAYS_MAX
    poll: DurationMs = INTERVAL_MS
    variables: Mapping[str, str] = field(default_factory=dict)
    log_level: str = "info"
    name: str = ""
    advertise: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class _Option:
    """A flag, the field of Config that it fills, and how its text is read (or ValueError)."""

    field: str
    read: Callable[[str], Any]


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise ValueError(f"{text!r} is not a folder: name the folder of your manifests")
    return path


def _file(text: str) -> Path:
    path = Path(text)
    if path.is_dir() or not path.parent.is_dir():
        raise ValueError(f"{text!r} can't be a file: name one in a folder that exists")
    return path


def _duration(text: str) -> DurationMs:
    if not re.fullmatch(r"[0-9]{1,12}", text) or not 1 <= int(text) <= MS_MAX:
        raise ValueError(f"{text!r} is not a time: write milliseconds, 1 to {MS_MAX}")
    return DurationMs(int(text))


def _days(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text):
        raise ValueError(f"{text!r} is not a number of days: write 0 to 9999")
    return int(text)


def _variables(text: str) -> Mapping[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair]
    for name, equals, _ in pairs:
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise ValueError(f"{text!r} are not variables: write NAME=value,NAME=value")
    return {name: value for name, _, value in pairs}


def _level(text: str) -> str:
    if text not in LEVELS:
        raise ValueError(f"{text!r} is not a log level: write one of {', '.join(LEVELS)}")
    return text


def _store(text: str) -> Path | None:
    """None for etcd."""
    kind, _, rest = text.partition(":")
    if text != "etcd" and (kind != "sqlite" or not rest):
        raise ValueError(f"{text!r} is not a store: write sqlite:FILE or etcd")
    return None if text == "etcd" else _file(rest)


def _name(text: str) -> str:
    if not text.strip() or len(text) > NAME_CHARACTERS_MAX:
        raise ValueError(f"{text!r} is not a name: write 1 to {NAME_CHARACTERS_MAX} characters")
    return text.strip()


OPTIONS: Final[Mapping[str, _Option]] = {
    "--manifests": _Option("manifests", _folder),
    "--store": _Option("store", _store),
    "--state": _Option("state", _file),
    **{flag: _Option(field, read) for flag, (field, read) in ETCD_OPTIONS.items()},
    "--listen": _Option("listen", parse_loopback),
    "--admin": _Option("admin", parse_loopback),
    "--ready-file": _Option("ready_file", _file),
    "--heartbeat-ms": _Option("heartbeat", _duration),
    "--heartbeat-max-ms": _Option("heartbeat_max", _duration),
    "--ttl-ms": _Option("ttl", _duration),
    "--recall-wait-ms": _Option("recall_wait", _duration),
    "--forget-after-ms": _Option("forget_after", _duration),
    "--watch-window-ms": _Option("watch_window", _duration),
    "--prices-days-max": _Option("prices_days_max", _days),
    "--poll-ms": _Option("poll", _duration),
    "--variables": _Option("variables", _variables),
    "--log-level": _Option("log_level", _level),
    "--name": _Option("name", _name),
    "--advertise": _Option("advertise", parse_loopback),
    **{flag: _Option(field, read) for flag, (field, read) in KUBE_OPTIONS.items()},
}

_IN_CLUSTER: Final[Mapping[str, Callable[[str], Any]]] = {
    "--listen": parse_address,
    "--advertise": parse_host,
}
"""What is read otherwise with --kubernetes, where the streams are encrypted and authenticated."""


def read_config(argv: Sequence[str], environment: Mapping[str, str]) -> Config:
    """Read flags and environment. Raises ConfigError with every mistake there is."""
    mistakes: list[str] = []
    texts = _texts(argv, environment, mistakes)
    in_cluster = texts.get("--kubernetes") == "true"
    if "--manifests" not in texts and not in_cluster:
        variable = variable_of("--manifests")
        mistakes.append(f"--manifests is missing: give it, or set {variable} (or --kubernetes).")
    values: dict[str, Any] = {}
    for flag, option in OPTIONS.items():
        if flag in texts:
            read = _IN_CLUSTER.get(flag, option.read) if in_cluster else option.read
            try:
                values[option.field] = read(texts[flag])
            except (EndpointError, ValueError) as error:
                mistakes.append(f"{flag}: {error}.")
    values["kube"] = _choose_cluster(values, texts, mistakes)
    values["store"] = _choose_store(values, texts, mistakes)
    ttl, heartbeat = values.get("ttl", _TERMS.ttl), values.get("heartbeat", _TERMS.heartbeat)
    if ttl < 2 * heartbeat:
        mistakes.append(
            f"--ttl-ms {ttl} must be at least twice --heartbeat-ms {heartbeat}: "
            "else one late report stops a sidecar."
        )
    if mistakes:
        raise ConfigError(mistakes)
    return Config(**values)


def _choose_cluster(
    values: dict[str, Any], texts: Mapping[str, str], mistakes: list[str]
) -> KubeOptions | None:
    """Where resources come from: None for a folder. Takes what only a cluster needs."""
    in_cluster, kube = take_kube(values)
    if in_cluster:
        if "--manifests" in texts:
            mistakes.append("--manifests and --kubernetes both say where resources come from.")
        return checked_kube(kube, mistakes)
    if given := [flag for flag in KUBE_OPTIONS if flag in texts and flag not in SWITCHES]:
        mistakes.append(f"{', '.join(given)}: only with --kubernetes.")
    return None


def _choose_store(
    values: dict[str, Any], texts: Mapping[str, str], mistakes: list[str]
) -> Path | EtcdOptions | None:
    """The ledger that was chosen; takes what only this needs out of the values."""
    state, etcd = values.pop("state", None), take_etcd(values)
    if "--store" in texts and "--state" in texts:
        mistakes.append("--state and --store both name a ledger: give one of them.")
    elif "--store" not in texts and "--state" not in texts:
        mistakes.append(
            f"--store is missing: give it, or set {variable_of('--store')} (or --state FILE)."
        )
    if texts.get("--store") != "etcd":
        if given := [flag for flag in ETCD_OPTIONS if flag in texts]:
            mistakes.append(f"{', '.join(given)}: only with --store etcd.")
        path: Path | None = values.get("store", state)
        return path
    return checked_etcd(etcd, mistakes)


def variable_of(flag: str) -> str:
    """The environment variable of a flag: --ready-file is FAREBOX_READY_FILE."""
    return "FAREBOX_" + flag.removeprefix("--").replace("-", "_").upper()


def _texts(
    argv: Sequence[str], environment: Mapping[str, str], mistakes: list[str]
) -> dict[str, str]:
    """What was given for each flag, on the command line or else in the environment."""
    texts = {
        flag: environment[variable_of(flag)] for flag in OPTIONS if variable_of(flag) in environment
    }
    rest = list(argv)
    while rest:
        flag, equals, text = rest.pop(0).partition("=")
        if flag not in OPTIONS:
            mistakes.append(f"{flag!r} is not a flag of the controller: see --help.")
        elif equals:
            texts[flag] = text
        elif flag in SWITCHES:
            texts[flag] = "true"
        elif rest:
            texts[flag] = rest.pop(0)
        else:
            mistakes.append(f"{flag} has no value: write {flag} VALUE.")
    return texts
