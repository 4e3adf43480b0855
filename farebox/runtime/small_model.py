"""The small model that a policy names: its weights, from the package or from a folder of one's own.

The one rule: weights that can't be used leave the policy without a scorer, and then nothing is
saved by guessing; why stands in the log and in the policy's view. Weights are read again only when
their name or their file changes. This module must not know calls.
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple

from farebox.core.opinions import threshold_named
from farebox.core.policy import Policy
from farebox.core.scoring import WEIGHTS_BYTES_MAX, Unreadable, Weights
from farebox.core.shortcuts import Shortcut, shortcuts_of
from farebox.core.tasks import ClassifierKind

_LOG = logging.getLogger(__name__)

SCORING: Final = frozenset({ClassifierKind.MODEL, ClassifierKind.HYBRID, ClassifierKind.CASCADE})
"""The classifiers that ask the small model."""

SHORTCUTS_FILE: Final = "rules.json"
SHORTCUTS_QUALITY: Final = "0.95"
"""The shortcuts that ship were grown from routes at this threshold, and hold for no other."""

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")


class _Read(NamedTuple):
    """Weights as they were read. `version` is of the file, None for those of the package."""

    name: str
    version: tuple[int, int] | None
    weights: Weights
    shortcuts: tuple[Shortcut, ...]


class WeightsProblem(ValueError):
    """Weights can't be used; the text says why, and what to do."""


class SmallModel:
    """Gives policies their scorer. `problem` says what is wrong with the last one, "" if nothing.

    `folder` may hold NAME.weights files, which count before the packaged ones of the same name.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.problem = ""
        self._folder = folder
        self._read: _Read | None = None

    def filled(self, policy: Policy) -> Policy:
        """The policy with the scorer that it names, or without one and a problem told."""
        routing = policy.routing
        self.problem = ""
        if routing.classifier not in SCORING:
            return policy
        try:
            read = self._read = self._weights(routing.weights)
            self._check_threshold(read, routing.quality)
        except WeightsProblem as problem:
            self.problem = str(problem)
            _LOG.error("the small model can't be used", extra={"problem": self.problem})
            return policy
        shortcuts = read.shortcuts if routing.quality == SHORTCUTS_QUALITY else ()
        return replace(policy, scorer=read.weights, shortcuts=shortcuts)

    def _weights(self, name: str) -> _Read:
        if not _NAME.fullmatch(name):
            raise WeightsProblem(f"{name[:64]!r} is no name of weights: see RoutingPolicy weights.")
        own = None if self._folder is None else self._folder / f"{name}.weights"
        version = None if own is None else _version(own)
        kept = self._read
        if kept is not None and (kept.name, kept.version) == (name, version):
            return kept
        if own is not None and version is not None:
            return _Read(name, version, _parsed(own.name, _content(own)), ())
        packaged = resources.files("farebox.data") / "routing"
        try:
            content = (packaged / f"{name}.weights").read_bytes()
        except FileNotFoundError:
            where = "and no folder is given (--weights-dir)" if own is None else f"nor is {own}"
            raise WeightsProblem(f"No weights {name} are packaged, {where}.") from None
        stored = json.loads((packaged / SHORTCUTS_FILE).read_bytes())
        return _Read(name, None, _parsed(name, content), _shortcuts(stored, name))

    def _check_threshold(self, read: _Read, quality: str) -> None:
        thresholds = read.weights.thresholds
        if threshold_named(quality) not in thresholds:
            known = ", ".join(
                name.removeprefix(threshold_named(""))
                for name in thresholds
                if name.startswith(threshold_named(""))
            )
            raise WeightsProblem(
                f"The weights {read.name} have no threshold for quality {quality}: "
                f"write one of {known or 'none'} into the RoutingPolicy."
            )


def _version(path: Path) -> tuple[int, int] | None:
    """What changes when the file does; None when there is no such file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise WeightsProblem(f"{path} can't be read ({error.strerror}).") from None
    return status.st_mtime_ns, status.st_size


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as opened:
            # One byte more than is taken, so that too much is seen without reading all of it.
            return opened.read(WEIGHTS_BYTES_MAX + 1)
    except OSError as error:
        raise WeightsProblem(f"{path} can't be read ({error.strerror}).") from None


def _parsed(name: str, content: bytes) -> Weights:
    try:
        return Weights.read(content)
    except Unreadable as problem:
        raise WeightsProblem(f"{name}: {problem} Train them anew with this version.") from None


def _shortcuts(stored: Mapping[str, Any], name: str) -> tuple[Shortcut, ...]:
    return shortcuts_of(stored.get(name.upper(), ()))
