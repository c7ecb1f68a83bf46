"""What an engine says of itself and of the process it lives in."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from aethermind.domain.errors import DeniedError
from aethermind.domain.state import FINISHED_RUN

if TYPE_CHECKING:
    from aethermind.engine.scheduler import Scheduler

PROTOCOL = 1
"""Of the API: an engine and a client that say the same number understand each other."""
RESTING = FINISHED_RUN | {"parked", "waiting_answer", "waiting_budget", "paused"}
"""Statuses in which a run does nothing by itself."""


class EngineInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An engine, as `doctor` and the API tell it."""

    pid: int
    version: str
    protocol: int = PROTOCOL
    started_at: int
    """Epoch milliseconds."""
    home: str
    keys: tuple[str, ...] = ()
    """Providers whose keys it has: names, never values."""
    live: int = 0
    """How many runs are at work in it."""
    at_work: tuple[str, ...] = ()
    """Their ids."""
    watching: int = 0
    """Connections that look at it."""
    idle_s: float | None = None
    """So long after the last run and the last connection it ends by itself; None: never."""
    origin: str = ""
    """What the process was started for: `tui`, `run`, `serve`, `sdk`."""


@dataclass
class Host:
    """The process around an engine. Whoever hosts it fills in what it knows; the engine only tells it."""

    version: str = ""
    home: str = ""
    origin: str = ""
    started_at: int = field(default_factory=lambda: int(time.time() * 1000))
    idle_s: float | None = None
    keys: Callable[[], Sequence[str]] = tuple
    watching: Callable[[], int] = int
    stop: Callable[[], None] | None = None
    """Begin to end this process gracefully; None: it is not ours to end."""

    def info(self, scheduler: Scheduler) -> EngineInfo:
        ids = at_work(scheduler)
        return EngineInfo(
            pid=os.getpid(),
            version=self.version,
            started_at=self.started_at,
            home=self.home,
            keys=tuple(self.keys()),
            live=len(ids),
            at_work=tuple(ids),
            watching=self.watching(),
            idle_s=self.idle_s,
            origin=self.origin,
        )

    def end(self) -> None:
        """Raises `DeniedError` for a program that only embeds an engine."""
        if self.stop is None:
            raise DeniedError(
                f"the engine lives in a program of its own, pid {os.getpid()}", hint="end that program"
            )
        self.stop()


def at_work(scheduler: Scheduler) -> list[str]:
    """The runs that would stand still if this engine ended: those that are under way, and those that wait for
    a person but have a clock running.
    """
    return [
        run_id
        for run_id, live in scheduler.live.items()
        if live.run.status not in RESTING or live.tasks or live.timer is not None
    ]
