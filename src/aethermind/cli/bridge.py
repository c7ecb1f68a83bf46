"""`aethermind bridge`: the host's side of `attach ssh://`, started by the other side's ssh."""

from __future__ import annotations

import asyncio

import click

from aethermind import bootstrap
from aethermind.cli import streams
from aethermind.cli.options import Given, verb
from aethermind.cli.session import compose


@verb("bridge", hidden=True)
@click.pass_obj
def command(given: Given) -> int:
    """Relay this data directory's engine over stdin and stdout; one is started if none runs."""
    if streams.on_terminal():
        raise click.UsageError("bridge is for `aethermind attach ssh://…`, which starts it by itself")
    composition = compose(given)
    asyncio.run(bootstrap.bridge(composition))
    return 0
