"""One workflow with every kind of step, in the real program, killed at random moments."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.e2e import every
from tests.e2e.killing import Killed, killed_until_over


def measure(kills: int, seed: int) -> dict[str, Any]:
    """Workflow after workflow until there were so many kills; what of them ended otherwise than well."""
    chance = random.Random(seed)
    began = time.monotonic()
    total = Killed()
    runs, problems, twice, at_most = 0, list[str](), 0, 0
    while total.kills < kills:
        directory = Path(tempfile.mkdtemp(prefix=f"every-{seed}-{runs}-"))
        every.write(directory)
        runs += 1
        with every.served(directory) as (served, _):
            found = killed_until_over(directory, chance, most=kills - total.kills)
        wrong = every.wrong(found.shown, directory, served.asked)
        problems += [f"{directory}: {problem}" for problem in wrong]
        total.kills += found.kills
        total.lives += found.lives
        total.decisions += found.decisions
        total.survivors += found.survivors
        attempts = [attempt for step in found.shown["steps"] for attempt in step["attempts"]]
        twice += sum(attempt["possibly_billed_twice"] for attempt in attempts)
        at_most += found.shown["run"]["at_most_micro_usd"]
    problems += [f"child {pid} outlived its engine" for pid in total.survivors]
    return {
        "seed": seed,
        "kills": total.kills,
        "runs": runs,
        "lives": total.lives,
        "decisions": total.decisions,
        "surviving_children": len(total.survivors),
        "calls_possibly_billed_twice": twice,
        "at_most_micro_usd": at_most,
        "seconds": round(time.monotonic() - began, 1),
        "problems": problems,
    }


def text(found: dict[str, Any]) -> str:
    return "\n".join(f"{name:28} {value}" for name, value in found.items())
