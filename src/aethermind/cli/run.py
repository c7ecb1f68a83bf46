"""`aethermind run`."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec

from aethermind import bootstrap
from aethermind.cli import consent, streams
from aethermind.cli.detaching import detaching, leave, refuse_views
from aethermind.cli.follow import follow
from aethermind.cli.inputs import given_inputs
from aethermind.cli.options import Given, dollars, looking, setting, verb, viewing
from aethermind.cli.plan import explain, meanings, price
from aethermind.cli.session import beginning, compose, engine_of
from aethermind.cli.stopping import INTERRUPTED
from aethermind.cli.targets import find
from aethermind.engine.hosting import EngineThread
from aethermind.engine.registered import PREFIX
from aethermind.infra.sanitize import clean_line

Json = Any


@looking
@verb("run")
@click.argument("workflow", metavar="FILE|NAME|PKG.MOD:FLOW")
@click.option("-i", "--input", "pairs", multiple=True, metavar="K=V|K=@F|K=-", help="An input; - is stdin.")
@click.option("--inputs", "file", type=click.Path(path_type=Path), metavar="F.json", help="Inputs as JSON.")
@click.option("--sim", is_flag=True, help="Simulated models: no key, no network, no cost.")
@click.option("--model", metavar="MODEL", help="This model for every agent: an alias or provider:model.")
@setting
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most N items of each fan-out.")
@click.option("--budget", callback=dollars, metavar="USD", help="Spend no more than this.")
@click.option("--no-cache", is_flag=True, help="Send what was answered before, too; keep the answers.")
@click.option(
    "--priority", type=click.IntRange(-1_000, 1_000), metavar="N", help="-1000 to 1000: higher goes first."
)
@click.option("--dry-run", is_flag=True, help="Check it and say what would happen, at what cost.")
@click.option("--tui", is_flag=True, help="Watch it in the terminal UI.")
@click.option("--trust", is_flag=True, help="It may start programs, this time.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before money is spent.")
@detaching
@click.option("--watch", is_flag=True, help="Then wait for saved edits, and run what they changed.")
@viewing
@click.pass_obj
def command(
    given: Given,
    workflow: str,
    pairs: tuple[str, ...],
    file: Path | None,
    sim: bool,
    model: str | None,
    overrides: dict[str, str],
    limit: int | None,
    budget: int | None,
    no_cache: bool,
    priority: int | None,
    dry_run: bool,
    tui: bool,
    trust: bool,
    yes: bool,
    watch: bool,
    detach: bool,
    plain: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run a workflow: its trace goes to stderr, its outputs to stdout.

    NAME is looked up in ./, ./workflows, your workflow directory and the samples.
    """
    if tui and (plain or quiet or as_json or dry_run):
        raise click.UsageError("--tui shows everything by itself: leave the other one out")
    if tui and not streams.on_terminal():
        raise click.UsageError("--tui needs a terminal")
    if watch and (tui or dry_run):
        raise click.UsageError("--watch goes with a run in the plain terminal")
    refuse_views(detach, tui=tui, plain=plain, watch=watch)
    composition = compose(given, sim=sim)
    target = find(composition, workflow, overrides=overrides)
    loaded = target.loaded
    files = None
    if watch:
        from aethermind.definitions.saved import files_of

        if loaded.path is None or loaded.path.startswith(PREFIX):
            raise click.UsageError("--watch needs a workflow file")
        files = files_of(loaded)
    if not quiet and loaded.path is not None and loaded.path.startswith(PREFIX):
        streams.note(clean_line(f"{workflow} is registered: no file of that name is here"))
    inputs = given_inputs(loaded.definition.inputs, pairs, file, ask=not dry_run)
    request = bootstrap.submission(
        composition,
        loaded,
        inputs,
        sim=sim,
        model=model,
        budget_micro_usd=budget,
        priority=priority,
        limit=limit,
        origin="tui" if tui else "cli",
    )
    request = msgspec.structs.replace(request, fresh=no_cache)
    consent.check_prices(composition, request, meanings)
    if dry_run:
        return explain(composition, loaded, request, as_json=as_json)

    def start(engine: EngineThread) -> str | None:
        """The id of the run; None: the screen is to start it."""
        consent.check_trust(engine, composition, loaded, trust=trust)
        meant = {} if sim else meanings(composition, request)
        if meant and all(name.startswith("sim:") for chain in meant.values() for name in chain):
            # A key that got lost must not pass unnoticed, least of all where only the outputs are read.
            streams.note("simulated: every model named here is a simulated one (aethermind doctor says why)")
        elif meant and not yes and streams.can_ask():
            consent.check_cost(engine, request, _named(meant), price(composition, request, meant, engine))
        return None if tui else engine.call(lambda client: client.start_run(request)).result()

    with ExitStack() as stack:
        opened = partial(engine_of, composition, functions=target.functions, origin="run")
        engine, run_id = beginning(stack, opened, start)
        if run_id is None:
            from aethermind.cli.screen import show_run

            return show_run(composition, engine, request, given)
        if detach:
            return leave(engine, run_id, quiet=quiet, as_json=as_json)
        code = follow(engine, run_id, plain=plain, quiet=quiet, as_json=as_json)
    if files is None or code == INTERRUPTED:
        return code
    from aethermind.cli.watch import Watch

    again = Watch(
        composition,
        run_id,
        loaded,
        code,
        cwd=request.submitter.cwd,
        overrides=overrides,
        model=model,
        budget_micro_usd=budget,
        trust=trust,
        files=files,
        shown={"plain": plain, "quiet": quiet, "as_json": as_json},
    )
    return again.until_stopped()


def _named(models: dict[str, tuple[str, ...]]) -> str:
    """`smart → openai:gpt-…`."""
    found = [f"{name} → {' | '.join(meant)}" if (name,) != meant else name for name, meant in models.items()]
    return ", ".join(found)
