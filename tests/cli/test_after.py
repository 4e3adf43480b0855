"""The arguments of the commands after launch."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from farebox.cli.after import labels_of
from farebox.cli.main import main

HERE = str(Path(__file__).parent)


@pytest.mark.parametrize("command", ["replay", "retune"])
def test_every_command_explains_itself(command: str) -> None:
    found = CliRunner().invoke(main, [command, "--help"])
    assert found.exit_code == 0
    assert "Usage:" in found.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["replay", "--against", HERE], "--receipts or --prompts"),
        (
            ["replay", "--against", HERE, "--receipts", __file__, "--prompts", __file__],
            "--receipts or --prompts",
        ),
        (["replay", "--receipts", __file__], "--against to ask a policy"),
        (["replay", "--against", HERE, "--prompts", __file__, "--over", "soon"], "--over"),
        (["replay", "--against", HERE, "--receipts", __file__, "--label", "app"], "NAME=VALUE"),
        (["replay", "--against", HERE, "--receipts", __file__], "no receipts"),
        (["retune", "--manifests", HERE], "--receipts"),
        (["retune", "--receipts", __file__], "--manifests"),
        (["retune", "--manifests", HERE, "--receipts", __file__], "no receipts"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(arguments: list[str], complaint: str) -> None:
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 2
    assert complaint in found.output


def test_labels_are_names_with_values() -> None:
    assert labels_of(("app=assistant", "team=a=b")) == {"app": "assistant", "team": "a=b"}
    with pytest.raises(click.BadParameter):
        labels_of(("app",))
