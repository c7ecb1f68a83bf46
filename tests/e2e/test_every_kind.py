"""A workflow with every kind of step, killed at random moments and resumed: as if nothing had happened."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import aethermind
from tests.e2e import every
from tests.e2e.every import Served
from tests.e2e.killing import killed_until_over

KILLS = 12


@pytest.fixture
def models(tmp_path: Path) -> Iterator[Served]:
    every.write(tmp_path)
    with every.served(tmp_path) as (served, _):
        yield served


def test_undisturbed_it_gives_these_outputs(models: Served, tmp_path: Path) -> None:
    done = aethermind("run", "every.yaml", "--trust", "-q", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (5, "")
    done = aethermind("approve", "last", "go", "-q", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)) == (0, every.OUTPUTS)
    shown = json.loads(aethermind("show", "last", "--json").stdout)
    assert every.wrong(shown, tmp_path, models.asked) == []
    assert sorted(models.asked) == ["backup", "backup!", "part", "plan", "same", "text1", "text2"]
    # What would be wrong is found.
    with (tmp_path / "ledger").open("a") as ledger:
        ledger.write(f"{time.time_ns()} built 1\n")
    assert len(every.wrong(shown, tmp_path, [*models.asked, "plan"])) == 3
    kinds = {step["kind"] for step in shown["steps"]}
    assert kinds == {"prompt", "run", "python", "value", "fail", "ask", "workflow", "steps"}


@pytest.mark.timeout(240)  # many starts of the program, on a machine that may be busy
def test_killed_again_and_again_it_gives_the_same(models: Served, tmp_path: Path, rng: random.Random) -> None:
    kills = 0
    while kills < KILLS:
        directory = tmp_path / str(kills)
        every.write(directory)
        models.asked.clear()
        found = killed_until_over(directory, rng, most=KILLS - kills)
        kills += found.kills
        assert found.survivors == []
        assert every.wrong(found.shown, directory, models.asked) == []
