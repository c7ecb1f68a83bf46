"""`--detach`: the shell has its prompt as soon as the engine has recorded what it is to do.

The engine that lives takes it; where none does, this process becomes one without a terminal (`owning`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from aethermind.cli import owning, streams, text
from aethermind.engine.hosting import EngineThread

F = TypeVar("F", bound=Callable[..., Any])


def detaching(command: F) -> F:
    """The option, for whatever starts a run or goes on with one."""
    help = "Do not wait: it runs in the background, and this ends as soon as the engine has it."
    return click.option("--detach", is_flag=True, help=help)(command)


def refuse_views(detach: bool, *, tui: bool = False, plain: bool = False, watch: bool = False) -> None:
    """Who does not wait sees nothing."""
    if detach and (tui or plain or watch):
        raise click.UsageError("--detach waits for nothing: leave the other one out")


def leave(engine: EngineThread, run_id: str, *, quiet: bool, as_json: bool) -> int:
    """Say which run it is, and let it go."""
    owned = owning.of(engine)
    if owned is not None:
        owned.left.add(run_id)
    if as_json:
        streams.say(text.json_line({"run": {"id": run_id}}))
        return 0
    streams.say(run_id)
    if not quiet:
        streams.note(f"it runs in the background; to follow it: aethermind logs {run_id} -f")
    return 0
