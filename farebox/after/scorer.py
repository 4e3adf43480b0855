"""The small model that a policy names, for prompts that are classified offline.

The one rule: weights that can't be had leave the policy as it is, and it then saves nothing by
guessing, as in a sidecar; the caller is told. This module must not know prompts.
"""

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Final

from farebox.core.policy import Policy
from farebox.core.scoring import Unreadable, Weights
from farebox.core.tasks import ClassifierKind

ASKING: Final = frozenset({ClassifierKind.MODEL, ClassifierKind.HYBRID, ClassifierKind.CASCADE})
"""The classifiers that ask the small model."""


def with_scorer(policy: Policy, folder: Path | None = None) -> tuple[Policy, str]:
    """The policy with its small model, and "" or a sentence about why it has none.

    `folder` may hold NAME.weights files, which count before the packaged ones.
    """
    if policy.routing.classifier not in ASKING:
        return policy, ""
    name = f"{policy.routing.weights}.weights"
    try:
        return replace(policy, scorer=Weights.read(_content(name, folder))), ""
    except (OSError, Unreadable) as error:
        return policy, (
            f"The weights {name} can't be used ({error}): nothing is saved by guessing."
        )


def _content(name: str, folder: Path | None) -> bytes:
    if folder is not None and (folder / name).is_file():
        return (folder / name).read_bytes()
    return (resources.files("farebox.data") / "routing" / name).read_bytes()
