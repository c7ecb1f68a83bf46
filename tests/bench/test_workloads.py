from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from bench.engine import limit
from bench.engine.limit import STEPS, WORKLOADS, Writer, drive


def test_the_workloads_are_as_described() -> None:
    assert STEPS == {"first": 1, "W1": 1_000, "W2": 1_002, "W3": 1_000, "W4": 1_000}
    assert len(WORKLOADS["W2"][0]["last"]) == 1_000
    assert WORKLOADS["W4"][2] == 0.05


@pytest.mark.parametrize("full", [False, True])
async def test_the_limit_keeps_every_result_of_every_step(tmp_path: Path, full: bool) -> None:
    watch = await limit.run("W3", str(tmp_path / "limit.db"), full)
    assert watch.seconds > 0
    db = sqlite3.connect(tmp_path / "limit.db")
    try:
        found = db.execute("SELECT run, count(*) FROM results WHERE step <> '' GROUP BY run").fetchall()
    finally:
        db.close()
    assert len(found) == 200
    assert {count for _, count in found} == {5}


async def test_no_step_of_the_limit_starts_before_the_results_it_waits_for_are_on_disk(
    tmp_path: Path,
) -> None:
    path = tmp_path / "limit.db"
    writer = Writer(str(path), full=False)
    seen: list[tuple[set[str], set[str]]] = []

    async def step(given: object) -> object:
        assert isinstance(given, dict)
        db = sqlite3.connect(path)
        try:
            seen.append((set(given), {row[0] for row in db.execute("SELECT step FROM results")}))
        finally:
            db.close()
        return given

    await writer.put(("other", "", b"{}"))
    await asyncio.wait_for(drive("r", limit.DIAMOND, step, writer), 10)
    await writer.close()
    assert [needs for needs, _ in seen][-2:] == [{"b", "c"}, {"d"}]
    assert all(needs <= on_disk for needs, on_disk in seen)
