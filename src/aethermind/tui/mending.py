"""A run's file as it is now, held against the run: what is wrong with it, what it would keep and run.

Reads files and asks the engine; shows nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aethermind.definitions.edited import Place
from aethermind.domain.errors import AethermindError, InvalidError

if TYPE_CHECKING:
    from aethermind.definitions.loader import LoadedWorkflow
    from aethermind.domain.run import Run
    from aethermind.domain.workflow import WorkflowDef
    from aethermind.tui.context import Context


@dataclass(frozen=True)
class Unchanged:
    """The file says what the run does already."""

    at: Place
    """Where the step is written that failed."""


@dataclass(frozen=True)
class Wrong:
    """The file can't be adopted."""

    problem: str
    """`file:line:col: what is wrong (hint)`"""
    at: Place
    excerpt: str = ""
    """That line, and a caret below the column."""


@dataclass(frozen=True)
class Ready:
    """It can."""

    loaded: LoadedWorkflow
    stays: tuple[str, ...]
    """Root steps that are done and stay so."""
    runs: tuple[str, ...]
    at: Place


@dataclass(frozen=True)
class Reworded:
    """It is no file but the prompt of one step, and can be taken."""

    definition: WorkflowDef
    stays: tuple[str, ...]
    runs: tuple[str, ...]
    at: Place


Found = Unchanged | Wrong | Ready | Reworded


async def look(context: Context, run: Run) -> Found:
    """Read the run's file and compare. `run` must have a source."""
    at = await asyncio.to_thread(failing_place, run)
    try:
        loaded = await asyncio.to_thread(_read, context, run)
    except AethermindError as error:
        return _wrong(error, run, at)
    if loaded is None:
        return Unchanged(at)
    kept = await context.engine.ask(lambda client: client.edited(run.id, loaded.definition))
    from aethermind.definitions.edited import done

    stays = done(run, kept)
    steps = [step.id for step in loaded.definition.steps]
    return Ready(loaded, tuple(stays), tuple(name for name in steps if name not in stays), at)


def _read(context: Context, run: Run) -> LoadedWorkflow | None:
    """The file, checked, with inputs that fit; None if nothing in it has changed."""
    from aethermind import bootstrap
    from aethermind.definitions.edited import inputs_for, new_inputs, unchanged

    source = run.created.source
    assert source is not None
    loaded = bootstrap.load_workflow(context.composition, source, cwd=run.created.submitter.cwd)
    if unchanged(run, loaded):
        return None
    if fresh := new_inputs(run, loaded.definition):
        raise InvalidError(
            f"the edited file has an input that this run has no value for: {', '.join(fresh)}",
            hint="r starts a new run",
        )
    inputs_for(run, loaded.definition, {})
    return loaded


def failing_place(run: Run) -> Place:
    """Where the step that failed, or what the run got stuck at, is written."""
    from aethermind.definitions.edited import line_of

    source = Path(run.created.source or "")
    path = run.error_step
    if path is None:
        stuck = ("failed", "in_doubt", "cancelled")
        path = next((n.path for status in stuck for n in run.walk() if n.status == status), None)
    return line_of(source, path) if path else Place(source, 1)


def _wrong(error: AethermindError, run: Run, at: Place) -> Wrong:
    if not isinstance(error, InvalidError) or error.file is None or error.line_no is None:
        return Wrong(error.line(), at)
    source = Path(run.created.source or "")
    file = Path(error.file)
    places = [file] if file.is_absolute() else [source.parent / file, Path(run.created.submitter.cwd) / file]
    place = next((found for found in places if found.is_file()), source)
    problem = error.line().removeprefix(f"{source.parent}/")
    return Wrong(problem, Place(place, error.line_no), _excerpt(place, error.line_no, error.column))


def _excerpt(file: Path, line: int, column: int | None) -> str:
    try:
        text = file.read_text(encoding="utf-8").splitlines()[line - 1]
    except (OSError, UnicodeDecodeError, IndexError):
        return ""
    head = f"{line:>4} | "
    caret = " " * (len(head) + column - 1) + "^" if column is not None else ""
    return f"{head}{text}\n{caret}".rstrip()
