"""Check, rebuild, backup and prune, on real files, with and without an engine beside them."""

from __future__ import annotations

import contextlib
import sqlite3
import stat
from pathlib import Path

import pytest

from aethermind.domain import events as e
from aethermind.domain.errors import BusyError, InvalidError, NotFoundError, StoreError
from aethermind.engine.queries import CostFilter, LogFilter, RunFilter
from aethermind.infra.stores import flush, inspection
from aethermind.infra.stores.inspection import check
from aethermind.infra.stores.lease import Lease
from aethermind.infra.stores.upkeep import Upkeep
from tests.infra.stores.files import OVER, costs, opened
from tests.infra.stores.histories import (
    DAY,
    T0,
    answered,
    call,
    created,
    error,
    log,
    on,
    refused,
    started,
    succeeded,
    system,
)


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """Three runs: one that ended on the first day, one ten days later, one that is still open."""
    tmp_path.chmod(0o700)
    path = tmp_path / "x.db"
    store = await opened(path)
    answer = answered(cost=100, saved=40)
    first = (created(), started(agent="writer"), call(), log("first"), answer, succeeded(), OVER)
    await store.append(on("old", *first), {"run/old": 0})
    await store.append(system(e.AgentRegistered(name="writer", definition={"models": ["smart"]})), {})
    later = (
        created("other"),
        started(agent="critic"),
        call(agent="critic", model="openai:small"),
        refused(),
        call(n=2, agent="critic"),
        answered(n=2, cost=None),
        succeeded(),
        OVER,
    )
    await store.append(on("new", *later, at=T0 + 10 * DAY), {"run/new": 0})
    await store.append(on("open", created(), log("waits"), started(agent="critic"), call()), {"run/open": 0})
    await store.close()
    return path


