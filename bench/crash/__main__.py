"""kill -9 at random moments, again and again, until the run is finished; then look at what happened.

    python -m bench.crash [--rounds 500] [--seed N] [--json]

A round is one life of the engine's process. Reported: acknowledged steps that were lost, effects after their
recorded completion (both must be 0), children that outlived the engine by two seconds (0), steps that were
run again because their end was not recorded, and how long the start of a resumed life took.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import select
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SURVIVAL_S = 2.0


@dataclass
class Report:
    rounds: int = 0
    runs: int = 0
    acknowledged: int = 0
    lost: int = 0
    after_completion: int = 0
    survivors: int = 0
    run_again: int = 0
    resume_s: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        resume = statistics.median(self.resume_s) if self.resume_s else 0.0
        return {
            "rounds": self.rounds,
            "runs": self.runs,
            "acknowledged_steps": self.acknowledged,
            "acknowledged_steps_lost": self.lost,
            "effects_after_completion": self.after_completion,
            "surviving_children": self.survivors,
            "steps_run_again": self.run_again,
            "resume_to_first_event_s": round(resume, 3),
        }


class Life:
    """One process of the engine; what it acknowledged is read from its pipe."""

    def __init__(self, directory: Path, number: int, run_id: str | None) -> None:
        argv = [sys.executable, "-m", "bench.crash.host", str(directory), str(number)]
        self.process = subprocess.Popen(
            [*argv, run_id] if run_id else argv, stdout=subprocess.PIPE, bufsize=0
        )
        self._rest = b""
        self.began = time.monotonic()
        self.first: float | None = None
        self.done: list[str] = []
        self.run_id = run_id
        self.status: str | None = None

    def watch(self, deadline: float) -> bool:
        """Read until the process ends (True) or until `deadline` seconds after its first line (False)."""
        out = self.process.stdout
        assert out is not None
        while True:
            left = 60.0 if self.first is None else self.first + deadline - time.monotonic()
            if left <= 0 and not select.select([out], [], [], 0)[0]:
                return False
            if not select.select([out], [], [], max(left, 0))[0]:
                return False
            chunk = os.read(out.fileno(), 65_536)
            if not chunk:
                self.process.wait()
                return True
            self.first = self.first or time.monotonic()
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._take(line.decode())

    def _take(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        match word:
            case "run":
                self.run_id = rest
            case "done":
                self.done.append(rest)
            case "end":
                self.status = rest
            case _:
                raise ValueError(f"the host said {line!r}")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.watch(0)  # what it had still acknowledged


def crash(directory: Path, chance: random.Random, report: Report) -> None:
    """One run, killed until it is finished."""
    report.runs += 1
    acknowledged: dict[str, int] = {}
    run_id: str | None = None
    number = 0
    while True:
        number += 1
        life = Life(directory, number, run_id)
        ended = life.watch(chance.uniform(0.0, 0.12))
        if not ended:
            life.kill()
            report.survivors += survivors(directory)
        report.rounds += 1
        run_id = life.run_id
        if number > 1 and life.first is not None:
            report.resume_s.append(life.first - life.began)
        for step in life.done:
            acknowledged.setdefault(step, number)
        if ended:
            if life.status != "succeeded":
                raise SystemExit(f"run {run_id} ended {life.status} in life {number} ({directory})")
            break
    report.acknowledged += len(acknowledged)
    effects = [line.split() for line in (directory / "effects").read_text().splitlines()]
    for life_number, step in effects:
        if int(life_number) > acknowledged.get(step, number):
            report.after_completion += 1
    times = Counter((step) for _, step in effects if step != "flaky")
    report.run_again += sum(count - 1 for count in times.values())
    db = sqlite3.connect(f"file:{directory / 'crash.db'}?mode=ro", uri=True)
    try:
        succeeded = Counter(
            row[0] for row in db.execute("SELECT step FROM attempts WHERE status = 'succeeded'")
        )
    finally:
        db.close()
    report.lost += sum(succeeded[step] != 1 for step in acknowledged)


def survivors(directory: Path) -> int:
    """Children of the killed engine that are alive two seconds later."""
    with contextlib.suppress(FileNotFoundError):
        pids = [int(line) for line in (directory / "pids").read_text().split()]
        deadline = time.monotonic() + SURVIVAL_S
        while alive := [pid for pid in pids if is_alive(pid)]:
            if time.monotonic() > deadline:
                return len(alive)
            time.sleep(0.01)
    return 0


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    chance = random.Random(given.seed)
    report = Report()
    print(f"seed {given.seed}", file=sys.stderr)
    while report.rounds < given.rounds:
        with tempfile.TemporaryDirectory() as directory:
            crash(Path(directory), chance, report)
    row = report.row()
    print(json.dumps(row) if given.json else "\n".join(f"{key:26} {value}" for key, value in row.items()))
    if report.lost or report.after_completion or report.survivors:
        sys.exit(1)


if __name__ == "__main__":
    main()
