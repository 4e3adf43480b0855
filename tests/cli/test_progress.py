"""Progress: plain lines where nobody can see a bar, a bar in a terminal."""

import io

from rich.console import Console

from farebox.cli.calls import Ending
from farebox.cli.progress import Progress


def test_a_line_every_ten_per_cent_where_there_is_no_terminal() -> None:
    paper = io.StringIO()
    with Progress(Console(file=paper, force_terminal=False), "demo", 200) as progress:
        for number in range(200):
            progress.note(Ending.SERVED if number % 10 else Ending.REFUSED)
    lines = paper.getvalue().splitlines()
    assert len(lines) == 10
    assert "50 %    100/200  served 90  refused 10  failed 0" in lines[4]


def test_few_calls_make_few_lines_and_the_last_is_whole() -> None:
    paper = io.StringIO()
    with Progress(Console(file=paper, force_terminal=False), "demo", 3) as progress:
        for _ in range(3):
            progress.note(Ending.SERVED)
    lines = paper.getvalue().splitlines()
    assert len(lines) == 3
    assert "100 %" in lines[-1]


def test_a_terminal_shows_a_bar_and_what_is_said_above_it() -> None:
    paper = io.StringIO()
    console = Console(file=paper, force_terminal=True, width=120)
    with Progress(console, "demo", 2) as progress:
        progress.note(Ending.SERVED)
        progress.say(">>> [announced]")
        progress.note(Ending.FAILED)
        assert progress.done == 2
    assert ">>> [announced]" in paper.getvalue()
    assert "served 1  refused 0  failed 1" in paper.getvalue()
