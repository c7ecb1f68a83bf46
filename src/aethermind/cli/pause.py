"""`aethermind pause`."""

from __future__ import annotations

import click

from aethermind.cli.acting import act
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.session import user
from aethermind.domain.errors import InvalidError
from aethermind.engine.client import Client


@verb("pause")
@click.argument("run")
@as_json
@click.pass_obj
def command(given: Given, run: str, as_json: bool) -> int:
    """Let RUN start nothing new until it is resumed; what is under way may end."""

    async def pause(client: Client, run_id: str) -> None:
        found = await client.run(run_id)
        if found.finished is not None:
            raise InvalidError(f"run {run_id} is over: {found.finished}")
        await client.pause(run_id, by=user())

    return act(given, run, pause, wait=False, as_json=as_json)
