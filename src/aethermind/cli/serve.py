"""`aethermind serve`."""

from __future__ import annotations

import gc
import os
import signal
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from aethermind import bootstrap
from aethermind.api.settings import ServerSettings
from aethermind.cli import headless, owning, streams
from aethermind.cli.options import Given, verb
from aethermind.cli.session import compose, user
from aethermind.cli.targets import needs_functions
from aethermind.domain.errors import AethermindError, BusyError
from aethermind.domain.run import Run
from aethermind.engine.client import Client
from aethermind.engine.hosting import EngineThread
from aethermind.engine.queries import RunFilter, RunRow
from aethermind.infra.sanitize import clean_line

PORT = 3001
WEB = ("127.0.0.1", 3002)
PAGE = 200


def address(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """`HOST:PORT`, `:PORT`, `[::1]:PORT`, or a bare host."""
    if value is None:
        return None
    host, colon, port = value.rpartition(":")
    if not colon or value.endswith("]"):
        host, port = value, str(PORT)
    if not port.isdigit() or not port.isascii() or int(port) > 65_535:
        raise click.BadParameter(f"{value!r}: write HOST:PORT, such as 127.0.0.1:{PORT}")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """`10m` → seconds."""
    if value is None:
        return None
    from aethermind.definitions.units import duration_ms

    try:
        return duration_ms(value) / 1000
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@verb("serve")
@click.option("--tcp", metavar="HOST:PORT", callback=address, help="Also listen here; a token is needed.")
@click.option("--tls-cert", type=_FILE, metavar="F", help="Certificate.")
@click.option("--tls-key", type=_FILE, metavar="F", help="Its key.")
@click.option("--web", is_flag=True, help="Also the terminal UI in a browser, for who has an admin's token.")
@click.option("--web-at", metavar="HOST:PORT", callback=address, help="Where (127.0.0.1:3002).")
@click.option(
    "--allow-host", "hosts", multiple=True, metavar="NAME", help="A further Host that it is (proxy)."
)
@click.option("--allow-origin", "origins", multiple=True, metavar="URL", help="A web page that may call it.")
@click.option("--idle", callback=duration, metavar="DURATION", help="End when nothing goes on for so long.")
@click.option("--resume/--no-resume", default=True, help="Go on with interrupted runs (default: yes).")
@click.pass_obj
def command(
    given: Given,
    tcp: tuple[str, int] | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    web: bool,
    web_at: tuple[str, int] | None,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
    idle: float | None,
    resume: bool,
) -> int:
    """An engine without a screen: it goes on with what was interrupted and lets terminals attach.

    It listens on the socket of the data directory, for you alone, and on TCP if asked, for who has a token
    (aethermind tokens create). SIGTERM lets what is under way end, for at most 10 s.
    """
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    composition = compose(given)
    settings = ServerSettings(hosts=hosts, origins=origins, tls_cert=tls_cert, tls_key=tls_key)
    engine = bootstrap.engine_thread(composition)
    engine.start()
    if not gc.isenabled():  # as `__main__` left it
        gc.freeze()
        gc.enable()
    if engine.attached is not None:
        pid = engine.attached.pid
        engine.stop(drain_s=0)
        raise BusyError(
            f"the engine with pid {pid} serves {composition.home} already", hint="aethermind stop"
        )
    try:
        server = bootstrap.listen(composition, engine, tcp=tcp, settings=settings)
    except AethermindError:
        engine.stop(drain_s=0)
        raise
    owned = owning.own(composition, engine, server, origin="serve")
    with headless.ended_by(signal.SIGTERM, signal.SIGINT) as ended, headless.hang_ups(), ExitStack() as stack:
        stack.callback(owned.end)
        _announce(owned, tls=tls_cert is not None)
        if web or web_at is not None:
            pages = bootstrap.open_web(composition, engine, web_at or WEB, settings)
            stack.callback(pages.stop)
            streams.note(f"in a browser: {pages.url} (aethermind tokens create NAME --scope admin)")
        if resume:
            go_on(composition, engine)
        owning.linger(owned, ended, idle_s=idle)
    return 128 + ended.by if ended.by == signal.SIGINT else 0


def _announce(owned: owning.Owned, *, tls: bool) -> None:
    where = [bootstrap.place(owned.composition)]
    if owned.server is not None and owned.server.tcp is not None:
        host, port = owned.server.tcp
        where.append(f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}")
    home = owned.composition.home
    streams.note(clean_line(f"serving {home} on {' and '.join(where)} (pid {os.getpid()})"))


# --- what was interrupted ----------------------------------------------------------------------


def go_on(composition: bootstrap.Composition, engine: EngineThread) -> None:
    """Resume the runs that were interrupted. What only their own terminal has, functions of a workflow in
    Python and values of the environment, they need from there: it is said how.
    """
    for row in engine.call(_interrupted).result():
        try:
            run = engine.call(partial(_run, run_id=row.id)).result()
            if needs_functions(run):
                streams.note(clean_line(f"{run.id} is a workflow in Python: {_HINT} {run.id}"))
                continue
            env = bootstrap.environment(composition, run.env_names)
            engine.call(partial(_resume, run_id=run.id, env=env)).result()
            streams.note(clean_line(f"{run.id} goes on ({run.created.workflow})"))
            if missing := sorted(set(run.env_names) - set(env)):
                names = ", ".join(f"${name}" for name in missing)
                streams.note(clean_line(f"{run.id} waits where it needs {names}: {_HINT} {run.id}"))
        except AethermindError as error:
            streams.note(clean_line(error.line()))


_HINT = "from its own terminal: aethermind resume"


async def _interrupted(client: Client) -> list[RunRow]:
    """Oldest first."""
    found: list[RunRow] = []
    cursor: str | None = None
    while True:
        page = await client.runs(RunFilter(status="interrupted"), limit=PAGE, cursor=cursor)
        found.extend(page.items)
        if (cursor := page.next) is None:
            return found[::-1]


async def _run(client: Client, *, run_id: str) -> Run:
    return await client.run(run_id)


async def _resume(client: Client, *, run_id: str, env: dict[str, str]) -> None:
    await client.resume(run_id, by=user(), env=env)
