"""The arguments of the commands before launch."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from farebox.cli.before import COMMANDS
from farebox.cli.demo import MANIFESTS
from farebox.cli.demo_answers import PROMPTS
from farebox.cli.main import main


def words(command: str, *more: str) -> list[str]:
    named = {
        "audit": ["--manifests", str(MANIFESTS)],
        "profile": ["--manifests", str(MANIFESTS), "--prompts", str(PROMPTS), "--out", "x"],
        "project": ["--profile", str(MANIFESTS)],
        "train": ["--manifests", str(MANIFESTS), "--weak", "a", "--strong", "b"],
    }
    return [command, *named[command], *more]


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_explains_itself(command: str) -> None:
    found = CliRunner().invoke(main, [command, "--help"])
    assert found.exit_code == 0
    assert "Usage:" in found.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (words("audit", "--receipts", __file__, "--prompts", __file__), "not both"),
        (words("profile", "--max-cost", "much"), "is not an amount in dollars"),
        (words("project", "--volume", "1/day", "--classifier-cost", "-1"), "not an amount"),
        (words("project", "--volume", "1/day"), "run `farebox profile"),
        (words("train", "--out", "x.weights"), "Name --profile with its --prompts"),
        (words("train", "--outcomes", __file__, "--out", "x.txt"), "no NAME.weights"),
        (
            words("train", "--outcomes", __file__, "--receipts", __file__, "--out", "x.weights"),
            "or --outcomes, or --receipts",
        ),
        (["ready"], "--manifests"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 2
    assert complaint in found.output
    assert not list(tmp_path.iterdir())
