"""Killing the real program again and again, and going on each time, until its run is over."""

from __future__ import annotations

import json
import random
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import every
from tests.e2e.running import Running, running
from tests.e2e.waiting import gone

SURVIVAL_S = 2.0
"""Children may outlive a killed engine by so much."""
EARLY = 0.15
"""Part of the kills that come while the program is still starting."""
START_S = 0.5
LIFE_S = 0.7
"""Seconds in which a kill comes, from the start or from the first event on."""
NO_RUN = 3
WAITS = 5


@dataclass
class Killed:
    """What happened until a run was over. `survivors`: children that were alive too long after a kill."""

    kills: int = 0
    lives: int = 0
    decisions: int = 0
    survivors: list[int] = field(default_factory=list)
    shown: dict[str, Any] = field(default_factory=dict)
    """The run and its steps at the end, as `show --json` has them."""


def killed_until_over(directory: Path, chance: random.Random, *, most: int) -> Killed:
    """Run `every.yaml` there, with data of its own: killed at random moments (at most that often), resumed
    and decided for each time. Raises `AssertionError` if it ends otherwise than well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AETHERMIND_HOME", str(directory / "home"))
        return _until_over(directory, chance, most)


def _until_over(directory: Path, chance: random.Random, most: int) -> Killed:
    found = Killed()
    begin = ["run", "every.yaml", "--trust", "--json"]
    arguments = begin
    while True:
        found.lives += 1
        with running(*arguments, cwd=directory) as life:
            if found.kills < most and _cut_off(life, chance):
                found.kills += 1
                found.survivors += _survivors(directory)
                arguments = ["resume", "last", "--json"]
                continue
            code = life.end()
        if code == NO_RUN:  # it was killed before there was one
            arguments = begin
            continue
        assert code in {0, WAITS}, (code, arguments, life.err.text)
        said = json.loads(life.out.lines[-1])["summary"]
        if code == 0:
            found.shown = said
            return found
        found.decisions += 1
        arguments = _decision(said["run"])


def _cut_off(life: Running, chance: random.Random) -> bool:
    """Kill it in its start or some time after its first event; False if it was faster."""
    if chance.random() < EARLY:
        at = time.monotonic() + chance.uniform(0, START_S)
    else:
        while not life.out.lines and life.process.poll() is None:
            _wait(life, 0.005)
        at = time.monotonic() + chance.uniform(0, LIFE_S)
    while life.process.poll() is None and (left := at - time.monotonic()) > 0:
        _wait(life, left)
    if life.process.poll() is not None:
        return False
    life.kill()
    return True


def _wait(life: Running, seconds: float) -> None:
    try:
        life.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


def _survivors(directory: Path) -> list[int]:
    return gone([effect.pid for effect in every.effects(directory)], SURVIVAL_S)


def _decision(run: dict[str, Any]) -> list[str]:
    """What a person would type: what is in doubt is done again, what asks may go on."""
    waiting = run["waiting_for"][0]
    if waiting["about"] == "in_doubt":
        return ["answer", run["id"], waiting["step"], "-i", "choice=retry", "--json"]
    return ["approve", run["id"], waiting["step"], "--json"]
