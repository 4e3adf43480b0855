"""The small model that a policy names, for prompts that are classified offline.

The one rule: it is read as a sidecar reads it, so that both route alike; weights that can't be had
leave the policy as it is, and the caller is told. This module must not know prompts.
"""

from pathlib import Path

from farebox.core.policy import Policy
from farebox.runtime.small_model import SmallModel


def with_scorer(policy: Policy, folder: Path | None = None) -> tuple[Policy, str]:
    """The policy with its small model, and "" or a sentence about why it has none.

    `folder` may hold NAME.weights files, which count before the packaged ones.
    """
    model = SmallModel(folder)
    found = model.filled(policy)
    if not model.problem:
        return found, ""
    return found, f"Without the small model nothing is saved by guessing: {model.problem}"
