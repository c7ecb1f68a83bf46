"""`aethermind db check | rebuild | backup | prune`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import msgspec

from aethermind import bootstrap
from aethermind.cli import streams, text
from aethermind.cli.asking import confirm
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.session import compose, user
from aethermind.cli.verbs import Verbs
from aethermind.definitions.units import duration_ms, format_duration
from aethermind.domain import views
from aethermind.domain.errors import DeniedError
from aethermind.infra.sanitize import clean_line

Json = Any

DEFAULT_AGE = "90d"
"""Finished runs older than that are pruned, unless another age is given."""
SHOWN = 10
"""Runs that are named before a question."""


@click.command(
    "db", cls=Verbs, epilog="Each takes --json. What changes the database needs it for itself alone."
)
def command() -> None:
    """Look after the database: is it sound, make its tables anew, copy it, remove what is old."""


@verb("check", short_help="Is it sound?")
@as_json
@click.pass_obj
def check(given: Given, as_json: bool) -> int:
    """Check the database, also beside a living engine: a line for each problem, and exit 1 if there is one.

    Pages and references are looked at, every stream is counted through, and every table is compared with what
    the log says.
    """
    health = bootstrap.upkeep(compose(given)).check()
    facts = health.facts
    if as_json:
        problems = msgspec.to_builtins(health.problems)
        streams.say(text.json_line({"ok": not problems, "problems": problems, "facts": facts}))
        return 1 if problems else 0
    for found in health.problems:
        repair = f" ({found.repair})" if found.repair else ""
        told = f"{found.check}: {clean_line(found.problem + repair)}"
        streams.say(text.marked("failed", told, streams.OUT))
    if not health.problems:
        size = _size(facts["bytes"] + facts["wal_bytes"])
        held = f"{text.many(facts['runs'], 'run')}, {_records(facts['events'], facts['logs'])}, {size}"
        told = f"{clean_line(facts['database'])}: {held}: no problems"
        streams.say(text.marked("succeeded", told, streams.OUT))
    return 1 if health.problems else 0


@verb("rebuild", short_help="Make its tables anew from the log.")
@as_json
@click.pass_obj
def rebuild(given: Given, as_json: bool) -> int:
    """Make every table anew from the log, and tell the hash of each before and after."""
    tables = bootstrap.upkeep(compose(given)).rebuild()
    if as_json:
        rows = [{**msgspec.to_builtins(table), "changed": table.changed} for table in tables]
        streams.say(text.json_line({"tables": rows}))
        return 0
    text.show_table(
        ["TABLE", "BEFORE", "AFTER", ""],
        [[t.table, t.before[:16], t.after[:16], "changed" if t.changed else "as it was"] for t in tables],
    )
    return 0


@verb("backup", short_help="Copy it into a file.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if there is one.")
@as_json
@click.pass_obj
def backup(given: Given, file: Path, force: bool, as_json: bool) -> int:
    """Copy the database into FILE, as of one moment, for you alone to read; works beside a living engine.

    To go back to it, end the engine and put the copy in the place of aethermind.db.
    """
    copied = bootstrap.upkeep(compose(given)).backup(file, force=force)
    if as_json:
        streams.say(text.json_line(msgspec.to_builtins(copied)))
        return 0
    streams.say(clean_line(str(file)))
    streams.note(f"{_size(copied.bytes)}, everything up to seq {copied.last_seq}")
    return 0


def _age(ctx: click.Context, param: click.Parameter, value: str) -> int:
    try:
        return duration_ms(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@verb("prune", short_help=f"Remove finished runs that are older than {DEFAULT_AGE}.")
@click.option(
    "--older-than",
    callback=_age,
    default=DEFAULT_AGE,
    show_default=True,
    metavar="AGE",
    help="Runs that finished longer ago: 30d, 12h.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would be removed, and remove nothing.")
@click.option("-y", "--yes", is_flag=True, help="Don't ask.")
@as_json
@click.pass_obj
def prune(given: Given, older_than: int, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Remove finished runs that are older than 90 days (or AGE), with their events, logs and calls.

    What they cost stays in the sums of `costs` by day, model, agent and workflow. Runs that have not finished
    stay. A number (seq) of what was removed is never given again.
    """
    upkeep = bootstrap.upkeep(compose(given))
    before = int(time.time() * 1000) - older_than
    found = upkeep.preview(before)
    if dry_run or not found.runs:
        _tell(found, older_than, as_json=as_json, done=False)
        return 0
    if not yes:
        what = _what(found, older_than)
        if not streams.can_ask():
            raise DeniedError(f"not removed without a word: {what}", hint="--yes, or --dry-run to look")
        for run in found.runs[:SHOWN]:
            streams.note(f"  {run.id}  {text.moment(run.finished_at)}  {clean_line(run.workflow)}")
        if len(found.runs) > SHOWN:
            streams.note(f"  … and {len(found.runs) - SHOWN} more")
        if not confirm(f"Remove {what}?"):
            raise DeniedError("nothing was removed")
    _tell(upkeep.prune(before, by=user()), older_than, as_json=as_json, done=True)
    return 0


def _what(found: Any, older_than: int) -> str:
    age = f"finished more than {format_duration(older_than)} ago"
    held = f"{_records(found.events, found.logs)}, {text.many(found.calls, 'call')}"
    return f"{text.many(len(found.runs), 'run')} {age}: {held}"


def _tell(found: Any, older_than: int, *, as_json: bool, done: bool) -> None:
    if as_json:
        row: dict[str, Json] = msgspec.to_builtins(found)
        row["runs"] = [{**run, "finished_at": views.iso(run["finished_at"])} for run in row["runs"]]
        row |= {"before": views.iso(found.before), "older_than_ms": older_than, "removed": done}
        streams.say(text.json_line(row))
        return
    if not found.runs:
        streams.note(f"no run finished more than {format_duration(older_than)} ago")
        return
    freed = f", {_size(found.freed_bytes)} freed" if done else ""
    streams.say(f"{'removed' if done else 'would remove'} {_what(found, older_than)}{freed}")
    if found.unfinished:
        streams.note(f"{text.many(found.unfinished, 'run')} as old, but not finished: kept")
    if found.note:
        streams.note(found.note)


def _records(events: int, logs: int) -> str:
    return f"{text.many(events, 'event')}, {text.many(logs, 'log record')}"


def _size(count: int) -> str:
    """Bytes as people read them."""
    if count < 1 << 20:
        return f"{count / (1 << 10):.1f} KiB"
    return f"{count / (1 << 20):.1f} MiB"


for _each in (check, rebuild, backup, prune):
    command.add_command(_each)
