"""`python -m controller` says what is wrong and ends with a status that tells how."""

import socket
import subprocess
import sys
from pathlib import Path

from controller.config import USAGE
from tests.support.manifests import write_pool


def run(*flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controller", *flags],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_every_flag() -> None:
    ended = run("--help")

    assert (ended.returncode, ended.stdout) == (0, USAGE)


def test_a_wrong_configuration_is_told_line_by_line() -> None:
    ended = run("--listen", "0.0.0.0:1")

    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 3
    assert "--manifests is missing" in ended.stderr


def test_an_address_that_is_taken_is_told_in_a_sentence(tmp_path: Path) -> None:
    write_pool(tmp_path / "manifests", "1.00")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run(
            *("--manifests", str(tmp_path / "manifests"), "--state", str(tmp_path / "ledger")),
            *("--listen", "127.0.0.1:0", "--admin", f"127.0.0.1:{taken.getsockname()[1]}"),
        )

    assert ended.returncode == 1
    last = ended.stderr.splitlines()[-1]
    assert "the controller can't go on" in last
    assert "address already in use" in last.lower()
    assert "Traceback" not in ended.stderr
