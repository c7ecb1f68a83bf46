"""`aethermind retry`."""

from __future__ import annotations

import click

from aethermind import bootstrap
from aethermind.cli.detaching import detaching, refuse_views
from aethermind.cli.options import Given, verb, viewing
from aethermind.cli.resume import engine_for, go_on
from aethermind.cli.session import compose, user
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.engine.client import Client


@verb("retry")
@click.argument("run")
@click.option(
    "--from", "steps", multiple=True, metavar="STEP", help="From this step on, also if it succeeded."
)
@detaching
@viewing
@click.pass_obj
def command(
    given: Given,
    run: str,
    steps: tuple[str, ...],
    detach: bool,
    plain: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Run the failed steps of RUN again, and what depends on them. Earlier tries and costs stay."""
    refuse_views(detach, plain=plain)
    composition = compose(given)
    with engine_for(composition, run) as (engine, found):
        if found.finished is None:
            raise InvalidError(f"run {found.id} is not finished", hint=f"aethermind resume {found.id}")
        for step in steps:
            if step not in found.nodes:
                from aethermind.definitions.hints import did_you_mean

                hint = did_you_mean(step, found.nodes)
                raise NotFoundError(f"run {found.id} has no step {step!r}", hint=hint)
        if not steps and found.finished == "succeeded":
            raise InvalidError(f"run {found.id} succeeded: nothing failed", hint="name a step with --from")

        async def reopen(client: Client) -> None:
            env = bootstrap.environment(composition, found.env_names)
            await client.retry(found.id, steps=steps, by=user(), env=env)

        return go_on(
            engine,
            composition,
            found,
            plain=plain,
            as_json=as_json,
            quiet=quiet,
            first=reopen,
            detach=detach,
        )
