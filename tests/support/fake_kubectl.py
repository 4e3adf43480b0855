"""A program called kubectl that answers from a book, for the shape of what it is asked.

It is no cluster: what a real kubectl makes of these words is shown in tests/e2e/kube. The one rule:
a question that is not in the book fails as kubectl does, with a sentence and status 1.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

_SCRIPT: Final = """#!{python}
import json, signal, sys
from pathlib import Path
folder, words = Path({folder!r}), sys.argv[1:]
with (folder / "asked").open("a") as asked:
    asked.write(json.dumps(words) + "\\n")
for entry in json.loads((folder / "book").read_text()):
    if set(entry["words"]) <= set(words):
        sys.stderr.write(entry.get("complaint", ""))
        sys.stdout.write(entry.get("answer", ""))
        sys.stdout.flush()
        if entry.get("stays"):
            signal.pause()
        sys.exit(entry.get("status", 0))
sys.exit("error: nobody knows " + " ".join(words))
"""


@dataclass(slots=True)
class FakeKubectl:
    """The program `kubectl` in `folder`, and its book, read from the front."""

    folder: Path
    book: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        program = self.folder / "kubectl"
        program.write_text(_SCRIPT.format(python=sys.executable, folder=str(self.folder)))
        program.chmod(0o755)
        self._write()

    @property
    def program(self) -> str:
        return str(self.folder / "kubectl")

    def answers(self, *words: str, answer: object = "", **more: Any) -> None:
        """What it says when asked with all of these words; values that are no text as JSON."""
        text = answer if isinstance(answer, str) else json.dumps(answer)
        self.book.append({"words": words, "answer": text, **more})
        self._write()

    def forwards(self, pod: str, port: int, *, to: int) -> None:
        """Have a port of a pod be a port of this machine."""
        line = f"Forwarding from 127.0.0.1:{to} -> {port}\n"
        self.answers("port-forward", f"pod/{pod}", f":{port}", answer=line, stays=True)

    def asked(self) -> list[list[str]]:
        """The words of every question so far."""
        path = self.folder / "asked"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def _write(self) -> None:
        (self.folder / "book").write_text(json.dumps(self.book))


def pod_document(
    name: str,
    *,
    namespace: str = "shop",
    phase: str = "Running",
    containers: Sequence[str] = ("app",),
    init: Sequence[str] = ("farebox",),
    state: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """A pod as the API server shows it; `state` is that of its sidecar."""
    told = {"running": {}} if state is None else state
    return {
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "initContainers": [{"name": one} for one in init],
            "containers": [{"name": one} for one in containers],
        },
        "status": {
            "phase": phase,
            "initContainerStatuses": [{"name": one, "state": told} for one in init],
        },
    }
