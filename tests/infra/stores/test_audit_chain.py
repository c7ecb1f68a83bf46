"""The audit log of a file that somebody has worked on."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from aethermind.domain import events as e
from aethermind.infra.stores import flush
from aethermind.infra.stores.access_on_disk import verify
from aethermind.infra.stores.database import connect, migrations, split
from aethermind.infra.stores.inspection import check
from aethermind.infra.stores.sqlite import open_store
from aethermind.infra.stores.upkeep import Upkeep
from tests.infra.stores.histories import DAY, T0, created, log, on, started, succeeded, system

OVER = e.RunSucceeded(outputs={})


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """Five acts; the first is of a run that ended long ago."""
    tmp_path.chmod(0o700)
    path = tmp_path / "x.db"
    store = await open_store(path)
    await store.append(on("old", created(), started(), log(), succeeded(), OVER), {"run/old": 0})
    await store.append(on("new", created(), e.RunPaused(by="ana"), at=T0 + 5 * DAY), {"run/new": 0})
    await store.append(system(e.TokenRevoked(id="a", by="ben"), e.TokenRevoked(id="b", by="ben")), {})
    await store.close()
    return path


def meddle(path: Path, *statements: str) -> None:
    """As somebody would who can write to the file and knows of the triggers."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        for trigger in ("audit_stays", "audit_is_final"):
            db.execute(f"DROP TRIGGER {trigger}")
        for statement in statements:
            db.execute(statement)
        db.commit()


def test_what_nobody_touched_is_good(database: Path) -> None:
    verdict = verify(database, None)
    assert (verdict.ok, verdict.checked, verdict.first_bad, verdict.problem) == (True, 5, None, "")
    assert check(database).problems == []


@pytest.mark.parametrize(
    "statement, row, told",
    [
        ("UPDATE audit SET who = 'eve' WHERE n = 3", 3, "row 3 was changed"),
        ("UPDATE audit SET at = at + 1 WHERE n = 1", 1, "row 1 was changed"),
        ("UPDATE audit SET hash = 'x' WHERE n = 5", 5, "row 5 was changed"),
        ("DELETE FROM audit WHERE n = 2", 2, "row 2 is missing"),
        ("DELETE FROM audit WHERE n = 1", 1, "row 1 is missing"),
        ("DELETE FROM audit WHERE n = 5", 5, "tokens revoke b (event 9) has no row"),
        ("DELETE FROM audit", 1, "run old (event 1) has no row"),
        (
            """UPDATE events SET data = '{"by":"eve"}' WHERE type = 'RunPaused'""",
            3,
            "event 7, which was changed",
        ),
        ("UPDATE meta SET value = 100 WHERE key = 'audit_from'", 1, "event 1, which is not after"),
    ],
)
def test_what_was_changed_is_named(database: Path, statement: str, row: int, told: str) -> None:
    meddle(database, statement)
    verdict = verify(database, None)
    assert (verdict.ok, verdict.first_bad) == (False, row)
    assert told in verdict.problem
    problems = [found for found in check(database).problems if found.check == "audit"]
    assert [told in found.problem for found in problems] == [True]


def test_an_act_that_was_put_in_between_is_named(database: Path) -> None:
    meddle(
        database,
        "INSERT INTO events SELECT 100, stream, 100, at, type, v, data FROM events WHERE type = 'RunPaused'",
    )
    verdict = verify(database, None)
    assert (verdict.ok, verdict.first_bad, verdict.problem) == (False, 6, "pause new (event 100) has no row")


def test_a_chain_that_was_made_anew_is_told_by_the_hash_that_was_noted(database: Path) -> None:
    noted = verify(database, None).head
    meddle(database, "DELETE FROM audit WHERE n > 3", "DELETE FROM events WHERE seq > 7")
    assert verify(database, None).ok, "what is left fits together"
    assert not verify(database, noted).ok


@pytest.mark.parametrize("statement", ["DELETE FROM audit", "UPDATE audit SET who = 'eve'"])
def test_rows_are_kept_from_accidents(database: Path, statement: str) -> None:
    with (
        contextlib.closing(sqlite3.connect(database)) as db,
        pytest.raises(sqlite3.IntegrityError, match="rows of the audit log"),
    ):
        db.execute(statement)


async def test_acts_of_runs_that_were_pruned_stay(database: Path) -> None:
    Upkeep(database).prune(T0 + DAY, by="ana via ssh")
    verdict = verify(database, None)
    assert (verdict.ok, verdict.checked) == (True, 6)
    store = await open_store(database)
    newest, *_, oldest = (await store.audit()).items
    assert (newest.act, newest.who, newest.origin, newest.detail) == (
        "db prune",
        "ana",
        "ssh",
        "1 run, 4 events",
    )
    assert (oldest.n, oldest.act, oldest.target) == (1, "run", "old")
    assert await store.read_all(0, stream="run/old") == []
    await store.close()
    assert not any(table.changed for table in Upkeep(database).rebuild())
    assert verify(database, verdict.head).ok


def older(path: Path, schema: int, fill: Callable[[sqlite3.Connection], None]) -> None:
    """A database as a version made it that knew migrations up to this one."""
    with contextlib.closing(connect(path, "power")) as db:  # the file, and what is its own about it
        db.execute("PRAGMA journal_mode = DELETE")
    path.unlink()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        for number, file in migrations():
            if number <= schema:
                for statement in split(file.read_text(encoding="utf-8")):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {number}")
        db.execute(f"PRAGMA application_id = {0x41455448}")
        fill(db)


async def test_acts_from_before_there_was_an_audit_log_need_no_row(tmp_path: Path) -> None:
    def fill(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO streams VALUES (1, 'system')")
        data = """{"path":"/p","sha256":null}"""
        db.execute("INSERT INTO events VALUES (1, 1, 1, 5, 'TrustGranted', 1, ?)", (data,))
        agent = """{"name":"w","definition":{"name":"w","models":["fast"]}}"""
        db.execute("INSERT INTO events VALUES (2, 1, 2, 6, 'AgentRegistered', 1, ?)", (agent,))
        db.execute("UPDATE meta SET value = 6 WHERE key = 'projection'")

    path = tmp_path / "x.db"
    older(path, 5, fill)
    store = await open_store(path)
    assert (await store.verify_audit()).ok
    assert await store.trusted("/p", None), "the tables were made anew"
    assert (await store.registered_agent("w")) is not None
    await store.append(system(e.TokenRevoked(id="a", by="ana")), {})
    (row,) = (await store.audit()).items
    assert (row.n, row.seq) == (1, 3)
    assert (await store.verify_audit()).ok
    await store.close()


async def test_a_batch_that_is_replayed_leaves_one_row_for_each_act(tmp_path: Path) -> None:
    """Somebody else's write makes the writer look again before it commits."""
    path = tmp_path / "x.db"
    store = await open_store(path)
    await store.append(system(e.TokenRevoked(id="a")), {})
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("INSERT INTO partials VALUES ('r', 's', 1, 1, '', '')")
        other.commit()
    await store.append(system(e.TokenRevoked(id="b")), {})
    assert [(row.n, row.target) for row in (await store.audit()).items] == [(2, "b"), (1, "a")]
    assert (await store.verify_audit()).ok
    await store.close()


def test_the_number_of_the_projection_was_raised() -> None:
    assert flush.PROJECTION >= 7, "rows of agents and workflows have a new column"
