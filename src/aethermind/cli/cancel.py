"""`aethermind cancel`."""

from __future__ import annotations

import click

from aethermind.cli.acting import act
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.session import user
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.engine.client import Client


@verb("cancel")
@click.argument("run")
@click.option("--step", metavar="STEP", help="Only this step and what is inside it.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
@as_json
@click.pass_obj
def command(given: Given, run: str, step: str | None, reason: str, as_json: bool) -> int:
    """Cancel RUN, or one step of it. What was paid for stays recorded."""

    async def cancel(client: Client, run_id: str) -> None:
        found = await client.run(run_id)
        if found.finished is not None:
            raise InvalidError(f"run {run_id} is over: {found.finished}")
        if step is not None and step not in found.nodes:
            from aethermind.definitions.hints import did_you_mean

            hint = did_you_mean(step, found.nodes)
            raise NotFoundError(f"run {run_id} has no step {step!r}", hint=hint)
        if step is not None and found.nodes[step].over:
            raise InvalidError(f"step {step} is over: {found.nodes[step].status}")
        await client.cancel(run_id, step=step, by=user(), reason=reason)

    return act(given, run, cancel, wait=step is None, as_json=as_json)
