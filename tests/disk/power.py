"""A loss of power, simulated: what a disk may hold afterwards, and what the store makes of it.

Of what was synced before the cut, everything is there. Of what was written since, each write is there, or
not, or torn at the borders of its sectors, in any combination: that is all a disk that honours a sync owes.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from aethermind.domain import events as e
from aethermind.domain.errors import AethermindError
from aethermind.domain.events import Recorded
from aethermind.engine.queries import Partial
from aethermind.infra.stores import writer
from aethermind.infra.stores.database import Durability
from aethermind.infra.stores.sqlite import SqliteStore
from tests.disk.connection import connection
from tests.disk.vfs import Delete, Disk, Mark, Op, Sync, Truncate, Write
from tests.infra.stores.histories import answered, call, created, log, on, started, succeeded, system

FILE = "x.db"
SECTOR = 512
RUNS = 5
ROUNDS = 40


@dataclass
class Recording:
    """One workload as the disk saw it."""

    journal: list[Op]
    events: dict[int, Recorded] = field(default_factory=dict)
    """By seq, all that was acknowledged in the end."""
    appends: list[list[int]] = field(default_factory=list)
    """The seqs of each append."""


async def record(directory: Path, durability: Durability) -> Recording:
    """Several runs, commits of one and of many appends, texts of calls, checkpoints in between, the WAL used
    again from its start, and the store closed and opened in the middle."""
    disk = Disk()
    path = directory / FILE
    found = Recording(disk.journal)
    with mock.patch.object(writer, "WAL_BOUND", 150_000):
        for part in range(2):
            store = SqliteStore(path, connection=connection(disk, path, durability))
            await store.start()
            for n in range(part * ROUNDS, (part + 1) * ROUNDS):
                batch = [store.append(drafts, {}) for drafts in _appends(n)]
                texts = Partial(run_id="r0", step="a", attempt=1, call=1, text=f"so far {n}", reasoning="")
                await store.save_partials([texts])
                for recorded in await asyncio.gather(*batch):
                    found.events |= {r.seq: r for r in recorded}
                    found.appends.append([r.seq for r in recorded])
            await store.close()
    return found


def _appends(n: int) -> Iterator[list[e.Draft]]:
    for run in range(RUNS):
        name = f"r{run}"
        if n == 0:
            yield on(name, created(), started(agent="writer"))
        elif n % 3 == run % 3:
            calls = (call(n=n), answered(n=n), log(f"call {n}"))
            yield on(
                name, *calls, succeeded(attempt=n, output="x" * (n * 97 % 6_000)), started(attempt=n + 1)
            )
    if n % 10 == 5:
        yield [*system(e.TrustGranted(path="/p", sha256=str(n))), *on("r0", log("trusted"))]


class Disaster:
    """Plays a journal forward; at any point, what a loss of power there may leave of the files."""

    def __init__(self, journal: Sequence[Op]) -> None:
        self._journal = journal
        self._at = 0
        self.acknowledged = 0
        self._synced: dict[str, bytearray] = {}
        self._pending: defaultdict[str, list[Write | Truncate]] = defaultdict(list)
        self._ghosts: dict[str, bytearray] = {}
        """Deleted files whose directory was not synced since."""

    def advance(self, to: int) -> None:
        for op in self._journal[self._at : to]:
            self._play(op)
        self._at = to

    def _play(self, op: Op) -> None:
        match op:
            case Mark(seq=seq):
                self.acknowledged = seq
            case Write(file=file) | Truncate(file=file):
                self._pending[file].append(op)
            case Sync(file=file):
                if file not in self._synced:
                    self._synced[file] = bytearray()
                    self._ghosts.clear()  # a new file's first sync syncs its directory, too
                for change in self._pending.pop(file, ()):
                    _apply(self._synced[file], change)
            case Delete(file=file, synced=synced):
                before = self._synced.pop(file, None)
                self._pending.pop(file, None)
                if before is not None and not synced:
                    self._ghosts[file] = before

    def strike(self, chance: random.Random) -> dict[str, bytes]:
        """The files after a loss of power now."""
        kept = chance.choice([0.0, 0.2, 0.5, 0.8, 1.0])
        left: dict[str, bytes] = {}
        for file in sorted({*self._synced, *self._pending, *self._ghosts}):
            content = bytearray(self._synced.get(file, b""))
            if file not in self._synced:
                if chance.random() >= kept:
                    if file in self._ghosts:
                        left[file] = bytes(self._ghosts[file])
                    continue
                if file not in self._pending:
                    continue
            for change in self._pending.get(file, ()):
                dice = chance.random()
                if dice < kept * 0.8:
                    _apply(content, change)
                elif dice < kept and isinstance(change, Write):
                    for part in _sectors(change):
                        if chance.random() < 0.5:
                            _apply(content, part)
            left[file] = bytes(content)
        return left


def _apply(content: bytearray, change: Write | Truncate) -> None:
    if isinstance(change, Truncate):
        del content[change.size :]
        content.extend(bytes(change.size - len(content)))
        return
    content.extend(bytes(max(change.offset - len(content), 0)))
    content[change.offset : change.offset + len(change.data)] = change.data


def _sectors(write: Write) -> Iterator[Write]:
    """The write, cut where the disk's sectors end."""
    offset, end = write.offset, write.offset + len(write.data)
    while offset < end:
        border = min((offset // SECTOR + 1) * SECTOR, end)
        yield Write(write.file, offset, write.data[offset - write.offset : border - write.offset])
        offset = border


@dataclass
class Finding:
    seed: int
    cut: int
    acknowledged: int
    lost: int = 0
    """Acknowledged records that are not there, or not as they were."""
    wrong: str = ""
    """What else is not as it must be."""


async def strike(recording: Recording, seeds: Iterable[int], directory: Path) -> list[Finding]:
    """For each seed a loss of power somewhere, and what the ordinary store finds afterwards."""
    size = len(recording.journal)
    cuts = sorted((random.Random(seed).randrange(1, size + 1), seed) for seed in seeds)
    disaster = Disaster(recording.journal)
    findings = []
    for cut, seed in cuts:
        disaster.advance(cut)
        finding = Finding(seed, cut, disaster.acknowledged)
        for file in directory.iterdir():
            file.unlink()
        for name, content in disaster.strike(random.Random(~seed)).items():
            (directory / name).write_bytes(content)
        await _look(recording, directory / FILE, finding)
        findings.append(finding)
    return findings


async def _look(recording: Recording, path: Path, finding: Finding) -> None:
    store = SqliteStore(path, durability="process")
    try:
        await store.start()
    except AethermindError as error:
        finding.lost = finding.acknowledged
        finding.wrong = error.line()
        return
    try:
        health = await store._task(lambda db: db.execute("PRAGMA integrity_check").fetchone()[0])
        there = await store.read_all(0, limit=len(recording.events) + 1)
        hashes = await store.projection_hashes()
        await store.rebuild()
        again = await store.projection_hashes()
    finally:
        await store.close()
    seqs = {r.seq for r in there}
    finding.lost = sum(
        seq <= finding.acknowledged and seq not in seqs for seq in range(1, finding.acknowledged + 1)
    )
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for r in there:
        if r.version:
            versions[r.stream].append(r.version)
    if health != "ok":
        finding.wrong = f"integrity: {health}"
    elif any(recording.events.get(r.seq) != r for r in there):
        finding.wrong = "a record that was never appended so"
    elif any(0 < len(seqs.intersection(group)) < len(group) for group in recording.appends):
        finding.wrong = "half an append"
    elif any(found != list(range(1, len(found) + 1)) for found in versions.values()):
        finding.wrong = "a gap in the versions of a stream"
    elif hashes != again:
        finding.wrong = "projections that do not follow from the log"
