"""How far a run is: a bar in a terminal, a plain line every ten per cent elsewhere.

The one rule: whoever watches sees at any time how many calls were served, refused and failed. This
module must not know what a call is beyond its ending.
"""

from abc import ABC, abstractmethod
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from farebox.cli.calls import Ending
from farebox.cli.processes import elapsed_ms, now

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

LINE_EVERY_PERCENT: Final = 10


class Shown(ABC):
    """So many of `total`, and what is to be said of them; soft-wrapped, so that no line is cut."""

    def __init__(self, console: "Console", title: str, total: int) -> None:
        self._console = console
        self._title = title
        self._total = total
        self._since = now()
        self._percent_shown = 0
        self._bar: tuple[Bar, TaskID] | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar = self._make_bar()
            self._bar[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar[0].stop()

    @property
    @abstractmethod
    def done(self) -> int:
        """How many."""

    @abstractmethod
    def said(self) -> str:
        """What stands beside the number."""

    def show(self) -> None:
        """Show how far it is now."""
        if self._bar is not None:
            bar, task = self._bar
            bar.update(task, completed=self.done, said=self.said())
            return
        percent = self.done * 100 // self._total
        if percent >= self._percent_shown + LINE_EVERY_PERCENT:
            self._percent_shown = percent - percent % LINE_EVERY_PERCENT
            self.say(self._line(percent))

    def say(self, text: str) -> None:
        """Write a line, above the bar if there is one."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _make_bar(self) -> "tuple[Bar, TaskID]":
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as RichProgress

        bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[said]}"),
            TimeElapsedColumn(),
            console=self._console,
        )
        return bar, bar.add_task(self._title, total=self._total, said=self.said())

    def _line(self, percent: int) -> str:
        seconds = elapsed_ms(self._since) / 1000
        count = f"{self.done}/{self._total}"
        return f"{self._title}  {percent:3d} %  {count:>9}  {self.said()}  {seconds:.1f} s"


class Progress(Shown):
    """Counts endings of `total` calls and shows them on a console."""

    def __init__(self, console: "Console", title: str, total: int) -> None:
        super().__init__(console, title, total)
        self.counts: Counter[Ending] = Counter()

    @property
    def done(self) -> int:
        return self.counts.total()

    def note(self, ending: Ending) -> None:
        """Count one more call."""
        self.counts[ending] += 1
        self.show()

    def said(self) -> str:
        return "  ".join(f"{ending} {self.counts[ending]}" for ending in Ending)
