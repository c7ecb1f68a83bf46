"""Kills in the middle of upkeep: what it works on is as before, or as it should be, and never in between."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

from aethermind import bootstrap
from aethermind.bootstrap import Options
from aethermind.infra.stores import flush
from aethermind.infra.stores.database import connect_reader
from aethermind.infra.stores.inspection import check
from bench.crash.lives import Host

UPKEEP = frozenset({"rebuild", "prune", "import"})
OTHER = "imported"
"""The home of another database, into which a run is imported."""


def upkeep_round(host: Host, directory: Path, name: str) -> list[str]:
    """Kill it there, look, do it again to its end, look; what was wrong."""
    home = OTHER if name == "import" else "home"
    database = directory / home / "aethermind.db"
    if name == "import":
        export(directory)
    before = _picture(database)
    killed = host.live(directory, do=name, failpoint=name, home=home)
    problems = [] if killed.code == -9 else [f"{name}: it was not reached ({killed.code})"]
    problems += _compare(name, before, _picture(database))
    done = host.live(directory, do=name, home=home)
    if done.code != 0:
        problems.append(f"{name}: it cannot be done after a crash ({done.code})")
    after = _picture(database)
    match name:
        case "rebuild":
            problems += _compare(name, before, after)
        case "prune":
            problems += [] if after["runs"] == "0" else [f"prune: {after['runs']} runs are left"]
        case _:
            problems += [] if after["runs"] == "1" else [f"import: {after['runs']} runs are there"]
    return problems + [f"{name}: {p.check}: {p.problem}" for p in check(database).problems]


def export(directory: Path) -> None:
    composition = bootstrap.load(Options(home=directory / "home", config=directory / "config.toml"))
    with closing(connect_reader(composition.database)) as db:
        (run_id,) = db.execute("SELECT id FROM runs ORDER BY seq LIMIT 1").fetchone()
    _, lines = asyncio.run(bootstrap.exchange(composition).export(run_id, version="0"))
    (directory / "bundle.jsonl").write_bytes(b"".join(line.rstrip(b"\n") + b"\n" for line in lines))


def _picture(database: Path) -> dict[str, str]:
    """Hashes of all projections, and how much there is; empty without a database."""
    if not database.exists():
        return {}
    with closing(connect_reader(database)) as db:
        counts = {
            table: str(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  # our names
            for table in ("events", "logs", "runs")
        }
        return counts | {f"hash of {table}": found for table, found in flush.hashes(db).items()}


def _compare(name: str, before: dict[str, str], after: dict[str, str]) -> list[str]:
    if not before:  # there was no database: now there is an empty one
        return [
            f"{name}: {n} is {after[n]} after a kill" for n in ("events", "runs") if after.get(n, "0") != "0"
        ]
    return [f"{name}: {n} was {before[n]}, is {after.get(n)}" for n in before if before[n] != after.get(n)]
