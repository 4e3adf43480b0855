"""Virtual time: what happens when, in whole milliseconds.

The one rule: what is planned for the same instant happens in the order in which it was planned.
This module must not know what happens.
"""

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Timeline:
    """Plans actions and does them in order."""

    def __init__(self) -> None:
        self.now = 0
        self.over = False
        self._planned: list[tuple[int, int, Action]] = []
        self._count = 0

    def after(self, delay_ms: int, action: Action) -> None:
        """Plan an action."""
        self._count += 1
        heapq.heappush(self._planned, (self.now + delay_ms, self._count, action))

    def run(self, until_ms: int) -> None:
        """Do what is planned until then, or until somebody sets `over`."""
        planned = self._planned
        while planned and not self.over:
            at, _, action = heapq.heappop(planned)
            if at > until_ms:
                self.now = until_ms
                return
            self.now = at
            action()
