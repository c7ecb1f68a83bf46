"""`aethermind agents`, `agents put | show | remove`."""

from __future__ import annotations

from functools import partial

import click

from aethermind import bootstrap
from aethermind.cli import streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page, row_object
from aethermind.cli.session import ask, compose, engine_of, user
from aethermind.cli.verbs import Verbs
from aethermind.domain.errors import NotFoundError
from aethermind.domain.workflow import AgentDef
from aethermind.engine.client import Client
from aethermind.infra.sanitize import clean_line


@click.group("agents", cls=Verbs, invoke_without_command=True)
@as_json
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """List agents: those that are registered, and those that runs have used.

    A registered agent can be named by any workflow file that does not define one of that name.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    rows = ask(ctx.find_object(Given) or Given(), lambda client: client.agents())
    if as_json:
        print_page(map(row_object, rows))
        return 0
    if not rows:
        streams.note("no agents yet: they appear with the first run that uses them")
        return 0
    text.show_table(
        ["AGENT", "MODEL", "ATTEMPTS", "FAILED", "COST", "LAST SEEN"],
        [
            [
                row.name,
                row.model or "",
                str(row.attempts),
                str(row.failed),
                text.money(row.cost_micro_usd),
                text.moment(row.last_seen_at),
            ]
            for row in rows
        ],
        right=(2, 3, 4),
    )
    return 0


@verb("put", short_help="Register the agents of a workflow file.")
@click.argument("file")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@as_json
@click.pass_obj
def put(given: Given, file: str, names: tuple[str, ...], as_json: bool) -> int:
    """Register the agents that FILE defines, or only those that are NAMEd; what was registered under the same
    name is replaced.
    """
    composition = compose(given)
    loaded = bootstrap.load_workflow(composition, file)
    there = loaded.definition.agents
    for name in names:
        if name not in there:
            raise NotFoundError(
                f"{file} defines no agent {name!r}", hint=f"it has {', '.join(there) or 'none'}"
            )
    if not there:
        raise NotFoundError(f"{file} defines no agents")
    chosen = names or tuple(there)
    with engine_of(composition) as engine:
        for name in chosen:
            engine.call(partial(_put, definition=there[name], env_names=loaded.env_names)).result()
    if as_json:
        streams.say(text.json_line({"agents": list(chosen)}))
        return 0
    for name in chosen:
        streams.say(f"registered {clean_line(name)}")
    return 0


async def _put(client: Client, *, definition: AgentDef, env_names: tuple[str, ...]) -> None:
    await client.put_agent(definition.name, definition, by=user(), env_names=env_names)


@verb("show", short_help="What is registered under a name.")
@click.argument("name")
@click.pass_obj
def show(given: Given, name: str) -> int:
    """Print the registered agent as one JSON object."""
    streams.say(text.json_line(row_object(ask(given, lambda client: client.agent(name)))))
    return 0


@verb("remove", short_help="Forget a registered agent.")
@click.argument("name")
@as_json
@click.pass_obj
def remove(given: Given, name: str, as_json: bool) -> int:
    """Forget the agent that is registered under NAME. Runs that use it keep it as it was."""
    with engine_of(compose(given)) as engine:
        engine.call(lambda client: client.remove_agent(name, by=user())).result()
    streams.say(text.json_line({"name": name, "removed": True}) if as_json else f"removed {clean_line(name)}")
    return 0


for _each in (put, show, remove):
    command.add_command(_each)
