"""The plugin's arguments: kubectl's own options behind every command, errors as one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from farebox.cli.kube.main import main
from tests.support.fake_kubectl import FakeKubectl

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.parametrize("command", [[], ["top"], ["explain"], ["receipts"], ["why"]])
def test_every_command_explains_itself(command: list[str]) -> None:
    found = CliRunner().invoke(main, [*command, "--help"])
    assert found.exit_code == 0
    assert "Usage: kubectl farebox" in found.output


def test_options_of_kubectl_are_passed_on(fake: FakeKubectl) -> None:
    fake.answers("get", answer={"items": []})
    given = ["-n", "shop", "--context", "prod", "--as", "ana", "--as-group", "devs"]
    found = CliRunner().invoke(main, ["receipts", *given, "-l", "app=web", "-A"])
    assert found.exit_code == 2
    assert "No pod here has a sidecar" in found.output
    assert fake.asked() == [
        [
            *("--namespace=shop", "--context=prod", "--as=ana", "--as-group=devs"),
            *("get", "pods", "--all-namespaces", "--selector=app=web", "--output=json"),
        ]
    ]


def test_a_failure_of_kubectl_is_one_message_and_status_2(fake: FakeKubectl) -> None:
    fake.answers("get", complaint="The connection to the server was refused", status=1)
    found = CliRunner().invoke(main, ["top", "--once"])
    assert found.exit_code == 2
    assert found.output == (
        "farebox: kubectl get failed: The connection to the server was refused.\n"
    )


def test_the_installed_programs_are_what_kubectl_looks_for() -> None:
    folder = Path(sys.executable).parent
    for name in ("kubectl-farebox", "kubectl_complete-farebox"):
        told = REPOSITORY.joinpath("pyproject.toml").read_text()
        assert f"\n{name} = " in told
    module = "import farebox.cli.kube.hook as hook, sys; sys.argv[1:] = ['wh']; hook.main()"
    found = subprocess.run(
        [folder / "python", "-c", module],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPOSITORY,
        timeout=60,
    )
    assert found.stdout.splitlines()[0].startswith("why\tSay in sentences")
