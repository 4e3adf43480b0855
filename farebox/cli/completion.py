"""Completion for shells: the script that a shell reads once, and kubectl's own hook.

The one rule: only what click knows of the commands is completed, so that nothing is written twice.
This module must not know a command.
"""

from collections.abc import Sequence
from typing import Final

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class

SHELLS: Final = ("bash", "zsh", "fish")
NO_FILES: Final = 4
"""What kubectl is told in the last line: offer these words and no files."""

FILES_TOO: Final = 0
_FILE_KINDS: Final = frozenset({"file", "dir"})


def script(command: click.Command, program: str, shell: str) -> str:
    """What the shell reads: `farebox completion bash > FILE`."""
    kind = get_completion_class(shell)
    assert kind is not None, shell
    return kind(command, {}, program, _variable(program)).source()


def proposals(command: click.Command, program: str, words: Sequence[str]) -> list[str]:
    """What may stand in place of the last word, in the lines that kubectl reads from its hook."""
    *before, begun = words or ("",)
    asked = ShellComplete(command, {}, program, _variable(program))
    found = asked.get_completions(list(before), begun)
    if any(item.type in _FILE_KINDS for item in found):
        return [f":{FILES_TOO}"]
    return [*(_line(item) for item in found), f":{NO_FILES}"]


def _line(item: CompletionItem) -> str:
    return f"{item.value}\t{item.help}" if item.help else str(item.value)


def _variable(program: str) -> str:
    return f"_{program.replace('-', '_')}_COMPLETE".upper()
