"""`aethermind approve` (and, with a no, `aethermind reject`)."""

from __future__ import annotations

import click

from aethermind.cli import streams
from aethermind.cli.options import Given, verb, viewing
from aethermind.cli.resume import engine_for, go_on
from aethermind.cli.session import compose, user
from aethermind.definitions.hints import did_you_mean
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.engine.client import Client
from aethermind.infra.sanitize import clean, clean_line


@verb("approve")
@click.argument("run")
@click.argument("step")
@viewing
@click.pass_obj
def command(given: Given, run: str, step: str, plain: bool, quiet: bool, as_json: bool) -> int:
    """Say yes to the approval that STEP of RUN asks for, and go on with the run."""
    return decide(given, run, step, approved=True, plain=plain, quiet=quiet, as_json=as_json)


def decide(
    given: Given, run: str, step: str, *, approved: bool, plain: bool, quiet: bool, as_json: bool
) -> int:
    """Answer an approval. Raises `NotFoundError`, and `InvalidError` for a step that asks something else."""
    composition = compose(given)
    with engine_for(composition, run) as (engine, found):
        node = found.nodes.get(step)
        if node is None:
            raise NotFoundError(f"run {found.id} has no step {step!r}", hint=did_you_mean(step, found.nodes))
        if node.question is None or "approved" not in node.question.fields:
            hint = f"aethermind answer {found.id} {step} -i …" if node.question is not None else None
            raise InvalidError(f"{step} asks for no approval: it is {node.status}", hint=hint)
        if node.question.about == "tool" and node.question.values is None and not quiet:
            streams.note(f"{'allowed' if approved else 'rejected'}: {clean_line(node.question.message)}")
            if node.question.show:
                streams.note(clean(node.question.show))

        values: dict[str, object] = {"approved": approved}
        if node.question.about == "tool":
            values["digest"] = node.question.digest

        async def answer(client: Client) -> None:
            await client.answer(found.id, step, values, by=user())

        return go_on(engine, composition, found, plain=plain, as_json=as_json, quiet=quiet, first=answer)
