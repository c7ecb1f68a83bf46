"""`aethermind new`."""

from __future__ import annotations

from pathlib import Path

import click

from aethermind import __version__
from aethermind.cli import streams
from aethermind.cli.options import Given, verb
from aethermind.cli.session import compose
from aethermind.definitions import templates
from aethermind.domain.errors import InvalidError, NotFoundError

SCHEMA_FILE = "workflow.schema.json"


@verb("new")
@click.argument("name")
@click.option("--from", "sample", metavar="SAMPLE", help="Begin with a copy of this sample.")
@click.pass_obj
def command(given: Given, name: str, sample: str | None) -> int:
    """Write NAME.yaml, a small workflow to begin with, into ./workflows if there is one, else here."""
    stem = name.removesuffix(".yaml")
    directory = Path("workflows") if Path("workflows").is_dir() else Path()
    if "/" in stem:
        directory, stem = Path(stem).parent, Path(stem).name
    path = directory / f"{stem}.yaml"
    composition = compose(given)
    schema = _schema(composition.home)
    files: dict[Path, str] = {}
    if sample is None:
        files[path] = templates.starter(stem, schema=schema)
    else:
        known = {found.name: found for found in templates.samples(composition.samples_dir)}
        if sample not in known:
            from aethermind.definitions.hints import did_you_mean

            raise NotFoundError(f"there is no sample {sample!r}", hint=did_you_mean(sample, known))
        files = templates.copies(known[sample].path, path, schema=schema)
    for target in files:
        if target.exists():
            raise InvalidError(f"{target} is there already", hint="choose another name")
    if not directory.is_dir():
        raise NotFoundError(f"there is no directory {directory}")
    for target, text in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    streams.say(str(path))
    streams.note(f"next: aethermind run {path} --sim")
    return 0


def _schema(home: Path) -> str:
    """The JSON Schema as a file in the data directory, for editors; its path."""
    import msgspec

    from aethermind.definitions.schema import workflow_json_schema

    path = home / f"{__version__}-{SCHEMA_FILE}"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(workflow_json_schema()), indent=2))
    return path.as_uri()
