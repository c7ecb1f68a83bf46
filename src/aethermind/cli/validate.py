"""`aethermind validate`."""

from __future__ import annotations

from typing import Any

import click

from aethermind import bootstrap
from aethermind.cli import streams, text
from aethermind.cli.errors import report
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.plan import steps_of
from aethermind.cli.rows import print_page
from aethermind.cli.session import compose
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.infra.sanitize import clean_line

Json = Any


@verb("validate")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@as_json
@click.pass_obj
def command(given: Given, files: tuple[str, ...], as_json: bool) -> int:
    """Check workflow files. Nothing is run, and no provider key is needed."""
    composition = compose(given)
    code = 0
    results: list[dict[str, Json]] = []
    for name in files:
        try:
            loaded = bootstrap.load_workflow(composition, name)
        except AethermindError as error:
            code = max(code, error.exit_code)
            results.append(_problem(name, error))
            if not as_json:
                report(error)
            continue
        count = sum(1 for _ in steps_of(loaded.definition.steps))
        results.append({"file": name, "valid": True, "workflow": loaded.definition.name, "steps": count})
        if not as_json:
            mark = text.glyph("succeeded", unicode=streams.unicode_fits(streams.OUT))
            line = f"{name}: {loaded.definition.name}, {count} step{'s' if count != 1 else ''}"
            streams.say(f"{text.paint(mark, 'succeeded', streams.OUT)} {clean_line(line)}")
    if as_json:
        print_page(results)
    return code


def _problem(name: str, error: AethermindError) -> dict[str, Json]:
    place = error if isinstance(error, InvalidError) else None
    return {
        "file": name,
        "valid": False,
        "error": error.message,
        "hint": error.hint,
        "at": place.file if place else None,
        "line": place.line_no if place else None,
        "column": place.column if place else None,
    }
