"""Rounds: kills of one database in sequence, at random moments and at failpoints, until its runs are over."""

from __future__ import annotations

import os
import random
import select
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from aethermind import failpoints
from bench.crash import checks, workload
from bench.crash.checks import Family
from bench.crash.lives import Ack, Host, Life, Stuck
from bench.crash.report import RANDOM, Report
from bench.crash.upkeep import UPKEEP, upkeep_round
from tests.e2e import every
from tests.servers.http import in_thread

SURVIVAL_S = 2.0
LATEST_S = 1.2
"""Random kills come at most so long after a life's birth: about as long as all of the workload takes."""
MOST_LIVES = 200
"""Of one database; more, and it does not get on."""
AFTER_A_CRASH = frozenset({"AttemptLost"})
"""Failpoints that only a life that resumes something can reach."""
ONCE = frozenset(
    [
        "drain",
        "RunPaused",
        "RunResumed",
        "RunReopened",
        "DefinitionAdopted",
        "CancelRequested",
        "RunCancelled",
        "AttemptCancelled",
        "BudgetHeld",
        "BudgetRaised",
        "StepSkipped",
        "AskExpired",
        "migration",
    ]
)
"""Failpoints that a life reaches once or twice."""
TRIES = 6
"""Databases in which a failpoint may be missed before it counts as one that nobody can reach."""


@dataclass
class Job:
    """A kill still to be had at a failpoint."""

    name: str
    nth: int
    missed: int = 0


@contextmanager
def crash_host() -> Iterator[tuple[Host, every.Served]]:
    """The host of all lives, and the models that they call."""
    served = every.Served(pace_s=0.004)
    with in_thread(served) as server, Host({**os.environ, "OLLAMA_HOST": server.url}) as host:
        yield host, served


class Rounds:
    """`rounds` kills: half at random moments, half at failpoints, each of these about equally often."""

    def __init__(self, host: Host, served: every.Served, *, rounds: int, seed: int, only: str = "") -> None:
        self._host = host
        self._served = served
        self._rounds = rounds
        self._seed = seed
        self._only = only
        self.report = Report(seed)
        chance = random.Random(seed)
        names = [only] if only else list(failpoints.NAMES)
        count = rounds if only else rounds - rounds // 2
        drawn = [name for _ in range(-(-count // len(names))) for name in chance.sample(names, len(names))]
        wanted = drawn[:count]
        self._jobs = deque(
            Job(name, 1 if name in ONCE else _nth(chance)) for name in wanted if name not in UPKEEP
        )
        self._upkeep = [name for name in wanted if name in UPKEEP]
        self._randoms = rounds - count

    def run(self) -> Report:
        began = time.monotonic()
        while self._jobs or self._upkeep or self._randoms > 0:
            self._episode(self.report.episodes)
            print(f"\r{self.report.kills} of {self._rounds} kills", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        self.report.seconds = time.monotonic() - began
        return self.report

    def _episode(self, number: int) -> None:
        """One database, until all its runs are over; then it is judged."""
        self.report.episodes += 1
        directory = Path(tempfile.mkdtemp(prefix=f"crash-{self._seed}-{number}-"))
        workload.write(directory)
        self._served.asked.clear()
        problems = len(self.report.problems)
        try:
            self._lives(directory, random.Random(f"{self._seed}/{number}"))
        except (Stuck, AssertionError) as error:
            log = (directory / "host.log").read_text()[-2_000:]
            self.report.problems.append(f"{type(error).__name__}: {error}\n{log}")
        if len(self.report.problems) > problems:
            self.report.problems.append(f"see {directory} (seed {self._seed}, database {number})")
        else:
            shutil.rmtree(directory)

    def _lives(self, directory: Path, chance: random.Random) -> None:
        family = Family(directory)
        lives: list[tuple[Life, str]] = []
        job: Job | None = None
        while True:
            assert len(lives) < MOST_LIVES, "the runs do not get on"
            if job is None:
                job = self._next(chance, resumed=bool(lives))
            at_random = job is None and self._randoms > 0
            life = self._host.live(
                directory,
                leave_after=chance.uniform(0, LATEST_S) if job and job.name == "drain" else None,
                failpoint=f"{job.name}:{job.nth}" if job else "",
                kill_after=chance.uniform(0, LATEST_S) if at_random else None,
            )
            self.report.lives += 1
            place = job.name if job else RANDOM
            lives.append((life, place))
            if life.code == -9:
                self.report.row(place).kills += 1
                self.report.row(place).survivors += _survivors(family)
                self._randoms -= at_random
                job = None
                continue
            assert life.code == 0, f"a life ended with {life.code}"
            break
        if job is not None:
            self._missed(job)
        self._judge(directory, lives)
        if self._upkeep:
            self._keep_up(directory, self._upkeep.pop())

    def _next(self, chance: random.Random, *, resumed: bool) -> Job | None:
        """A failpoint for the next life; None: it is killed at a random moment, if one is left to be had."""
        if self._randoms > 0 and (not self._jobs or chance.random() < 0.5):
            return None
        for _ in range(len(self._jobs)):
            job = self._jobs.popleft()
            # What was missed once is tried from a database's beginning, where everything is still to come.
            if (job.name in AFTER_A_CRASH) == resumed or (not job.missed and job.name not in AFTER_A_CRASH):
                return job
            self._jobs.append(job)
        return None

    def _missed(self, job: Job) -> None:
        job.missed, job.nth = job.missed + 1, 1
        if job.missed < TRIES:
            self._jobs.appendleft(job)
        elif job.name not in self.report.never_reached:
            self.report.never_reached.append(job.name)

    def _judge(self, directory: Path, lives: list[tuple[Life, str]]) -> None:
        acks: list[Ack] = [ack for life, _ in lives for ack in life.acks]
        verdict = checks.judge(directory / "home" / "aethermind.db", directory, acks, self._served.asked)
        self.report.acknowledged += len(acks)
        self.report.steps += verdict.steps
        self.report.problems += verdict.problems
        self.report.problems += [
            f"event {seq} was acknowledged and is lost" for seq in verdict.unacknowledged
        ]
        self.report.row(lives[-2][1] if len(lives) > 1 else RANDOM).after += verdict.after_completion
        for (before, place), (life, _) in pairwise(lives):
            row = self.report.row(place)
            row.lost += sum(ack.seq in verdict.unacknowledged for ack in before.acks)
            if life.first is not None:
                row.resume_s.append(life.first)
        for loss in verdict.losses:  # recorded by the life after the kill that caused it
            at = max(
                n for n, (life, _) in enumerate(lives) if life.opened is not None and life.opened < loss.seq
            )
            row = self.report.row(lives[at - 1][1])
            row.run_again += loss.resolution == "retry"
            row.in_doubt += loss.resolution == "ask"
            row.twice += loss.twice
            row.at_most += loss.at_most

    def _keep_up(self, directory: Path, name: str) -> None:
        row = self.report.row(name)
        row.kills += 1
        self.report.lives += 2
        self.report.problems += upkeep_round(self._host, directory, name)


def _nth(chance: random.Random) -> int:
    return chance.choice((1, 1, 1, 2, 3, 5, 8, 13))


def _survivors(family: Family) -> int:
    deadline = time.monotonic() + SURVIVAL_S
    while (alive := family.alive()) and time.monotonic() < deadline:
        select.select([], [], [], 0.01)
    return len(alive)
