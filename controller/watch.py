"""Follows the folder of manifests.

It is read again when the content of its files has changed, or when a price of the built-in book
does. The one rule: each problem is logged once, when it appears. This module must not know what a
resource is good for.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from farebox.core.instant import DurationMs
from farebox.manifests.adoption import Loaded
from farebox.manifests.folder import FILE_BYTES_MAX, FILES_MAX, load_folder, manifest_files
from farebox.manifests.resources import Problem, Resources
from farebox.runtime.clock import Clock

_LOG = logging.getLogger(__name__)

INTERVAL_MS = DurationMs(500)

Changed = Callable[[Resources], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Watch:
    """The folder as last read. `variables` are what `${NAME}` in a baseURL stands for."""

    folder: Path
    clock: Clock
    variables: Mapping[str, str] = field(default_factory=dict)
    loaded: Loaded = field(default_factory=Loaded)
    _fingerprint: str = ""

    def load(self) -> bool:
        """Read the folder if it changed since the last time; says whether it was read."""
        fingerprint = fingerprint_of(self.folder)
        changes_at = self.loaded.prices_change_at
        repriced = changes_at is not None and self.clock.utc() >= changes_at
        if fingerprint == self._fingerprint and not repriced:
            return False
        known = set(self.loaded.problems)
        self.loaded = load_folder(
            self.folder, self.loaded, now=self.clock.utc(), variables=self.variables
        )
        # Taken before the reading: what changes meanwhile is found next time.
        self._fingerprint = fingerprint
        for problem in self.loaded.problems:
            if problem not in known:
                _log_problem(problem)
        return True

    async def follow(self, changed: Changed, *, interval: DurationMs = INTERVAL_MS) -> None:
        """Look at the folder for ever and say when other resources are in force."""
        while True:
            await asyncio.sleep(interval / 1000)
            before = self.loaded.resources
            read = await asyncio.to_thread(self.load)
            if read and self.loaded.resources != before:
                _LOG.info("other resources are in force", extra={"folder": str(self.folder)})
                await changed(self.loaded.resources)


def fingerprint_of(folder: Path) -> str:
    """A digest of the names and contents of all manifests; of the error when they can't be read."""
    digest = hashlib.sha256()
    try:
        for file in manifest_files(folder)[: FILES_MAX + 1]:
            with file.open("rb") as opened:
                content = opened.read(FILE_BYTES_MAX + 1)
            digest.update(f"{file.name}\0{len(content)}\0".encode())
            digest.update(content)
    except OSError as error:
        digest.update(f"{type(error).__name__} {error.filename}".encode())
    return digest.hexdigest()


def _log_problem(problem: Problem) -> None:
    _LOG.error("%s", problem)
