"""docs/before-launch.md, run as it stands: every command, in its order, with real processes.

Between two runs of `profile` the first one is interrupted; that nothing is paid twice is judged by
the simulated provider's own ledger.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from farebox.launch.profiles import read_profile
from farebox.launch.results import BEGUN
from farebox.simulated.ledger import bill_nanos, read_entries

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "before-launch.md"
BOUND_S = 600

pytestmark = pytest.mark.timeout(2_000)
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    for line in block.strip().splitlines()
]


def command_of(name: str, folder: Path) -> list[str]:
    """The document's first command of this name, with its folder moved."""
    line = next(one for one in COMMANDS if one.split()[1] == name)
    program, *words = shlex.split(line)
    assert program == ".venv/bin/farebox"
    moved = [re.sub(r"^\.farebox(?=$|/)", str(folder), word) for word in words]
    return [sys.executable, "-m", "farebox.cli", *moved]


def run(name: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_of(name, folder),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
        env={**os.environ, "COLUMNS": "160", **environment},
    )


def entries(folder: Path) -> int:
    ledger = folder / "launch" / "provider" / "provider.ledger.jsonl"
    return len(read_entries(ledger)) if ledger.exists() else 0


def interrupt(folder: Path, *, at: str) -> subprocess.Popen[str]:
    """Run `profile` until it says that it has come so far, then press Ctrl-C."""
    command = command_of("profile", folder)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        while at not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=BOUND_S)
    assert "The same command goes on from here" in rest
    return process


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished profile, interrupted on the way."""
    folder = tmp_path_factory.mktemp("before-launch")
    assert interrupt(folder, at=" 20 %").returncode == 128 + signal.SIGINT
    before = entries(folder)
    finished = run("profile", folder)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert entries(folder) > before
    return folder


@pytest.fixture
def up(profiled: Path) -> Iterator[str]:
    """A running `up`, on any port; the base URL that it says."""
    command = [*command_of("up", profiled), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = "".join(process.stdout.readline() for _ in range(3))
            found = re.search(r"OPENAI_BASE_URL=(\S+)", said)
            assert found is not None, said
            yield found[1]
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(BOUND_S)


def test_the_document_names_every_command() -> None:
    names = [line.split()[1] for line in COMMANDS]
    # The second training takes receipts of traffic of one's own, see test_own_weights.py.
    assert names == ["audit", "profile", "project", "up", "replay", "ready", "train", "train"]


def test_the_readme_tells_the_same_commands() -> None:
    told = (ROOT / "README.md").read_text("utf-8").split("## Before launch, and after", 1)[1]
    block = told.split("```sh\n", 1)[1].split("```", 1)[0]
    lines = [line for line in block.splitlines() if not line.startswith("#")]
    assert lines == COMMANDS[: len(lines)]
    assert [line.split()[1] for line in lines][-1] == "ready"


def test_nothing_is_paid_twice_after_an_interrupt(profiled: Path) -> None:
    out = profiled / "launch"
    ledger = read_entries(out / "provider" / "provider.ledger.jsonl")
    lines = map(msgspec.json.decode, (out / "results.jsonl").read_bytes().splitlines())
    asked = [line["key"] for line in lines if line["event"] == BEGUN]
    assert len(asked) == len(set(asked)) == len(ledger)
    profile = read_profile(out)
    assert profile.complete
    assert profile.spent == bill_nanos(ledger) < profile.cap
    again = run("profile", profiled)
    assert again.returncode == 0
    assert entries(profiled) == len(ledger)


def test_from_a_clean_state_to_ready(profiled: Path, up: str) -> None:
    told = run("audit", profiled)
    assert told.returncode == 0
    assert "108 of 216 calls (50 %) are not told" in told.stdout
    projected = run("project", profiled)
    assert projected.returncode == 0
    assert "all on frontier" in projected.stdout
    early = run("ready", profiled)
    assert early.returncode == 1
    assert "NOT READY" in early.stdout
    replayed = run("replay", profiled, OPENAI_BASE_URL=up)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    ready = run("ready", profiled)
    assert ready.returncode == 0, ready.stdout + ready.stderr
    assert "READY." in ready.stdout
    trained = run("train", profiled)
    assert trained.returncode == 1
    assert "500 or more are needed" in trained.stdout