def damage(path: Path, sql: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute(sql)
        db.commit()


def told(path: Path) -> list[tuple[str, str | None]]:
    return [(problem.check, problem.repair) for problem in check(path).problems]


def hashes(path: Path) -> dict[str, str]:
    with contextlib.closing(sqlite3.connect(path)) as db:
        return flush.hashes(db)


# --- check -------------------------------------------------------------------------------------


def test_a_sound_database_has_no_problems(database: Path) -> None:
    before = hashes(database)
    health = check(database)
    assert health.problems == []
    assert health.facts["runs"] == 3
    assert health.facts["events"] == 6 + 1 + 8 + 3
    assert health.facts["logs"] == 2
    assert health.facts["last_seq"] == 20
    assert health.facts["engine"] is None
    assert hashes(database) == before
    assert not list(database.parent.glob(".check-*")), "the copy is gone"


async def test_it_can_be_checked_while_an_engine_owns_it(database: Path) -> None:
    store = await opened(database)
    lease = Lease.acquire(database.parent, "x.db.lease")
    await store.append(on("live", created(), started()), {"run/live": 0})
    health = check(database)
    await store.append(on("live", succeeded(), at=T0 + 9), {"run/live": 2})
    assert health.problems == []
    assert health.facts["runs"] == 4, "what is only in the WAL was seen"
    assert "pid" in health.facts["engine"]
    lease.release()
    await store.close()


@pytest.mark.parametrize(
    "sql, finding",
    [
        ("UPDATE runs SET status = 'failed' WHERE id = 'old'", ("projections", "aethermind db rebuild")),
        (
            "UPDATE costs SET cost_micro_usd = 1",
            ("projections", "aethermind db rebuild"),
        ),
        ("DELETE FROM agents", ("projections", "aethermind db rebuild")),
        ("DELETE FROM events WHERE type = 'CallFinished'", ("streams", "restore a backup")),
        ("UPDATE events SET version = version + 100", ("streams", "restore a backup")),
        ("UPDATE logs SET seq = 1 WHERE seq = 4", ("streams", "restore a backup")),
        ("DELETE FROM streams WHERE name = 'run/new'", ("references", "restore a backup")),
        ("DELETE FROM runs WHERE id = 'new'", ("references", "aethermind db rebuild")),
        ("UPDATE events SET type = 'NeverHeardOf' WHERE seq = 3", ("projections", "restore a backup")),
        ("UPDATE events SET data = '{' WHERE seq = 3", ("projections", "restore a backup")),
        ("PRAGMA user_version = 99", ("database", "install the newer version")),
    ],
)
def test_what_is_wrong_is_found(database: Path, sql: str, finding: tuple[str, str]) -> None:
    damage(database, sql)
    assert finding in told(database)


def test_versions_out_of_order_are_found(database: Path) -> None:
    with contextlib.closing(sqlite3.connect(database)) as db:
        (stream,) = db.execute("SELECT id FROM streams WHERE name = 'run/old'").fetchone()
        for old, new in ((2, 99), (3, 2), (99, 3)):
            db.execute("UPDATE events SET version = ? WHERE version = ? AND stream = ?", (new, old, stream))
        db.commit()
    assert ("streams", "restore a backup") in told(database)


def test_damaged_pages_are_found(database: Path) -> None:
    with database.open("r+b") as file:  # nobody has it open
        file.seek(4096 + 2000)
        file.write(b"\xff" * 40_000)
    checks = {check for check, _ in told(database)}
    assert checks & {"pages", "database"}


def test_what_is_no_database_is_a_problem_and_none_is_not_found(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "x.db").write_text("just a text, but long enough to be looked at")
    (tmp_path / "x.db").chmod(0o600)
    (problem,) = check(tmp_path / "x.db").problems
    assert "is not an SQLite database" in problem.problem
    with pytest.raises(NotFoundError, match="there is no database"):
        check(tmp_path / "y.db")


def test_files_that_others_may_read_and_a_long_wal_are_found(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.chmod(0o644)
    database.parent.chmod(0o755)
    monkeypatch.setattr(inspection, "WAL_LIMIT", -1)
    problems = check(database).problems
    assert [problem.repair for problem in problems[:2]] == [
        f"chmod 700 {database.parent}",
        f"chmod 600 {database}",
    ]
    assert "write-ahead log" in problems[2].problem


# --- rebuild -----------------------------------------------------------------------------------


def test_a_rebuild_mends_what_was_wrong_and_says_so(database: Path) -> None:
    before = hashes(database)
    damage(database, "UPDATE runs SET status = 'failed' WHERE id = 'old'")
    rebuilt = Upkeep(database).rebuild()
    assert [table.table for table in rebuilt if table.changed] == ["runs"]
    assert {table.table: table.after for table in rebuilt} == before
    assert not any(table.changed for table in Upkeep(database).rebuild())
    assert check(database).problems == []


def test_what_can_not_be_read_stops_it_and_nothing_changes(database: Path) -> None:
    damage(database, "UPDATE events SET type = 'NeverHeardOf' WHERE seq = 3")
    before = hashes(database)
    with pytest.raises(StoreError, match="event 3 of run/old can't be read: unknown event type"):
        Upkeep(database).rebuild()
    assert hashes(database) == before


def test_nothing_is_written_while_an_engine_owns_it(database: Path) -> None:
    lease = Lease.acquire(database.parent, "x.db.lease")
    upkeep = Upkeep(database)
    for write in (upkeep.rebuild, lambda: upkeep.prune(0), lambda: upkeep.preview(0)):
        with pytest.raises(BusyError, match="the engine with pid") as caught:
            write()
        assert caught.value.hint == "end it first"
    lease.release()
    upkeep.rebuild()


async def test_ten_thousand_runs_are_rebuilt_to_the_same(tmp_path: Path) -> None:
    store = await opened(tmp_path / "x.db")
    for part in range(50):
        drafts: list[e.Draft] = []
        for number in range(200):
            cost = None if number % 7 == 0 else number
            ending = OVER if number % 5 else e.RunFailed(error=error())
            facts = (
                created("fw"[number % 2]),
                started(agent="wc"[number % 2]),
                call(),
                answered(cost=cost),
                ending,
            )
            drafts += on(f"r{part}_{number}", *facts, at=T0 + part * DAY)
        await store.append(drafts, {})
    await store.close()
    rebuilt = Upkeep(tmp_path / "x.db").rebuild()
    assert {table.table for table in rebuilt} >= {"runs", "attempts", "calls", "costs", "agents"}
    assert not any(table.changed for table in rebuilt)


# --- backup ------------------------------------------------------------------------------------


async def test_a_backup_is_the_database_of_one_moment(database: Path, tmp_path: Path) -> None:
    store = await opened(database)  # an engine that goes on writing
    await store.append(on("live", created(), log("in the WAL")), {"run/live": 0})
    target = tmp_path / "copies" / "b.db"
    target.parent.mkdir()
    copied = Upkeep(database).backup(target)
    expected, events = await store.projection_hashes(), await store.read_all(0)
    await store.append(on("live", started(), at=T0 + 5), {"run/live": 1})
    await store.close()
    assert copied.last_seq == 22
    assert copied.bytes == target.stat().st_size
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["b.db"], "one file, nothing beside it"
    restored = await opened(target)
    assert await restored.projection_hashes() == expected
    assert await restored.read_all(0) == events
    await restored.close()


def test_a_backup_never_replaces_anything_unasked(database: Path, tmp_path: Path) -> None:
    upkeep, target = Upkeep(database), tmp_path / "b.db"
    target.write_text("mine")
    with pytest.raises(InvalidError, match="exists already") as caught:
        upkeep.backup(target)
    assert caught.value.hint == "--force replaces it"
    assert target.read_text() == "mine"
    upkeep.backup(target, force=True)
    assert hashes(target) == hashes(database)
    assert {path.name for path in tmp_path.iterdir()} == {"x.db", "b.db"}, "no draft is left"


def test_a_backup_refuses_places_that_make_no_sense(database: Path, tmp_path: Path) -> None:
    upkeep = Upkeep(database)
    (tmp_path / "other-name.db").symlink_to(database)
    for target, told in (
        (database, "belongs to the database itself"),
        (tmp_path / "x.db-wal", "belongs to the database itself"),
        (tmp_path / "other-name.db", "belongs to the database itself"),
        (tmp_path, "is a directory"),
        (tmp_path / "nowhere" / "b.db", "there is no directory"),
    ):
        with pytest.raises(InvalidError, match=told):
            upkeep.backup(target, force=True)
    with pytest.raises(NotFoundError):
        Upkeep(tmp_path / "none.db").backup(tmp_path / "b.db")


def test_a_damaged_database_gives_no_backup_that_looks_sound(database: Path, tmp_path: Path) -> None:
    with database.open("r+b") as file:
        file.seek(4096 + 2000)
        file.write(b"\xff" * 40_000)
    with pytest.raises(StoreError, match="damaged"):
        Upkeep(database).backup(tmp_path / "b.db")
    assert not (tmp_path / "b.db").exists()


def test_where_no_links_are_known_a_backup_is_made_without(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, other: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    Upkeep(database).backup(tmp_path / "b.db")
    assert hashes(tmp_path / "b.db") == hashes(database)


# --- prune -------------------------------------------------------------------------------------


LEDGERS = [(scope, T0 // DAY + n) for scope in ("day", "day:sim") for n in (-1, 0, 1, 2)]


async def test_pruned_runs_are_gone_with_all_that_was_theirs_but_their_money(database: Path) -> None:
    store = await opened(database)
    spent = await costs(store)
    assert any(row.saved_micro_usd for row in await store.costs(CostFilter()))
    ledger = [await store.ledger(*key) for key in LEDGERS]
    assert any(row.spent for row in ledger)
    last = await store.last_seq()
    await store.close()
    upkeep = Upkeep(database)
    wanted = upkeep.preview(T0 + DAY)
    pruned = upkeep.prune(T0 + DAY, by="ana via ssh")
    assert [run.id for run in pruned.runs] == [run.id for run in wanted.runs] == ["old"]
    assert (pruned.events, pruned.logs, pruned.calls, pruned.unfinished) == (6, 1, 1, 1)
    assert (wanted.events, wanted.logs, wanted.calls, wanted.unfinished) == (6, 1, 1, 1)
    assert check(database).problems == []
    store = await opened(database)
    assert {row.id for row in (await store.runs(RunFilter())).items} == {"new", "open"}
    assert await store.read_all(0, stream="run/old") == []
    assert [row.message for row in (await store.logs(LogFilter())).items] == ["waits"]
    assert await costs(store) == spent
    assert [await store.ledger(*key) for key in LEDGERS] == ledger
    # Who removed them is recorded after all that there was.
    (told,) = await store.read_all(last)
    assert told.seq == last + 1
    assert told.event == e.DatabasePruned(before=T0 + DAY, runs=1, events=6, by="ana via ssh")
    assert {row.name: row.attempts for row in await store.agents()} == {"writer": 0, "critic": 2}
    # The id is free again, its seqs are not.
    again = await store.append(on("old", created()), {"run/old": 0})
    assert again[0].seq == last + 2
    await store.close()
    assert not any(table.changed for table in upkeep.rebuild())


async def test_the_newest_seq_is_not_given_again(database: Path) -> None:
    Upkeep(database).prune(T0 + DAY)
    store = await opened(database)
    await store.append(on("last", created(), OVER), {"run/last": 0})
    last = await store.last_seq()
    await store.close()
    Upkeep(database).prune(T0 + 1_000 * DAY)
    store = await opened(database)
    assert [(r.seq, r.type) for r in await store.read_all(last)] == [(last + 1, "DatabasePruned")]
    assert (await store.append(on("x", created()), {"run/x": 0}))[0].seq == last + 2
    await store.close()


def test_a_preview_and_a_prune_of_nothing_change_nothing(database: Path) -> None:
    before = hashes(database), database.stat().st_size
    upkeep = Upkeep(database)
    assert len(upkeep.preview(T0 + 1_000 * DAY).runs) == 2
    assert upkeep.prune(T0 - DAY).runs == []
    assert (hashes(database), database.stat().st_size) == before
