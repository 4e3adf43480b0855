"""Folders of manifests for tests."""

from pathlib import Path

_POOL = """\
apiVersion: farebox.dev/v1alpha1
kind: BudgetPool
metadata: {{name: {name}, namespace: acme}}
spec:
  limit: "{limit}"
  window: {{type: Lifetime}}
  selector: {{matchLabels: {{}}}}
"""


def write_pool(folder: Path, limit: str, *, name: str = "org") -> Path:
    """Write a lifetime pool that every pod of the namespace acme draws on; returns its file."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.yaml"
    draft = folder / f".{name}.draft"
    draft.write_text(_POOL.format(name=name, limit=limit))
    draft.replace(file)
    return file
