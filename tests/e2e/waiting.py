"""Waiting for what other processes do: files, pipes, processes. Every wait has an end."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds that a busy machine may take for anything that usually takes milliseconds."""
_EVERY = 0.01


def until(
    look: Callable[[], T | None], *, seconds: float = PATIENCE, what: object = "", every: float = _EVERY
) -> T:
    """Look again and again until there is something (neither None nor False nor empty); gives it."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            told = what() if callable(what) else what
            raise AssertionError(f"did not come within {seconds:g} s: {told}")
        select.select([], [], [], every)
    return found


def lines(path: Path) -> list[str]:
    """The whole lines of a file that somebody appends to; none while it is not there."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return []
    return text[: text.rfind("\n") + 1].splitlines()


def gone(pids: Iterable[int], seconds: float) -> list[int]:
    """Wait, altogether not longer than that, until these processes have ended; those that have not."""
    deadline = time.monotonic() + seconds
    left = set(pids)
    while (left := {pid for pid in left if is_alive(pid)}) and time.monotonic() < deadline:
        select.select([], [], [], _EVERY)
    return sorted(left)


def is_alive(pid: int) -> bool:
    """Whether there is this process, and it is no zombie that only waits to be reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return not Path("/proc/self").exists()  # it ended meanwhile, or this system has no /proc
    return stat.rpartition(")")[2].split()[0] not in "ZX"
