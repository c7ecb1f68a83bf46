"""The crash bench, in small: each failpoint can be reached, and kills at some of them do no harm."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from aethermind import bootstrap, failpoints
from aethermind.bootstrap import Options
from aethermind.infra.stores import writer
from bench.crash import host, upkeep, workload
from bench.crash.rounds import Rounds, crash_host
from tests.e2e import every
from tests.servers.http import in_thread

KILLS = 8
CUT_S = 0.4
"""The first life leaves after so long, with attempts under way: the second finds them lost."""


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
        asyncio.run(host.live(tmp_path, composition, CUT_S))
        asyncio.run(host.live(tmp_path, composition, None))
    upkeep.export(tmp_path)
    other = bootstrap.load(Options(home=tmp_path / "other", config=tmp_path / "config.toml"))
    host.upkeep("import", tmp_path, other)
    host.upkeep("rebuild", tmp_path, composition)
    host.upkeep("prune", tmp_path, composition)
    assert set(failpoints.NAMES) - seen == set()
    assert "over" in capfd.readouterr().out


@pytest.mark.timeout(240)  # many starts of the program, on a machine that may be busy
def test_kills_do_no_harm(seed: int) -> None:
    with crash_host() as (lives, served):
        report = Rounds(lives, served, rounds=KILLS, seed=seed).run()
    assert report.kills == KILLS
    assert not report.failed, report.text()
    assert report.acknowledged > 0
