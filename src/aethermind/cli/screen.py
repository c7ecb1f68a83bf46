"""The terminal UI, as the command line starts and leaves it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

from aethermind import bootstrap
from aethermind.cli import owning, parent, streams
from aethermind.cli.logs import MOVING
from aethermind.cli.options import Given
from aethermind.cli.session import compose, engine_of
from aethermind.cli.stopping import DRAIN_S, leave_at_once
from aethermind.domain.errors import AethermindError
from aethermind.engine.client import Attachment, Client, RunRequest
from aethermind.engine.hosting import EngineThread
from aethermind.engine.queries import RunFilter
from aethermind.tui.context import StartIntent
from aethermind.tui.launch import show
from aethermind.tui.leaving import Leaving

ANSWER_S = 1.0
"""An engine elsewhere is waited for so long when its screen is left."""


def open_screen(given: Given) -> int:
    """The TUI on the user's data; returns the exit code."""
    composition = compose(given)
    with engine_of(composition, origin="tui") as engine:
        return _show(composition, engine, StartIntent(), given)


def show_run(
    composition: bootstrap.Composition, engine: EngineThread, request: RunRequest, given: Given
) -> int:
    """Start this run in the TUI and watch it."""
    return _show(composition, engine, StartIntent(request=request), given)


def _show(composition: bootstrap.Composition, engine: EngineThread, start: StartIntent, given: Given) -> int:
    owned, link = owning.of(engine), parent.link()
    leaving = Leaving(
        owns=engine.attached is None,
        keeps=owned is not None and link is not None,
        to_shell=link.stop if link is not None else None,
    )
    with _signals(leaving) as left:
        code = show(
            engine,
            composition,
            start=start,
            ascii=given.ascii or None,
            theme=given.theme,
            low_bandwidth=given.low_bandwidth or None,
            leaving=leaving,
            attached=engine.attached,
            ready=streams.passed,
        )
        if engine.attached is not None:
            if not left.hung_up:
                _say_what_goes_on(engine, engine.attached)
            return code
        moving = engine.call(lambda client: _runs(client, MOVING)).result()
        if moving and left.hung_up:
            if link is None:
                _go_on_unseen(engine, moving)
        elif moving and link is not None and not (leaving.stopped or left.told):
            owning.announce(sorted(moving))  # or somebody's that has just begun
            if owned is not None:
                owned.told = True
        elif moving:
            streams.note("what is under way may end (at most 10 s); Ctrl-C stops at once")
            try:
                engine.call(lambda client: client.drain(DRAIN_S)).result()
            except KeyboardInterrupt:
                leave_at_once()
            left_behind = engine.call(lambda client: _runs(client, frozenset({"interrupted"}))).result()
            for run_id in moving & left_behind:
                streams.note(f"{run_id} is interrupted; to go on: aethermind resume {run_id}")
            engine.stop(drain_s=0)  # nobody else's run can begin any more
    return code


class _Left:
    """Why the screen was left."""

    hung_up = False
    """The terminal has gone away."""
    told = False
    """A signal said so."""


@contextmanager
def _signals(leaving: Leaving) -> Iterator[_Left]:
    """SIGTERM and SIGHUP leave the screen as SIGINT does: the terminal is given back as it was. ctrl+z is a
    key here; as a signal it comes from an editor that has the terminal and stops.
    """
    left = _Left()
    first = 0.0

    def leave(number: int, frame: FrameType | None) -> None:
        nonlocal first
        left.told = True
        if number == signal.SIGHUP:
            left.hung_up = True
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a shell and the kernel both send it
        if first and parent.is_echo(first):
            return
        first = time.monotonic()
        signal.raise_signal(signal.SIGINT)

    def put_aside(number: int, frame: FrameType | None) -> None:
        if leaving.lent and (link := parent.link()) is not None:
            link.suspend()

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, put_aside)
    try:
        yield left
    finally:
        if left.hung_up:  # and what has no terminal any more is not hung up again
            del before[signal.SIGHUP]
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_what_goes_on(engine: EngineThread, attached: Attachment) -> None:
    """Leaving a screen on an engine elsewhere stops nothing there; nothing is said where none answers."""
    with suppress(AethermindError, FutureTimeoutError):
        moving = sorted(engine.call(lambda client: _runs(client, MOVING)).result(timeout=ANSWER_S))
        if moving:
            what = moving[0] if len(moving) == 1 else f"{len(moving)} runs"
            where = "in the background" if attached.local else f"on {attached.name}"
            streams.note(f"{what} {'goes' if len(moving) == 1 else 'go'} on {where}")


def _go_on_unseen(engine: EngineThread, moving: set[str]) -> None:
    """A lost terminal stops no run, here as little as in `run`."""
    with suppress(KeyboardInterrupt):
        for run_id in moving:
            engine.call(partial(_settled, run_id=run_id)).result()


async def _settled(client: Client, *, run_id: str) -> None:
    await client.wait(run_id)


async def _runs(client: Client, statuses: frozenset[str]) -> set[str]:
    page = await client.runs(RunFilter(unfinished=True), limit=200)
    return {row.id for row in page.items if row.status in statuses}
