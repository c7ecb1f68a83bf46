"""Following a run that was just started here, from its first event to its end."""

from __future__ import annotations

from aethermind.cli import ending
from aethermind.cli.questions import drive_asking
from aethermind.cli.resume import trace_for
from aethermind.domain.run import Run
from aethermind.engine.hosting import EngineThread


def follow(engine: EngineThread, run_id: str, *, plain: bool, quiet: bool, as_json: bool) -> int:
    """Show it as `run` does; returns the exit code."""
    run = Run(run_id)
    trace = trace_for(plain=plain, as_json=as_json, quiet=quiet)
    completed = drive_asking(engine, run, trace, person=not as_json)
    status = ending.status_of(run, completed=completed)
    return ending.tell(run, status, completed=completed, quiet=quiet, as_json=as_json)
