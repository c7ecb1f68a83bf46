"""`aethermind schema`."""

from __future__ import annotations

import click
import msgspec

from aethermind.cli import streams
from aethermind.cli.options import Given, verb
from aethermind.definitions.schema import workflow_json_schema


@verb("schema")
@click.pass_obj
def command(given: Given) -> int:
    """Print the JSON Schema of workflow files, for editors and other programs."""
    streams.say(msgspec.json.format(msgspec.json.encode(workflow_json_schema()), indent=2).decode())
    return 0
