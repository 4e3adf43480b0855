"""Child processes of the benchmark: the parser of /proc, trees of processes, and their ends."""

import os
import sys

import pytest

from bench import processes
from bench.processes import BenchError, Stat

# proc_pid_stat(5): pid (comm) state ppid pgrp session tty tpgid flags minflt cminflt majflt
# cmajflt utime stime cutime cstime ...
STATS = {
    "a plain name": ("17 (envoy) S 3 17 3 0 -1 4194560 900 0 0 0 40 2 0 0 20 0 7", 17, 3, 42),
    "waited-for children count": ("17 (sh) S 3 17 3 0 -1 0 9 9 0 0 40 2 300 8 20 0 1", 17, 3, 350),
    "a name with spaces": ("5 (tmux: server) S 1 5 5 0 -1 0 9 0 0 0 1 2 3 4 20 0 1", 5, 1, 10),
    "a name that looks like fields": (
        "9 (x) R 7 (y) S 1 9 9 0 -1 0 9 0 0 0 1 1 1 1 20 0 1",
        9,
        1,
        4,
    ),
}


@pytest.mark.parametrize("name", STATS)
def test_a_stat_line_is_read(name: str) -> None:
    text, want_pid, want_parent_pid, want_ticks = STATS[name]
    want = Stat(pid=want_pid, parent_pid=want_parent_pid, cpu_ticks=want_ticks)
    assert processes.parse_stat(text) == want


def test_a_tree_holds_the_root_and_all_that_descend_from_it() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1, 21: 20}
    stats = [Stat(pid=pid, parent_pid=parent, cpu_ticks=1) for pid, parent in parents.items()]
    assert {stat.pid for stat in processes.tree(stats, [10])} == {10, 11, 12}
    assert {stat.pid for stat in processes.tree(stats, [10, 11, 21])} == {10, 11, 12, 21}
    assert processes.tree(stats, [99]) == []


def test_resident_memory_is_read_from_a_status_page() -> None:
    assert processes.parse_resident_kib("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t    6512 kB\n") == 6512
    assert processes.parse_resident_kib("Name:\tx\nState:\tZ (zombie)\n") == 0


def test_work_of_a_process_shows_in_its_cpu_time() -> None:
    own = (os.getpid(),)
    before_us = processes.cpu_us(own)
    while processes.cpu_us(own) < before_us + 20_000:
        sum(range(10_000))
    assert processes.resident_kib(own) > 1024
    assert processes.cpu_us(()) == 0


ECHO = "import sys\nfor line in sys.stdin: print('got', line, end='', flush=True)"


def test_a_child_answers_lines_and_is_ended_with_its_block() -> None:
    with processes.started("echo", [sys.executable, "-c", ECHO]) as child:
        assert child.ask("one", seconds_max=20) == "got one"
        assert child.ask("two", seconds_max=20) == "got two"
        assert processes.cpu_us((child.pid,)) >= 0
    assert child.has_ended()
    with pytest.raises(BenchError, match="has ended"):
        processes.cpu_us((child.pid,))


def test_a_child_is_ended_when_the_block_fails() -> None:
    with (
        pytest.raises(ZeroDivisionError),
        processes.started("echo", [sys.executable, "-c", ECHO]) as child,
    ):
        raise ZeroDivisionError
    assert child.has_ended()


def test_a_child_that_fails_is_quoted() -> None:
    argv = [sys.executable, "-c", "raise SystemExit('the port is taken')"]
    with (
        processes.started("server", argv) as child,
        pytest.raises(BenchError, match=r"server ended without an answer(.|\n)*port is taken"),
    ):
        child.read_line()


def test_a_silent_child_is_not_waited_for_without_end() -> None:
    with (
        processes.started("echo", [sys.executable, "-c", ECHO]) as child,
        pytest.raises(BenchError, match=r"echo did not answer within 0\.1 s"),
    ):
        child.read_line(seconds_max=0.1)
