"""`aethermind workflows`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aethermind import bootstrap
from aethermind.cli import streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.rows import print_page, row_object
from aethermind.cli.session import ask, compose
from aethermind.definitions.templates import samples

Json = Any


@verb("workflows")
@as_json
@click.pass_obj
def command(given: Given, as_json: bool) -> int:
    """List workflows that can be run by name: in ./, ./workflows, your directory, and the samples."""
    composition = compose(given)
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


def _registered(given: Given, composition: bootstrap.Composition) -> list[dict[str, Json]]:
    """Those that were registered with an engine on this data."""
    if not composition.database.exists():
        return []
    rows = ask(given, lambda client: client.workflows())
    return [{**row_object(row), "origin": "registered"} for row in rows]
