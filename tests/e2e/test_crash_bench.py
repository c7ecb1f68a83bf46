"""The crash bench, in small: each failpoint can be reached, and kills at some of them do no harm."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from aethermind import bootstrap, failpoints
from aethermind.bootstrap import Options
from aethermind.infra.stores import writer
from bench.crash import checks, host, upkeep, workload
from bench.crash.lives import Ack
from bench.crash.rounds import Rounds, crash_host
from tests.e2e import every
from tests.servers.http import in_thread

KILLS = 8


def test_every_failpoint_is_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: set[str] = set()
    monkeypatch.setattr(failpoints, "armed", "all of them")
    monkeypatch.setattr(failpoints, "reached", seen.add)
    monkeypatch.setattr(writer, "WAL_BOUND", host.SMALL_WAL)
    workload.write(tmp_path)
    with in_thread(every.Served()) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        composition = bootstrap.load(Options(home=tmp_path / "home", config=tmp_path / "config.toml"))
        asyncio.run(host.leave_in_the_middle(tmp_path, composition))
        asyncio.run(host.live(tmp_path, composition, None))
    _the_judge_sees(tmp_path)
    upkeep.export(tmp_path)
    other = bootstrap.load(Options(home=tmp_path / "other", config=tmp_path / "config.toml"))
    host.upkeep("import", tmp_path, other)
    host.upkeep("rebuild", tmp_path, composition)
    host.upkeep("prune", tmp_path, composition)
    assert set(failpoints.NAMES) - seen == set()
    assert "over" in capfd.readouterr().out


def _the_judge_sees(directory: Path) -> None:
    """What went well is well; and what would be wrong is found."""
    database = directory / "home" / "aethermind.db"
    verdict = checks.judge(database, directory, [], [])
    assert (verdict.problems, verdict.unacknowledged, verdict.after_completion) == ([], [], 0)
    assert verdict.steps > 50
    invented = Ack(10**9, "AttemptSucceeded", "run/r_1", "a")
    ledger = directory / "every-1" / "ledger"
    kept = ledger.read_text()
    ledger.write_text(kept + f"{time.time_ns()} built 1\n" * 20)  # more than it had attempts
    verdict = checks.judge(database, directory, [invented], ["text1"] * 1_000)
    ledger.write_text(kept)
    assert (verdict.unacknowledged, verdict.after_completion) == ([10**9], 1)
    intent, late, sent = verdict.problems
    assert "not all with a recorded intent" in intent
    assert "after its recorded completion" in late
    assert sent.startswith("1000 requests arrived")


@pytest.mark.timeout(240)  # many starts of the program, on a machine that may be busy
def test_kills_do_no_harm(seed: int) -> None:
    with crash_host() as (lives, served):
        report = Rounds(lives, served, rounds=KILLS, seed=seed).run()
    assert report.kills == KILLS
    assert not report.failed, report.text()
    assert report.acknowledged > 0
