"""`aethermind trust`."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import click

from aethermind import bootstrap
from aethermind.cli import streams
from aethermind.cli.options import Given, verb
from aethermind.cli.session import compose, engine_of, user
from aethermind.domain.errors import DeniedError, NotFoundError
from aethermind.infra.sanitize import clean_line


@verb("trust")
@click.argument("path", type=click.Path(path_type=Path))
@click.pass_obj
def command(given: Given, path: Path) -> int:
    """Trust PATH: a workflow file as it is now (it asks again once it has changed), or a directory of your
    own with all that is in it.
    """
    composition = compose(given)
    found = path.expanduser()
    if not found.exists():
        raise NotFoundError(f"{path} does not exist")
    real = found.resolve()
    if real.is_dir():
        check_own(real)
        digest, what = None, "and all that is in it, also what will change"
    else:
        loaded = bootstrap.load_workflow(composition, str(found))
        digest, what = loaded.content_hash, "as it is now"
        for line in loaded.needs_trust:
            streams.note(f"  it {clean_line(line)}")
    with engine_of(composition) as engine:
        engine.call(lambda client: client.trust(str(real), digest, by=user())).result()
    streams.say(clean_line(f"trusted: {real} ({what})"))
    return 0


def check_own(directory: Path) -> None:
    """A directory is one's own if nobody else can write there. Raises `DeniedError`."""
    found = directory.stat()
    if found.st_uid != os.getuid():
        raise DeniedError(f"{directory} belongs to somebody else", hint="trust the files in it one by one")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise DeniedError(f"others may write to {directory}", hint=f"chmod go-w {directory}")
