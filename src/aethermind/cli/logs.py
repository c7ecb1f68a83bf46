"""`aethermind logs`."""

from __future__ import annotations

import time
from functools import partial

import click
import msgspec

from aethermind.cli import streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page, row_object
from aethermind.cli.session import compose, engine_of
from aethermind.domain.events import LogLevel
from aethermind.engine.client import Client
from aethermind.engine.hosting import EngineThread
from aethermind.engine.queries import LogFilter, LogRow, Page, RunFilter
from aethermind.infra.sanitize import clean_line

LEVELS: tuple[LogLevel, ...] = ("debug", "info", "warning", "error")
PAGE = 500
AGAIN_S = 0.3
"""How often `-f` looks for more: another process may be the one that writes."""
MOVING = frozenset({"queued", "running", "stopping"})


@verb("logs")
@click.argument("run")
@click.option("-f", "--follow", is_flag=True, help="Go on printing until the run ends or stops.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="This level and above.")
@click.option("--step", metavar="STEP", help="Only this step (its path, as in `show`).")
@click.option("--agent", metavar="NAME", help="Only this agent.")
@click.option("--grep", "pattern", metavar="TEXT", help="Only messages that contain this text.")
@click.option("--limit", type=click.IntRange(1, 10_000), help="At most so many lines.")
@click.option("--cursor", metavar="CURSOR", help="Where the last page ended.")
@as_json
@click.pass_obj
def command(
    given: Given,
    run: str,
    follow: bool,
    level: LogLevel,
    step: str | None,
    agent: str | None,
    pattern: str | None,
    limit: int | None,
    cursor: str | None,
    as_json: bool,
) -> int:
    """Print the log of RUN, oldest first."""
    with engine_of(compose(given), look=True) as engine:
        run_id = engine.call(lambda client: client.find_run(run)).result()
        where = LogFilter(run_id=run_id, min_level=level, step=step, agent=agent, text=pattern)
        if follow:
            _follow(engine, where, as_json=as_json)
        elif as_json:
            page = engine.call(lambda client: client.logs(where, limit=limit or PAGE, cursor=cursor)).result()
            print_page(map(row_object, page.items), page.next)
        else:
            _print(engine, where, limit=limit, cursor=cursor)
    return 0


def _print(
    engine: EngineThread,
    where: LogFilter,
    *,
    limit: int | None = None,
    cursor: str | None = None,
    as_json: bool = False,
) -> int:
    """Print all pages; returns the seq of the last line."""
    last = where.after_seq
    while True:
        page = engine.call(
            partial(_page, where=where, limit=min(PAGE, limit or PAGE), cursor=cursor)
        ).result()
        for row in page.items:
            streams.say(text.json_line(row_object(row)) if as_json else _line(row))
            last = row.seq
        if limit is not None:
            limit -= len(page.items)
        if page.next is None or limit == 0:
            return last
        cursor = page.next


async def _page(client: Client, *, where: LogFilter, limit: int, cursor: str | None) -> Page[LogRow]:
    return await client.logs(where, limit=limit, cursor=cursor)


def _follow(engine: EngineThread, where: LogFilter, *, as_json: bool) -> None:
    mine = RunFilter(id_prefix=where.run_id)
    while True:
        # Asked before reading: what was written up to the end is then read for certain.
        found = engine.call(lambda client: client.runs(mine, limit=1)).result()
        moving = bool(found.items) and found.items[0].status in MOVING
        last = _print(engine, where, as_json=as_json)
        streams.OUT.flush()
        if not moving:
            return
        where = msgspec.structs.replace(where, after_seq=last)
        time.sleep(AGAIN_S)


def _line(row: LogRow) -> str:
    level = row.level.upper().ljust(7)
    who = row.step or row.agent or ""
    status = {"error": "failed", "warning": "retry_wait"}.get(row.level, "")
    return (
        f"{text.clock(row.at)} {text.paint(level, status, streams.OUT)} "
        f"{clean_line(who).ljust(16)} {clean_line(row.message)}"
    ).rstrip()
