"""`aethermind answer`."""

from __future__ import annotations

from typing import Any

import click

from aethermind.cli import streams
from aethermind.cli.asking import ask_field
from aethermind.cli.options import Given, verb, viewing
from aethermind.cli.questions import ask
from aethermind.cli.resume import engine_for, go_on
from aethermind.cli.session import compose, user
from aethermind.definitions.inputs import from_words
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.engine.client import Client

Json = Any
IN_DOUBT: dict[str, dict[str, Json]] = {"choice": {"type": "string", "enum": ["retry", "skip", "fail"]}}


@verb("answer")
@click.argument("run")
@click.argument("step")
@click.option("-i", "--input", "pairs", multiple=True, metavar="K=V", help="A field of the answer.")
@click.option("--only", is_flag=True, help="Record the decision, and leave the run as it is.")
@viewing
@click.pass_obj
def command(
    given: Given,
    run: str,
    step: str,
    pairs: tuple[str, ...],
    only: bool,
    plain: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Decide what STEP of RUN waits for, and go on with the run.

    A step in doubt was under way when the engine stopped: `-i choice=retry` runs it again, `skip` and `fail`
    settle it.
    """
    composition = compose(given)
    with engine_for(composition, run) as (engine, found):
        node = _waiting(found, step)
        values = _values(node, pairs)

        async def answer(client: Client) -> None:
            await client.answer(found.id, node.path, values, by=user())

        if only:
            engine.call(answer).result()
            streams.say(f"recorded; to go on: aethermind resume {found.id}")
            return 0
        return go_on(engine, composition, found, plain=plain, as_json=as_json, quiet=quiet, first=answer)


def _waiting(run: Run, path: str) -> Node:
    node = run.nodes.get(path)
    if node is None:
        from aethermind.definitions.hints import did_you_mean

        raise NotFoundError(f"run {run.id} has no step {path!r}", hint=did_you_mean(path, run.nodes))
    if node.status not in {"in_doubt", "waiting_answer"} and node.question is None:
        hint = f"aethermind resume {run.id}" if run.finished is None else None
        raise InvalidError(f"{path} asks nothing: it is {node.status}", hint=hint)
    return node


def _values(node: Node, pairs: tuple[str, ...]) -> dict[str, Json]:
    """The fields of the answer, from `-i` or asked for on a terminal."""
    fields = node.question.fields if node.question is not None else {}
    if node.status == "in_doubt" and not fields:
        fields = IN_DOUBT
    values: dict[str, Json] = {}
    for pair in pairs:
        name, found, raw = pair.partition("=")
        if not found:
            raise InvalidError(f"-i {pair}: write name=value")
        schema = fields.get(name)
        if fields and schema is None:
            raise InvalidError(f"there is no field {name!r}", hint=f"fields: {', '.join(fields)}")
        values[name] = from_words(name, raw, schema or {})
    missing = [name for name in fields if name not in values]
    if missing and not pairs and streams.can_ask():
        if node.question is not None:
            return ask(node)
        return {name: ask_field(name, fields[name]) for name in missing}
    if not values:
        raise InvalidError("say what to answer", hint="-i " + " -i ".join(f"{name}=…" for name in fields))
    for name, value in values.items():
        allowed = fields.get(name, {}).get("enum")
        if allowed is not None and value not in allowed:
            told = ", ".join(map(str, allowed))
            raise InvalidError(f"{name} is {value!r}", hint=f"one of {told}")
    return values
