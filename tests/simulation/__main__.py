"""`python -m tests.simulation SEED [--trace]` replays one seed; `--seeds N [--first N]` plays many."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.facts import Broken
from tests.simulation.play import play


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", nargs="?", type=int, help="play this one")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from SEED (or 0) on")
    parser.add_argument("--trace", action="store_true", help="print the whole story")
    parser.add_argument("--journals", action="store_true", help="print the hash of each journal")
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first that fails")
    given = parser.parse_args()
    first = given.seed or 0
    began, failed, events, lives = time.monotonic(), 0, 0, 0
    for seed in range(first, first + given.seeds):
        try:
            played = play(seed, trace=given.trace)
        except Broken as broken:
            failed += 1
            _say(
                "\n".join([*broken.story, f"seed {seed}: {broken}"])
                if given.trace
                else f"seed {seed}: {broken}"
            )
            if not given.keep_going:
                _say(f"see its story: python -m tests.simulation {seed} --trace")
                return 1
            continue
        events += played.events
        lives += played.lives
        if given.trace:
            _say("\n".join(played.story))
        if given.journals:
            _say(f"{seed} {played.journal}")
        if given.seeds == 1:
            _say(
                f"seed {seed}: {played.runs} runs, {played.lives} lives, {played.events} events, "
                f"{played.requests} requests, {played.seconds:.0f} virtual s, journal {played.journal}"
            )
    if given.seeds > 1:
        seconds = time.monotonic() - began
        _say(f"{given.seeds} seeds, {failed} failed, {lives} lives, {events} events, {seconds:.0f} s")
    return 1 if failed else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
