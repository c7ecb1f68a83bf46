"""`aethermind import`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from aethermind import bootstrap
from aethermind.cli import streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.session import compose, user
from aethermind.domain.state import FINISHED_RUN
from aethermind.infra.sanitize import clean_line


@verb("import")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@click.pass_obj
def command(given: Given, file: Path, as_json: bool) -> int:
    """Take in a run that `aethermind export` wrote; - is stdin. Nothing of it is started.

    Every line is checked, and the run is replayed, before anything is recorded. The same file twice is one
    run; a run whose id is taken by another one gets a new id.
    """
    composition = compose(given)
    composition.config.make_home()
    found = asyncio.run(bootstrap.exchange(composition).take(file, by=user()))
    if as_json:
        streams.say(text.json_line(msgspec.to_builtins(found)))
        return 0
    streams.say(found.run)
    if found.known:
        streams.note(f"{clean_line(str(file))}: this run is here already")
        return 0
    renamed = f" (where it ran it was {found.renamed_from})" if found.renamed_from else ""
    held = f"{text.many(found.events, 'event')}, {text.many(found.logs, 'log record')}"
    streams.note(f"{found.status}, {held}{renamed}")
    if found.status not in FINISHED_RUN:
        streams.note(f"to go on with it on this machine: aethermind resume {found.run} --yes")
    return 0
