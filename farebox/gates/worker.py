"""The process of one gate function: questions in as JSON lines, verdicts out as JSON lines.

The one rule: only verdicts go to the pipe, whatever the function prints; and the process ends with
its pipe, even while the function hangs. This module must not know where questions come from.
"""

import importlib
import json
import os
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

from farebox.core.gates import Case


def main(name: str, questions: TextIO, verdicts: TextIO) -> None:
    """Answer questions until there are no more."""
    waiting: queue.Queue[str] = queue.Queue(maxsize=1)
    threading.Thread(target=_read, args=(questions, waiting), daemon=True).start()
    found = _found(name)
    verdicts.write("ready\n")
    verdicts.flush()
    while True:
        question = waiting.get()
        reply = {"fault": found} if isinstance(found, str) else _answered(found, question)
        verdicts.write(json.dumps(reply) + "\n")
        verdicts.flush()


def _read(questions: TextIO, waiting: "queue.Queue[str]") -> None:
    for line in questions:
        waiting.put(line)
    # Nobody asks any more; the function may hang, so nothing else is waited for.
    os._exit(0)


def _found(name: str) -> Callable[..., Any] | str:
    """The function, or why there is none."""
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # noqa: BLE001  an import runs somebody else's code
        return f"can't be imported ({type(error).__name__})"
    return function if callable(function) else "is not a function"


def _answered(function: Callable[..., Any], question: str) -> dict[str, object]:
    asked = json.loads(question)
    try:
        passed = function(asked["answer"], Case(**asked["case"]))
    except Exception as error:  # noqa: BLE001  somebody else's code; its text may hold the answer
        return {"fault": f"raised {type(error).__name__}"}
    if not isinstance(passed, bool):
        return {"fault": f"returned a {type(passed).__name__}, neither True nor False"}
    return {"passed": passed}


def _own_pipe() -> TextIO:
    """Standard output as it was; what is printed from now on goes nowhere."""
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    return pipe


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin, _own_pipe())
