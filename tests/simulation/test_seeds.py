"""Many worlds, each from one integer, and each twice the same."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.simulation.play import play

SEEDS = range(200)
BLOCK = 20
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("first", range(SEEDS.start, SEEDS.stop, BLOCK))
def test_the_promises_hold(first: int) -> None:
    for seed in range(first, first + BLOCK):
        played = play(seed)
        assert played.events, f"seed {seed} did nothing"


def test_the_seeds_are_worth_it() -> None:
    """What is never reached is never tested: these worlds see what can go wrong, and much of it."""
    found = [play(seed) for seed in range(1_000, 1_020)]
    assert sum(world.lives for world in found) > 2 * len(found)
    assert sum(world.requests for world in found) > 5 * len(found)
    assert sum(world.seconds for world in found) > 60 * len(found)


def test_a_seed_is_twice_the_same() -> None:
    for seed in range(2_000, 2_010):
        first, second = play(seed, trace=True), play(seed, trace=True)
        assert first.story == second.story
        assert first.journal == second.journal


def test_a_seed_is_the_same_in_another_process() -> None:
    """Whatever the hashes of its texts are, and wherever its objects lie."""
    seeds = 12

    def journals(salt: str, allocator: str) -> list[str]:
        told = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "3000", "--seeds", str(seeds), "--journals"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONMALLOC": allocator},
            check=True,
            capture_output=True,
            text=True,
            timeout=50,
        )
        return told.stdout.splitlines()

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(journals, ("1", "2"), ("pymalloc", "malloc"))
    assert len(one) == seeds + 1
    assert one[:seeds] == other[:seeds]
    assert one[0].endswith(play(3000).journal)
