"""profile.json: what a profiling run measured and proposes, as a document that outlives it.

The one rule: whatever later steps need (projection, checklist, training) is read from here and not
measured again. Money in nano-dollars, rates in thousandths. This module must not know how anything
was measured.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from farebox.core.gates import Gate
from farebox.launch.battery import ANSWERED, Trial
from farebox.launch.measures import Cell
from farebox.launch.problems import LaunchError
from farebox.launch.proposals import Proposal

PROFILE_FILE: Final = "profile.json"
RESULTS_FILE: Final = "results.jsonl"
FILE_BYTES_MAX: Final = 256 << 20
DIGEST_CHARS: Final = 12


class ProfileError(LaunchError):
    """A profile cannot be used; the text says why and what to do."""


class TaskMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """One task. `escalation_rate`: how often the proposed tier's answers fail the gates as they run
    in production. `difficulties` are shares of ten bins, as calls are classified with the proposal.
    `expected` counts samples whose right answer is known; `oracle` names the gates by content.
    """

    task: str
    samples: int
    expected: int
    gates: tuple[str, ...]
    oracle: str
    proposal: Proposal
    tier_before: str
    expected_output_tokens: int
    escalation_rate: int
    steps_max: int
    difficulties: tuple[int, ...]
    cells: tuple[Cell, ...]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A profiling run. `complete`: every sample was tried on every tier.

    `measured` is a date (ISO), `catalogue` the version of the tiers, `gaps` what the run could not
    measure, one sentence each. `simulated`: the providers were, so this says nothing about models.
    """

    measured: str
    namespace: str
    catalogue: str
    tiers: tuple[str, ...]
    complete: bool
    simulated: bool
    samples: int
    spent: int
    cap: int
    gaps: tuple[str, ...]
    tasks: tuple[TaskMeasured, ...]
    trials: tuple[Trial, ...]

    @property
    def digest(self) -> str:
        """Names this run by its content."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:DIGEST_CHARS]

    def task(self, name: str) -> TaskMeasured | None:
        """One task, None when it was not profiled."""
        return next((one for one in self.tasks if one.task == name), None)

    def answered(self, task: str) -> dict[str, dict[str, Trial]]:
        """The answered trials of a task, by sample and tier."""
        found: dict[str, dict[str, Trial]] = {}
        for trial in self.trials:
            if trial.task == task and trial.ending == ANSWERED:
                found.setdefault(trial.sample, {})[trial.tier] = trial
        return found


def oracle_of(gates: Sequence[Gate]) -> str:
    """Names gates by all that they check: another one when any of it changes."""
    return hashlib.sha256(repr(tuple(gates)).encode()).hexdigest()[:DIGEST_CHARS]


def write_profile(folder: Path, profile: Profile) -> Path:
    """Write profile.json, whole or not at all."""
    path = folder / PROFILE_FILE
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(profile), indent=1) + b"\n")
    unfinished.replace(path)
    return path


def read_profile(folder: Path) -> Profile:
    """Read the profile of a folder. Raises ProfileError."""
    path = folder / PROFILE_FILE if folder.is_dir() else folder
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise ProfileError(f"{path} is larger than {FILE_BYTES_MAX} bytes.")
        return msgspec.json.decode(path.read_bytes(), type=Profile)
    except OSError:
        raise ProfileError(
            f"{path} is not there: run `farebox profile --out {path.parent}` first."
        ) from None
    except msgspec.DecodeError as error:
        raise ProfileError(f"{path} is not a profile of this version: {error}.") from error
