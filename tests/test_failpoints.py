"""Every failpoint stands somewhere, and what stands somewhere is listed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from aethermind import failpoints
from aethermind.domain import events

SOURCE = Path(failpoints.__file__).parent


def test_each_place_is_in_the_source_once() -> None:
    found = Counter[str]()
    for file in SOURCE.rglob("*.py"):
        found.update(re.findall(r'failpoints\.reached\("([^"]+)"\)', file.read_text()))
    assert found == Counter(failpoints.PLACES.keys())


def test_those_of_events_are_events() -> None:
    assert all(issubclass(getattr(events, name), events.Event) for name in failpoints.RECORDED)


def _life(place: str) -> int:
    program = (
        "from aethermind import failpoints\n"
        "for _ in range(3):\n"
        "    if failpoints.armed:\n"
        "        failpoints.reached('drain')\n"
        "        failpoints.recorded([])\n"
        "raise SystemExit(7)"
    )
    env = {**os.environ, failpoints.VARIABLE: place}
    return subprocess.run([sys.executable, "-c", program], env=env, timeout=30, check=False).returncode


@pytest.mark.parametrize(
    "place, code",
    [
        ("", 7),
        ("drain", -signal.SIGKILL),
        ("drain:3", -signal.SIGKILL),
        ("drain:4", 7),
        ("checkpoint", 7),
        ("nonsense", 7),
    ],
)
def test_the_process_dies_there_when_it_is_time(place: str, code: int) -> None:
    assert _life(place) == code
