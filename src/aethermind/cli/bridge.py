"""`aethermind bridge`: the host's side of `attach ssh://`, started by the other side's ssh."""

from __future__ import annotations

import asyncio
import os
import stat

import click

from aethermind import bootstrap
from aethermind.cli.options import Given, verb
from aethermind.cli.session import compose


@verb("bridge", hidden=True)
@click.pass_obj
def command(given: Given) -> int:
    """Relay this data directory's engine over stdin and stdout; one is started if none runs."""
    if not all(_is_pipe(number) for number in (0, 1)):
        raise click.UsageError("bridge is for `aethermind attach ssh://…`, which starts it by itself")
    stdin, stdout = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # whatever is printed by mistake must not get among the frames
    asyncio.run(bootstrap.bridge(compose(given), stdin=stdin, stdout=stdout))
    return 0


def _is_pipe(number: int) -> bool:
    """A pipe or a socket, as sshd gives them."""
    mode = os.fstat(number).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
