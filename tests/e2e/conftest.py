"""No test leaves an engine behind: it would live on for its idle time, and take from the tests after it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.waiting import PATIENCE, gone


@pytest.fixture(autouse=True)
def _no_engine_is_left() -> Iterator[None]:
    home = os.environ["AETHERMIND_HOME"]
    yield
    left = engines(home)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # its watchdog ends what it has started
    assert gone(left, PATIENCE) == []


def engines(home: str) -> list[int]:
    """Processes of the program that were started for this data directory, whoever their parent is now."""
    mark = f"AETHERMIND_HOME={home}".encode()
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # somebody else's, or it has just ended
            if b"\0aethermind\0" in (place / "cmdline").read_bytes() and mark in (
                place / "environ"
            ).read_bytes().split(b"\0"):
                found.append(int(place.name))
    return found
