"""Completion: real shells can read the scripts, and kubectl the hook's lines."""

import shutil
import subprocess

import pytest

from farebox.cli.completion import SHELLS, proposals, script
from farebox.cli.kube.main import PROGRAM
from farebox.cli.kube.main import main as plugin
from farebox.cli.main import main


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_its_script(shell: str) -> None:
    told = script(main, "farebox", shell)
    assert f"_FAREBOX_COMPLETE={shell}_complete" in told
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=told, text=True, check=True, timeout=30)


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (["t"], ["top\tShow pools, leases and spend, live.", ":4"]),
        (["completion", ""], ["bash", "zsh", "fish", ":4"]),
        (["receipts", "--ref"], ["--refused\tOnly calls that were refused.", ":4"]),
        (["nothing", "x"], [":4"]),
    ],
)
def test_kubectl_reads_one_proposal_a_line(words: list[str], lines: list[str]) -> None:
    assert proposals(plugin, PROGRAM, words) == lines


def test_where_a_file_is_wanted_the_shell_looks_for_it() -> None:
    assert proposals(main, "farebox", ["why", "--receipts", ""]) == [":0"]


def test_without_any_word_all_commands_are_proposed() -> None:
    names = [line.partition("\t")[0] for line in proposals(plugin, PROGRAM, [])]
    assert names == ["completion", "explain", "receipts", "top", "why", ":4"]
