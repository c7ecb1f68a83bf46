"""`aethermind validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from aethermind import bootstrap
from aethermind.cli import streams, text
from aethermind.cli.errors import report
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.plan import steps_of
from aethermind.cli.rows import print_page
from aethermind.cli.session import compose
from aethermind.definitions.loader import LoadedWorkflow, check_sim_file, scripted_by
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.infra.sanitize import clean_line

Json = Any
SCRIPTS = (".sim.yaml", ".sim.yml")


@verb("validate")
@click.argument("files", nargs=-1, required=True, metavar="FILE…")
@as_json
@click.pass_obj
def command(given: Given, files: tuple[str, ...], as_json: bool) -> int:
    """Check workflow files, and scripts of simulated replies (NAME.sim.yaml) against the workflow beside
    them. Nothing is run, and no provider key is needed.
    """
    composition = compose(given)
    code = 0
    results: list[dict[str, Json]] = []
    for name in files:
        script = name.endswith(SCRIPTS)
        try:
            loaded = _scripted(composition, name) if script else bootstrap.load_workflow(composition, name)
        except AethermindError as error:
            code = max(code, error.exit_code)
            results.append(_problem(name, error))
            if not as_json:
                report(error)
            continue
        if loaded is None:
            results.append({"file": name, "valid": True, "workflow": None, "replies": True})
            if not as_json:
                _say(f"{name}: a script of replies; no workflow is beside it")
            continue
        count = sum(1 for _ in steps_of(loaded.definition.steps))
        if script:
            results.append({"file": name, "valid": True, "workflow": loaded.definition.name, "replies": True})
            if not as_json:
                _say(f"{name}: replies for {loaded.definition.name}")
            continue
        results.append({"file": name, "valid": True, "workflow": loaded.definition.name, "steps": count})
        if not as_json:
            _say(f"{name}: {loaded.definition.name}, {count} step{'s' if count != 1 else ''}")
    if as_json:
        print_page(results)
    return code


def _scripted(composition: bootstrap.Composition, name: str) -> LoadedWorkflow | None:
    """The workflow that this script belongs to, both checked; None: it is alone, and its form is right."""
    check_sim_file(Path(name))
    beside = scripted_by(Path(name))
    return bootstrap.load_workflow(composition, beside) if beside is not None else None


def _say(line: str) -> None:
    streams.say(text.marked("succeeded", clean_line(line), streams.OUT))


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
