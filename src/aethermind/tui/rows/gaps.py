"""Times in which nothing was under way: between the end of a run and its retry on the next day, or while it
stood still. Bars leave the long ones out, else what was done would be too narrow to be seen. Pure.
"""

from __future__ import annotations

from aethermind.domain.run import Run

Gap = tuple[int, int]
"""From and to, epoch ms."""
LEAST_MS = 10_000
"""What is shorter stays as it is."""


def gaps(run: Run, end: int) -> tuple[Gap, ...]:
    """Those that are longer than `LEAST_MS` and than half of all that was done before, in order; `end` is the
    last moment that is shown. O(attempts).
    """
    found: list[Gap] = []
    worked, until = 0, run.created_at
    for begin, over in [*sorted(_stretches(run, end)), (end, end)]:
        length = begin - until
        if length > max(LEAST_MS, worked // 2):
            found.append((until, begin))
        else:
            worked += max(length, 0)
        if over > until:
            worked += over - max(begin, until)
            until = over
    return tuple(found)


def _stretches(run: Run, end: int) -> list[Gap]:
    """Every attempt, and every wait between two that was to be."""
    return [
        (attempt.started_at, max(attempt.finished_at if attempt.finished_at is not None else end,
                                 attempt.retry_at or 0))
        for node in run.nodes.values()
        for attempt in node.attempts
    ]  # fmt: skip
