"""Third-party programs that judge rendered manifests, each in a virtual environment of its own.

The one rule: they are never among this project's own packages, and are installed once, outside the
tree. This module must not know the chart.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.support.kube_cache import cache

CHECKOV: Final = ("checkov", "3.3.30")
SCHEMAS: Final = ("kubernetes-validate", "1.37.0")
INSTALL_SECONDS_MAX: Final = 400
RUN_SECONDS_MAX: Final = 300


def _program(package: str, version: str) -> Path:
    """The program of a package, installed when it is not there yet."""
    folder = cache() / "scanners" / f"{package}-{version}"
    whole = folder / "whole"
    if not whole.exists():
        _run([sys.executable, "-m", "venv", "--clear", str(folder)], INSTALL_SECONDS_MAX)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--no-compile"]
        wanted = f"{package}=={version}"
        _run([*pip, "--disable-pip-version-check", wanted], INSTALL_SECONDS_MAX)
        whole.touch()
    return folder / "bin" / package


def _run(command: Iterable[str], seconds_max: int) -> None:
    run = subprocess.run(
        list(command), capture_output=True, text=True, check=False, timeout=seconds_max
    )
    assert run.returncode == 0, run.stderr


def findings(file: Path) -> set[tuple[str, str]]:
    """What checkov finds in a file of manifests: the check, and the kind and name of the object."""
    command = [str(_program(*CHECKOV)), "-f", str(file), "--framework", "kubernetes"]
    options = ["--output", "json", "--quiet", "--compact", "--skip-download", "--soft-fail"]
    run = subprocess.run(
        [*command, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS_MAX,
        env={"PATH": "/usr/bin:/bin", "LOG_LEVEL": "ERROR"},
    )
    assert run.returncode == 0, run.stderr
    report: Mapping[str, Any] = json.loads(run.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 0
    return {
        (one["check_id"], _kind_and_name(one["resource"]))
        for one in report["results"]["failed_checks"]
    }


def _kind_and_name(resource: str) -> str:
    """Of "Kind.namespace.name"."""
    kind, _, name = resource.split(".", 2)
    return f"{kind} {name}"


def misfits(version: str, files: Iterable[Path]) -> list[str]:
    """What does not fit the schemas of a Kubernetes version, one line each; and unknown kinds."""
    command = [str(_program(*SCHEMAS)), "-k", version, "--strict", *map(str, files)]
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=RUN_SECONDS_MAX
    )
    lines = [*run.stdout.splitlines(), *run.stderr.splitlines()]
    assert any(line.startswith("INFO") for line in lines), lines
    return [line for line in lines if not line.startswith("INFO")]
