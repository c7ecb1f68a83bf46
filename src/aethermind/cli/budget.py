"""`aethermind budget`."""

from __future__ import annotations

import click

from aethermind.cli import streams
from aethermind.cli.options import Given, dollars, verb, viewing
from aethermind.cli.resume import engine_for, go_on
from aethermind.cli.session import compose, user
from aethermind.domain.errors import InvalidError
from aethermind.engine.client import Client


@verb("budget")
@click.argument("run")
@click.argument("usd", callback=dollars)
@click.option("--only", is_flag=True, help="Record it, and leave the run as it is.")
@viewing
@click.pass_obj
def command(given: Given, run: str, usd: int, only: bool, plain: bool, quiet: bool, as_json: bool) -> int:
    """Let RUN spend up to USD in all, and go on with it."""
    composition = compose(given)
    with engine_for(composition, run) as (engine, found):
        if found.finished is not None:
            raise InvalidError(f"run {found.id} is over: {found.finished}")

        async def allow(client: Client) -> None:
            await client.raise_budget(found.id, usd, by=user())

        if only:
            engine.call(allow).result()
            streams.say(f"recorded; to go on: aethermind resume {found.id}")
            return 0
        return go_on(engine, composition, found, plain=plain, as_json=as_json, quiet=quiet, first=allow)
