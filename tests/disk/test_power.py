"""Power may fail at any moment: with FULL nothing acknowledged is lost, and the same check can fail."""

from __future__ import annotations

from pathlib import Path

from tests.disk.power import Finding, record, strike
from tests.disk.vfs import Delete, Op, Sync, Write

SEEDS = 300


async def test_full_loses_nothing(tmp_path: Path, seed: int) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    recording = await record(tmp_path / "before", "power")
    check_that_it_is_worth_it(recording.journal)
    findings = await strike(recording, range(seed, seed + SEEDS), tmp_path / "after")
    assert len(findings) == SEEDS
    assert [f for f in findings if f.lost or f.wrong] == []
    assert sum(f.acknowledged for f in findings) > SEEDS * 10


async def test_normal_loses_and_the_check_sees_it(tmp_path: Path, seed: int) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    recording = await record(tmp_path / "before", "process")
    findings = await strike(recording, range(seed, seed + 60), tmp_path / "after")
    losses = [f for f in findings if f.lost]
    assert len(losses) >= 20
    assert all(not f.wrong for f in findings), "even so what is left is whole"


async def test_a_disk_that_lies_is_found_out(tmp_path: Path, seed: int) -> None:
    """The same workload where no sync of the WAL counts."""
    (tmp_path / "before").mkdir()
    (tmp_path / "after").mkdir()
    recording = await record(tmp_path / "before", "power")
    honest = len(recording.journal)
    recording.journal[:] = [
        op for op in recording.journal if not (isinstance(op, Sync) and op.file.endswith("-wal"))
    ]
    assert len(recording.journal) < honest
    findings: list[Finding] = await strike(recording, range(seed, seed + 40), tmp_path / "after")
    assert any(f.lost for f in findings)


def check_that_it_is_worth_it(journal: list[Op]) -> None:
    """The workload makes the disk do all it can do."""
    checkpoints = [op for op in journal if isinstance(op, Sync) and op.file == "x.db"]
    starts = [op for op in journal if isinstance(op, Write) and op.file == "x.db-wal" and op.offset == 0]
    assert len(checkpoints) >= 6, "checkpoints"
    assert len(starts) >= 4, "the WAL was used again from its start"
    assert any(isinstance(op, Delete) and op.file == "x.db-wal" for op in journal), "it was closed"
