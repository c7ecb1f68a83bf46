"""Watching one run from the main thread while the engine works in its own.

The engine never waits for this side: what is printed comes from a bounded subscription, and a stream that
stalls or closes stops nothing. The first Ctrl-C (or SIGTERM) lets the attempts under way end for at most
ten seconds and leaves the run interrupted; the second stops at once. A lost terminal (SIGHUP) stops nothing,
and ctrl+z nothing either: the run goes on, and says nothing until the terminal is back.

Where others use the same engine (it is another process's, or their runs are in ours), Ctrl-C is about this
run alone: it is paused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future

import click

from aethermind.cli import parent, streams
from aethermind.cli.stopping import TURN_S, StopNow, Stopping, leave_at_once
from aethermind.cli.trace import Trace
from aethermind.domain.ids import run_stream
from aethermind.domain.run import Run
from aethermind.engine.client import Client, FeedItem, Notice, TokenDelta
from aethermind.engine.hosting import EngineThread

Decision = Callable[[], None]
"""Asks for one decision and sends it. Blocks; returns also where it was not taken. Raises `click.Abort` where
the person would rather decide later: nothing more is asked then.
"""


def drive(
    engine: EngineThread,
    run: Run,
    trace: Trace,
    *,
    begin: Callable[[Client], Awaitable[object]] | None = None,
    decide: Callable[[Run], Decision | None] | None = None,
    person: bool = False,
) -> bool:
    """Show `run` from where it is folded to (`run.seq`) until it is over or waits for a decision.

    `begin` is asked of the client once the subscription stands, so that no event is missed. `decide` gives
    what is to be decided now, if anything: it is called as soon as that is open, from this thread, while the
    run goes on. `person`: it asks a person, so it is put off while the shell has the terminal. Returns False
    if it was interrupted. Raises what the engine raised.
    """
    subscription = engine.subscribe(run_id=run.id, after=run.seq)
    stopping = Stopping(engine, run.id)
    try:
        with stopping.on_signals():
            if begin is not None:
                engine.call(begin).result()
            ended = engine.call(lambda client: client.wait(run.id))
            told = False
            while True:
                if stopping.gives_way():
                    trace.pause(run)
                    stopping.give_way()
                over = _over(ended)
                waits = ended.done() and not over
                if not (waits and not person) and stopping.holds(over=over, asks=waits):
                    stopping.rest()
                    continue
                items = subscription.drain()
                _show(items, run, trace)
                if stopping.asked:
                    if not told:
                        told = True
                        trace.say("stopping: what is under way may end (at most 10 s); Ctrl-C stops at once")
                    if stopping.over and not items:
                        break
                elif not items:
                    if decide is not None and (decision := decide(run)) is not None:
                        trace.pause(run)
                        try:
                            with stopping.asking():
                                decision()
                        except parent.PutAside:
                            continue
                        except (click.Abort, KeyboardInterrupt):
                            decide = None
                            streams.note("")  # the prompt's line ends
                            if run.counts.get("running") and not stopping.asked:
                                trace.say("not now; the rest of the run goes on (Ctrl-C stops it)")
                        # It may have been over for want of this decision.
                        ended = engine.call(lambda client: client.wait(run.id))
                        continue
                    if ended.done() and ended.result().seq <= run.seq:
                        break
                if not items:
                    subscription.wait(TURN_S)
    except StopNow:
        if not stopping.shared:
            leave_at_once()
    finally:
        subscription.close()
        trace.close(run)
    return not stopping.asked or run.finished is not None


def _show(items: Sequence[FeedItem], run: Run, trace: Trace) -> None:
    for item in items:
        if isinstance(item, Notice):
            if item.kind != "dropped":  # this run's: waiting for it raises the same
                trace.notice(item.message)
        elif isinstance(item, TokenDelta):
            trace.signal(item)
        elif item.seq > run.seq and item.stream == run_stream(run.id):
            run.fold(item)
            trace.event(item, run)
    trace.turn(run)


def _over(ended: Future[Run]) -> bool:
    """Whether nothing comes any more but what was recorded: the run is finished, or its engine broke."""
    return ended.done() and (ended.exception() is not None or ended.result().finished is not None)
