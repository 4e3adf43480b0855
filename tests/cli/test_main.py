"""The arguments of the command line."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from farebox.cli.main import main


@pytest.mark.parametrize("command", [[], ["up"], ["replay"], ["top"], ["demo"]])
def test_every_command_explains_itself(command: list[str]) -> None:
    found = CliRunner().invoke(main, [*command, "--help"])
    assert found.exit_code == 0
    assert "Usage:" in found.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["up"], "--manifests"),
        (["up", "--manifests", "/nowhere"], "does not exist"),
        (["up", "--manifests", ".", "--label", "app"], "is not NAME=VALUE"),
        (["up", "--manifests", ".", "--label", "a=b,c"], "is not NAME=VALUE"),
        (["replay"], "--prompts"),
        (["replay", "--prompts", __file__, "--concurrency", "0"], "0 is not in the range"),
        (["replay", "--prompts", __file__], "test_main.py:1: not a prompt"),
        (["top", "--once", "--state", "/nowhere"], "farebox up"),
        (["demo", "--prompts", "/nowhere"], "does not exist"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(arguments: list[str], complaint: str) -> None:
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 2
    assert complaint in found.output


def test_what_nobody_foresaw_is_not_taken_for_a_broken_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("farebox.cli.demo.run_demo", fail)
    assert CliRunner().invoke(main, ["demo"]).exit_code == 2


def test_help_loads_nothing_that_a_command_needs() -> None:
    script = "import json, sys\nimport farebox.cli.main\nprint(json.dumps(sorted(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert not {"rich", "openai", "aiohttp", "grpc"} & set(json.loads(loaded.stdout))
