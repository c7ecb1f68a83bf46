"""Asked to stop at any moment: what is under way may end, what is in hand is recorded, one can go on."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import aethermind
from tests.e2e import every
from tests.e2e.every import Served
from tests.e2e.running import Running, running
from tests.e2e.waiting import gone, lines, until

STOPS = 6
DRAIN_S = 10.0
SLACK_S = 10.0
"""For the start and end of a program on a busy machine."""
LATEST_S = 1.0


@pytest.fixture
def models(tmp_path: Path) -> Iterator[Served]:
    every.write(tmp_path)
    with every.served(tmp_path) as (served, _):
        yield served


@pytest.mark.timeout(240)  # many starts of the program, on a machine that may be busy
def test_stopped_at_random_moments_nothing_is_lost_or_done_twice(
    models: Served, tmp_path: Path, rng: random.Random
) -> None:
    """Nothing is cut off either: every attempt ends before its program does, so none is ever lost."""
    arguments = ["run", "every.yaml", "--trust", "--json"]
    codes: list[int] = []
    stops = 0
    while True:
        with running(*arguments, cwd=tmp_path) as life:
            if stops < STOPS:
                stops += 1
                number = rng.choice([signal.SIGINT, signal.SIGTERM])
                _first_line(life)
                moment = time.monotonic() + rng.uniform(0, LATEST_S)
                while life.process.poll() is None and (left := moment - time.monotonic()) > 0:
                    _wait(life.process, left)
                life.signal(number)
            code = life.end(DRAIN_S + SLACK_S)
        codes.append(code)
        assert code in {0, 5, 130}, life.err.text
        assert gone([effect.pid for effect in every.effects(tmp_path)], seconds=2) == []
        arguments = ["resume", "last", "--json"]
        summary = json.loads(life.out.lines[-1]).get("summary")
        if summary is None or (code == 130 and summary["run"]["status"] != "interrupted"):
            assert code == 130  # the run was at rest, and that was being told
            continue
        if code == 0:
            break
        if code == 130:
            assert f"to go on: aethermind resume {summary['run']['id']}" in life.err.text
        if code == 5:
            (waiting,) = summary["run"]["waiting_for"]
            assert waiting["about"] == "ask"  # nothing is ever in doubt
            arguments = ["approve", "last", waiting["step"], "--json"]
    assert every.wrong(summary, tmp_path, models.asked) == []
    ends = [a["status"] for step in summary["steps"] for a in step["attempts"]]
    assert "lost" not in ends, (codes, ends)


def _first_line(life: Running) -> None:
    until(lambda: life.out.lines or life.process.poll() is not None)


def _wait(process: subprocess.Popen[str], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return


STUBBORN = """\
name: stubborn
steps:
  - {id: first, run: [sh, -c, "echo one"]}
  - id: deaf
    depends_on: [first]
    run: [sh, -c, "trap '' TERM INT HUP; echo $$ >> pids; while :; do sleep 60; done"]
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_stops_at_once(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "stubborn.yaml").write_text(STUBBORN)
    with running("run", "stubborn.yaml", "--trust", cwd=tmp_path) as started:
        pids = until(lambda: lines(tmp_path / "pids"))
        started.signal(number)
        started.err.until("stopping")
        before = time.monotonic()
        started.signal(number)
        assert started.end() == 130
        assert time.monotonic() - before < DRAIN_S / 2
        assert gone(map(int, pids), seconds=2) == []
    shown = json.loads(aethermind("show", "last", "--json").stdout)
    assert shown["run"]["status"] == "interrupted"
    assert [step["status"] for step in shown["steps"]] == ["succeeded", "running"]


def test_what_does_not_end_is_waited_for_ten_seconds(tmp_path: Path) -> None:
    (tmp_path / "stubborn.yaml").write_text(STUBBORN.replace("TERM ", ""))
    with running("run", "stubborn.yaml", "--trust", cwd=tmp_path) as started:
        pids = until(lambda: lines(tmp_path / "pids"))
        before = time.monotonic()
        started.signal(signal.SIGINT)
        assert started.end() == 130
        assert DRAIN_S - 0.5 < time.monotonic() - before < DRAIN_S + 4
        assert gone(map(int, pids), seconds=2) == []
    done = aethermind("resume", "last", cwd=tmp_path)
    assert done.returncode == 5  # nobody saw how the command ended: somebody decides
    assert "choice=retry" in done.stderr
