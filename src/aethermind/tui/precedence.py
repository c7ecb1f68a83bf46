"""Keys go before what comes from the engine: while one is on its way to the screen, nothing else is begun.

A key passes several queues before it shows, and at each of them a slice of folding, or a frame, could come
first. `came` is called where keys are read (in another thread), `shown` when something was painted. Whoever
folds or draws asks `first`, and then waits a moment. What shows nothing holds nobody up for longer than
`MOST_S`, and never more than half of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

MOST_S = 0.03
WAIT_S = 0.002
"""How soon to ask again."""


class Precedence:
    """No locks: a float is written whole, and to miss one key's turn costs it some milliseconds."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._since = 0.0
        self._again = 0.0
        """Not before then may a key hold others up again."""

    def came(self) -> None:
        """A key was pressed. From any thread."""
        now = self._clock()
        if now >= self._again:
            self._since = now
            self._again = now + 2 * MOST_S

    def shown(self) -> None:
        """What it did is on its way to the terminal."""
        if self._since:
            self._since = self._again = 0.0

    @property
    def first(self) -> bool:
        """Whether a key is to be let by."""
        return self._since > 0 and self._clock() - self._since < MOST_S
