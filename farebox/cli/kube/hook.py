"""`kubectl_complete-farebox`: what kubectl asks when a user presses Tab behind `kubectl farebox`.

The one rule: a question that can't be answered at once proposes nothing; a shell never waits longer
than `NAMES_S_MAX`. This module must not know the commands.
"""

import subprocess
import sys
from collections.abc import Sequence
from typing import Final

from farebox.cli.completion import proposals
from farebox.cli.kube.cluster import SIDECAR
from farebox.cli.kube.kubectl import PROGRAM

NAMES_S_MAX: Final = 3
NAMES_MAX: Final = 500
_COLUMNS: Final = (
    "--output=go-template={{range .items}}{{$name := .metadata.name}}"
    '{{range .spec.initContainers}}{{if eq .name "' + SIDECAR + '"}}'
    '{{$name}}{{"\\n"}}{{end}}{{end}}{{end}}'
)


def pod_names(options: Sequence[str], begun: str) -> list[str]:
    """Names of pods with a sidecar that begin so; [] when kubectl does not tell in time."""
    words = [PROGRAM, *options, "get", "pods", f"--request-timeout={NAMES_S_MAX}s", _COLUMNS]
    try:
        told = subprocess.run(  # noqa: S603  the user's own kubectl, without a shell
            words, capture_output=True, text=True, timeout=NAMES_S_MAX, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [name for name in told.split() if name.startswith(begun)][:NAMES_MAX]


def main() -> int:
    """Print the proposals for the last argument."""
    from farebox.cli.kube.main import PROGRAM as PLUGIN
    from farebox.cli.kube.main import main as plugin

    print("\n".join(proposals(plugin, PLUGIN, sys.argv[1:])))
    return 0
