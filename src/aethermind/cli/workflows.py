"""`aethermind workflows`, `workflows put | show | remove`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import click

from aethermind import bootstrap
from aethermind.cli import consent, streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page, row_object
from aethermind.cli.session import ask, compose, engine_of, user
from aethermind.cli.verbs import Verbs
from aethermind.definitions.templates import samples
from aethermind.engine.away import Away
from aethermind.infra.sanitize import clean_line

Json = Any


@click.group("workflows", cls=Verbs, invoke_without_command=True)
@as_json
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> int:
    """List workflows that can be run by name: in ./, ./workflows, your directory, the samples, and those that
    are registered.
    """
    if ctx.invoked_subcommand is not None:
        return 0
    given = ctx.find_object(Given) or Given()
    composition = compose(given)
    if composition.is_abroad:
        rows = _there(given)
    else:
        rows = [*found_in_files(composition), *_registered(given, composition)]
    if as_json:
        print_page(rows)
        return 0
    if not rows:
        streams.note("no workflows here: aethermind new NAME")
        return 0
    text.show_table(
        ["WORKFLOW", "FROM", "WHAT IT DOES"],
        [[row["name"], row["origin"], row["description"]] for row in rows],
    )
    return 0


def found_in_files(composition: bootstrap.Composition) -> list[dict[str, Json]]:
    """What NAME may be, in the order in which it is looked up: the first of a name is the one that runs."""
    places = {
        "./": Path(),
        "./workflows": Path("workflows"),
        str(composition.config.workflows): composition.config.workflows,
        "samples": composition.samples_dir,
    }
    found: dict[str, dict[str, Json]] = {}
    for origin, directory in places.items():
        for item in samples(directory):
            found.setdefault(
                item.name,
                {
                    "name": item.name,
                    "description": item.description,
                    "origin": origin,
                    "source": str(item.path.resolve()),
                    "definition_hash": None,
                    "updated_at": None,
                },
            )
    return list(found.values())


def _there(given: Given) -> list[dict[str, Json]]:
    """What another machine's engine knows by name."""
    rows = ask(given, lambda client: cast("Away", client).workflows_there())
    return [{**row_object(row), "source": None, "definition_hash": None, "updated_at": None} for row in rows]


def _registered(given: Given, composition: bootstrap.Composition) -> list[dict[str, Json]]:
    """Those that were registered with an engine on this data."""
    if given.connect is None and not composition.database.exists():
        return []
    rows = ask(given, lambda client: client.workflows())
    return [{**row_object(row), "origin": "registered"} for row in rows]


@verb("put", short_help="Register a workflow file.")
@click.argument("file")
@click.option("--trust", is_flag=True, help="It may start programs; else that is asked.")
@as_json
@click.pass_obj
def put(given: Given, file: str, trust: bool, as_json: bool) -> int:
    """Register the workflow of FILE under its name, with all that it includes; what was registered under the
    same name is replaced. From then on it can be run by name from anywhere, and through the API.
    """
    composition = compose(given)
    loaded = bootstrap.load_workflow(composition, file)
    path = Path(loaded.path) if loaded.path is not None else None
    with engine_of(composition) as engine:
        consent.check_trust(engine, composition, loaded, trust=trust)
        body = path.read_text(encoding="utf-8") if path is not None and path.is_file() else None
        stored = engine.call(
            lambda client: client.put_workflow(
                loaded.definition,
                by=user(),
                text=body,
                env_names=loaded.env_names,
                sim=loaded.sim,
                trusted=True,
            )
        ).result()
    if as_json:
        streams.say(text.json_line({"name": stored.name, "definition_hash": stored.definition_hash}))
    else:
        streams.say(f"registered {clean_line(stored.name)}")
    return 0


@verb("show", short_help="What is registered under a name.")
@click.argument("name")
@click.pass_obj
def show(given: Given, name: str) -> int:
    """Print the registered workflow as one JSON object."""
    streams.say(text.json_line(row_object(ask(given, lambda client: client.workflow(name)))))
    return 0


@verb("remove", short_help="Forget a registered workflow.")
@click.argument("name")
@as_json
@click.pass_obj
def remove(given: Given, name: str, as_json: bool) -> int:
    """Forget the workflow that is registered under NAME. Its runs stay as they are; no file is touched."""
    with engine_of(compose(given)) as engine:
        engine.call(lambda client: client.remove_workflow(name, by=user())).result()
    streams.say(text.json_line({"name": name, "removed": True}) if as_json else f"removed {clean_line(name)}")
    return 0


for _each in (put, show, remove):
    command.add_command(_each)
