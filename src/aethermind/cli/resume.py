"""`aethermind resume`, and the way `retry` and `answer` go on with a run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager

import click

from aethermind import bootstrap
from aethermind.cli import ending, imported, streams
from aethermind.cli.detaching import detaching, leave, refuse_views
from aethermind.cli.options import Given, setting, verb, viewing
from aethermind.cli.questions import drive_asking
from aethermind.cli.session import compose, engine_of, user
from aethermind.cli.targets import functions_of
from aethermind.cli.trace import JsonLines, Plain, Quiet, Trace
from aethermind.domain.run import Run
from aethermind.engine.client import Client
from aethermind.engine.hosting import EngineThread
from aethermind.engine.queries import RunFilter


def trace_for(*, plain: bool, as_json: bool, quiet: bool) -> Trace:
    """How a run is shown: JSON lines, nothing, plain lines, or a live tree on a terminal."""
    if as_json:
        return JsonLines()
    if quiet:
        return Quiet()
    if plain or not streams.ERR.terminal or not streams.draws(streams.ERR):
        return Plain()
    from aethermind.cli.live import LiveTree

    return LiveTree()


def go_on(
    engine: EngineThread,
    composition: bootstrap.Composition,
    run: Run,
    *,
    plain: bool,
    as_json: bool,
    quiet: bool,
    first: Callable[[Client], Awaitable[object]] | None = None,
    detach: bool = False,
) -> int:
    """Drive a recorded run and show it as `run` does; returns the exit code. `first` is asked of the client
    before the run is resumed. `detach`: nobody waits for it.
    """

    async def begin(client: Client) -> None:
        if first is not None:
            await first(client)
        env = bootstrap.environment(composition, run.env_names)
        await client.resume(run.id, by=user(), env=env)

    completed = True
    if run.finished is None or first is not None:
        if detach:
            engine.call(begin).result()
            return leave(engine, run.id, quiet=quiet, as_json=as_json)
        trace = trace_for(plain=plain, as_json=as_json, quiet=quiet)
        completed = drive_asking(engine, run, trace, person=not as_json, begin=begin)
    status = ending.status_of(run, completed=completed)
    return ending.tell(run, status, completed=completed, quiet=quiet, as_json=as_json)


@verb("resume")
@click.argument("run", required=False)
@click.option("-y", "--yes", is_flag=True, help="Also with a run that was imported: it may start programs.")
@click.option(
    "--edited", is_flag=True, help="With the file as it is now: only what changed and what follows runs."
)
@setting
@click.option("--trust", is_flag=True, help="The edited file may start programs, this time.")
@detaching
@viewing
@click.pass_obj
def command(
    given: Given,
    run: str | None,
    yes: bool,
    edited: bool,
    overrides: dict[str, str],
    trust: bool,
    detach: bool,
    plain: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Go on with RUN, else with the newest one that is unfinished. What is done is not done again; a
    finished run is shown as it ended.

    With --edited a finished run goes on, too, if its file has changed.
    """
    from aethermind.cli import editing, sources

    refuse_views(detach, plain=plain)
    if overrides and not edited:
        raise click.UsageError("--set changes what is run: give --edited with it")
    composition = compose(given)
    with engine_for(composition, run, yes=yes) as (engine, found):
        first = None
        if edited:
            loaded = sources.reload(composition, found, overrides)
            first = editing.adopting(
                engine, composition, found, loaded, overrides=overrides, trust=trust, quiet=quiet
            )
        elif not quiet and sources.has_changed(composition, found):
            streams.note("the file has changed since: --edited adopts it")
        was_over = found.finished is not None and first is None
        code = go_on(
            engine,
            composition,
            found,
            plain=plain,
            as_json=as_json,
            quiet=quiet,
            first=first,
            detach=detach,
        )
    return 0 if was_over else code


@contextmanager
def engine_for(
    composition: bootstrap.Composition, ref: str | None, *, yes: bool = False
) -> Iterator[tuple[EngineThread, Run]]:
    """An engine that can go on with this run, and the run as it is now. `yes`: also if it was imported."""
    with ExitStack() as stack:
        engine = stack.enter_context(engine_of(composition, origin="run"))
        run = engine.call(lambda client: _find(client, ref)).result()
        if imported.may_go_on(engine, run, yes=yes) and (functions := functions_of(run)):
            stack.close()
            engine = stack.enter_context(engine_of(composition, functions=functions, origin="run"))
        yield engine, run


async def _find(client: Client, ref: str | None) -> Run:
    if ref is None:
        unfinished = await client.runs(RunFilter(unfinished=True), limit=1)
        ref = unfinished.items[0].id if unfinished.items else "last"
    return await client.run(await client.find_run(ref))
