"""Children of the command line: real processes, started, killed, restarted and ended."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from farebox.cli import processes
from farebox.cli.processes import ChildError, Children, tail_of
from tests.support.runs import child_program

BOUND_S = 60


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_child_says_its_port_and_ends_with_the_block(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        child = await children.start(child_program("one"))
        pid = child.pid
        assert child.facts["pid"] == pid
        assert is_alive(pid)
    assert not is_alive(pid)
    assert child.pid == 0


async def test_a_killed_child_comes_back_on_the_same_port(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        child = await children.start(child_program("one"))
        before, port = child.pid, child.facts["http"]
        await child.kill()
        assert not is_alive(before)
        children.check()  # who was killed on purpose has not died by itself
        await child.start()
        assert child.facts["http"] == port
        assert child.pid != before


async def test_a_child_that_ends_before_it_is_ready_is_named_with_its_last_words(
    tmp_path: Path,
) -> None:
    async with Children(tmp_path) as children:
        with pytest.raises(ChildError, match="one ended by itself with status 7") as caught:
            await children.start(child_program("one", "--die"))
    assert "this child was told to die" in str(caught.value)


async def test_a_child_that_dies_later_is_noticed(tmp_path: Path) -> None:
    async with Children(tmp_path) as children:
        child = await children.start(child_program("one"))
        os.kill(child.pid, signal.SIGKILL)
        with pytest.raises(ChildError, match="one ended by itself with status -9"):
            async with asyncio.timeout(BOUND_S):
                await children.watch()


async def test_a_child_that_does_not_listen_to_reason_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_GRACE_S_MAX", 0.1)
    async with Children(tmp_path) as children:
        child = await children.start(child_program("one", "--deaf"))
        pid = child.pid
        await child.stop()
        assert not is_alive(pid)


async def test_children_end_when_the_block_is_left_by_an_error(tmp_path: Path) -> None:
    pids = []

    async def fail() -> None:
        async with Children(tmp_path) as children:
            for name in ("one", "two"):
                child = await children.start(child_program(name))
                pids.append(child.pid)
            raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert len(pids) == 2
    assert not any(is_alive(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_and_its_children(tmp_path: Path, number: signal.Signals) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from farebox.cli.processes import Children, run\n"
        "from tests.support.runs import child_program\n"
        "async def work():\n"
        "    async with Children(Path(sys.argv[1])) as children:\n"
        "        child = await children.start(child_program('one'))\n"
        "        print(child.pid, flush=True)\n"
        "        await children.watch()\n"
        "sys.exit(run(work()))\n"
    )
    arguments = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        pid = int(command.stdout.readline())
        command.send_signal(number)
        assert command.wait(BOUND_S) == 128 + number
    assert not is_alive(pid)


def test_the_end_of_a_log_is_short_and_of_no_log_empty(tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    assert tail_of(log) == ""
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))
    lines = tail_of(log).splitlines()
    assert len(lines) == processes.TAIL_LINES_MAX
    assert lines[-1] == "line 9999"
