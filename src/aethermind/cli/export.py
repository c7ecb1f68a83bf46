"""`aethermind export`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

import click

from aethermind import __version__, bootstrap
from aethermind.cli import streams, text
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.session import ask, compose
from aethermind.domain.errors import InvalidError
from aethermind.infra.sanitize import clean, clean_line

Json = Any


@verb("export")
@click.argument("run")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write this file (only for you to read) instead of stdout.",
)
@click.option("--sim", is_flag=True, help="The replies of its models as a .sim.yaml, for simulated runs.")
@click.option("--force", is_flag=True, help="Replace FILE if there is one.")
@as_json
@click.pass_obj
def command(given: Given, run: str, output: Path | None, sim: bool, force: bool, as_json: bool) -> int:
    """Write RUN as one file: all that was recorded of it, without secrets. `aethermind import` reads it.

    With --sim: its recorded replies as a script of simulated models. A prompt that is no longer the recorded
    one makes its step fail.
    """
    if output is None and as_json:
        raise click.UsageError("--json tells what was written into a file: it needs -o FILE")
    if output is not None and not force and os.path.lexists(output):
        raise InvalidError(f"{output} exists already", hint="--force replaces it")
    run_id = ask(given, lambda client: client.find_run(run))
    exchange = bootstrap.exchange(compose(given))
    told: dict[str, Json] = {"file": str(output), "run": run_id}
    if sim:
        data = asyncio.run(exchange.script(run_id)).encode()
    else:
        header, lines = asyncio.run(exchange.export(run_id, version=__version__))
        data = b"".join(lines)
        told |= {"events": header.events, "logs": header.logs, "redacted": header.redacted}
    if output is None:
        streams.OUT.write(clean(data.decode()) if streams.OUT.terminal else data.decode())
        return 0
    _write(output, data, force=force)
    if as_json:
        streams.say(text.json_line(told))
        return 0
    streams.say(clean_line(str(output)))
    if not sim:
        count = told["redacted"]
        whose = "its" if count == 1 else "their"
        hidden = f", {text.many(count, 'text')} without {whose} secrets" if count else ""
        streams.note(f"{text.many(told['events'], 'event')}, {text.many(told['logs'], 'log record')}{hidden}")
    return 0


def _write(target: Path, data: bytes, *, force: bool) -> None:
    """All of the file or nothing of it, for its owner alone."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
    except OSError as error:
        raise InvalidError(f"{target}: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        if target.is_dir():
            raise InvalidError(f"{target} is a directory", hint="name a file in it")
        Path(name).replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
