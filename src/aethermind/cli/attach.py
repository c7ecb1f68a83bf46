"""`aethermind attach`."""

from __future__ import annotations

import click

from aethermind import bootstrap
from aethermind.cli import streams
from aethermind.cli.options import Given, looking, verb
from aethermind.cli.session import compose


@looking
@verb("attach")
@click.argument("target", required=False)
@click.option("--read-only", is_flag=True, help="Look on: nothing is changed from here.")
@click.pass_obj
def command(given: Given, target: str | None, read_only: bool) -> int:
    """Open the terminal UI on an engine that runs already: what it does, you see, and you may act.

    TARGET is unix:PATH, ssh://[user@]host[:port] (through your ssh, nothing to open there) or
    http(s)://host:3001 (with a token, in AETHERMIND_TOKEN or the keyring: aethermind auth http://host:3001).
    Without TARGET: the engine of this data directory. Leaving stops nothing.
    """
    if target is not None and given.connect is not None:
        raise click.UsageError("--connect names the engine already: leave out one of them")
    if not streams.takes_screen():
        raise click.UsageError("attach opens the terminal UI: it needs a terminal")
    given.read_only = read_only
    given.connect = target or given.connect or bootstrap.here(compose(given))
    from aethermind.cli.screen import open_screen

    return open_screen(given)
