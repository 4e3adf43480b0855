"""Manifests with what was measured written into them: a folder that is ready to be applied.

Every file is copied; where one holds TaskProfiles, each profiled task gets its tier, its expected
output and its baseline, and nothing else of it changes. The one rule: what is written is read back
and must be free of problems. This module must not know how anything was measured.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from farebox.core.instant import UtcMs
from farebox.launch.problems import LaunchError
from farebox.launch.profiles import Profile, TaskMeasured
from farebox.launch.proposals import Trust, percent
from farebox.manifests.folder import load_folder, manifest_files

MANIFESTS: Final = "manifests"
"""The folder below a profile's own."""

_TASK_PROFILE: Final = "TaskProfile"
_NAMESPACE: Final = "default"


class RewriteError(LaunchError):
    """The written manifests have problems; the text has one line for each."""


def write_manifests(source: Path, target: Path, profile: Profile, *, now: UtcMs) -> list[Path]:
    """Write the folder anew; returns the files in which a task changed. Raises RewriteError."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    changed = []
    for file in manifest_files(source):
        copy = target / file.name
        if _rewrite(file, copy, profile):
            changed.append(copy)
        else:
            shutil.copyfile(file, copy)
    loaded = load_folder(target, None, now=now)
    if loaded.problems:
        raise RewriteError("\n".join(str(problem) for problem in loaded.problems))
    return changed


def measured_fields(spec: Mapping[str, Any], measured: TaskMeasured, profile: Profile) -> Any:
    """The spec of a TaskProfile with what was measured in it."""
    fields = dict(spec)
    if measured.proposal.trust is not Trust.UNMEASURED:
        fields["defaultTier"] = measured.proposal.tier
    if measured.expected_output_tokens:
        fields["expectedOutputTokens"] = measured.expected_output_tokens
    answered = max((cell.answered for cell in measured.cells), default=0)
    if measured.gates and answered:
        fields["baseline"] = {
            "measured": profile.measured,
            "samples": answered,
            "catalogue": profile.catalogue,
            "passRates": {
                cell.tier: decimal(cell.rate) for cell in measured.cells if cell.answered
            },
            "escalationRate": decimal(measured.escalation_rate),
            "difficulties": [decimal(share) for share in measured.difficulties],
        }
    return fields


def decimal(thousandths: int) -> str:
    """A share as the decimal text that manifests have."""
    return f"{thousandths // 1000}.{thousandths % 1000:03d}"


def _rewrite(file: Path, copy: Path, profile: Profile) -> bool:
    """Write a file with its profiled tasks changed; False, and nothing written, without any."""
    documents = [one for one in yaml.safe_load_all(file.read_text("utf-8")) if one]
    measured = [_measured(document, profile) for document in documents]
    if not any(measured):
        return False
    with copy.open("w", encoding="utf-8") as out:
        out.write(_heading(profile))
        for document, task in zip(documents, measured, strict=True):
            if task is not None:
                document["spec"] = measured_fields(document["spec"], task, profile)
                out.write(f"---\n# {task.proposal.says}\n")
            else:
                out.write("---\n")
            yaml.safe_dump(document, out, sort_keys=False, allow_unicode=True, width=100)
    return True


def _heading(profile: Profile) -> str:
    kind = "simulated providers" if profile.simulated else "the tiers' own providers"
    return (
        f"# Measured on {profile.measured} with {profile.samples} samples against {kind}, by\n"
        "# `farebox profile`. Tiers, expected output and baselines are its proposals; all else is\n"
        "# as it was.\n"
    )


def _measured(document: Mapping[str, Any], profile: Profile) -> TaskMeasured | None:
    if document.get("kind") != _TASK_PROFILE:
        return None
    metadata = document["metadata"]
    if metadata.get("namespace", _NAMESPACE) != profile.namespace:
        return None
    return profile.task(metadata["name"])


def summary(profile: Profile) -> list[str]:
    """One line for each task: what is proposed, and what it was before."""
    return [
        f"{task.task}: {task.tier_before or 'no profile'} -> {task.proposal.tier or 'unmeasured'}"
        f" ({task.proposal.trust}, {percent(task.proposal.rate)})"
        for task in profile.tasks
    ]
