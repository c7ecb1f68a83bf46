"""Watching one run from the main thread while the engine works in its own.

The engine never waits for this side: what is printed comes from a bounded subscription, and a stream that
stalls or closes stops nothing. The first Ctrl-C (or SIGTERM) lets the attempts under way end for at most
ten seconds and leaves the run interrupted; the second stops at once. A lost terminal (SIGHUP) stops nothing.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import click

from aethermind.cli import streams
from aethermind.cli.trace import Trace
from aethermind.domain.ids import run_stream
from aethermind.domain.run import Run
from aethermind.engine.client import Client, Notice, TokenDelta
from aethermind.engine.hosting import EngineThread

DRAIN_S = 10.0
TURN_S = 0.25
STALLED_S = 1.0
"""After a Ctrl-C: so long may a write take before it is given up with all that was to follow."""
INTERRUPTED = 130


Decision = Callable[[], None]
"""Asks for one decision and sends it. Blocks; returns also where it was not taken. Raises `click.Abort` where
the person would rather decide later: nothing more is asked then.
"""


class StopNow(BaseException):
    """The second Ctrl-C."""


def drive(
    engine: EngineThread,
    run: Run,
    trace: Trace,
    *,
    begin: Callable[[Client], Awaitable[object]] | None = None,
    decide: Callable[[Run], Decision | None] | None = None,
) -> bool:
    """Show `run` from where it is folded to (`run.seq`) until it is over or waits for a decision.

    `begin` is asked of the client once the subscription stands, so that no event is missed. `decide` gives
    what is to be decided now, if anything: it is called as soon as that is open, from this thread, while the
    run goes on. Returns False if it was interrupted. Raises what the engine raised.
    """
    subscription = engine.subscribe(run_id=run.id, after=run.seq)
    stopping = _Stopping(engine)
    try:
        with stopping.on_signals():
            if begin is not None:
                engine.call(begin).result()
            ended = engine.call(lambda client: client.wait(run.id))
            told = False
            while True:
                items = subscription.drain()
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
                            with stopping.aside():
                                decision()
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
        leave_at_once()
    finally:
        subscription.close()
        trace.close(run)
    return not stopping.asked or run.finished is not None


class _Stopping:
    """Two signals: the first begins to stop the engine, the second gives up waiting for that."""

    def __init__(self, engine: EngineThread) -> None:
        self._engine = engine
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._last_turn = False

    @property
    def asked(self) -> bool:
        return self._thread is not None

    @property
    def over(self) -> bool:
        """The engine has stopped, and one more turn was made to show its last events."""
        if not self._stopped.is_set():
            return False
        done, self._last_turn = self._last_turn, True
        return done

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self._thread is not None:
            _be_deaf()  # whoever hammers Ctrl-C would interrupt the leaving
            raise StopNow
        # Begun here and not in the loop: the main thread may be blocked in a write to a stalled terminal.
        self._thread = threading.Thread(target=self._stop, name="stopping", daemon=True)
        self._thread.start()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While a person is asked: Ctrl-C says that he would rather not be (`KeyboardInterrupt`), and a
        SIGTERM leaves the prompt, too, and stops.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def terminated(number: int, frame: FrameType | None) -> None:
            self._signalled(number, frame)
            raise KeyboardInterrupt

        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
            signal.SIGTERM: signal.signal(signal.SIGTERM, terminated),
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self) -> None:
        with suppress(Exception):  # an engine that fails now is stopped, too
            self._engine.call(lambda client: client.drain(DRAIN_S)).result()
        self._engine.stop(drain_s=0)
        self._stopped.set()
        # All is recorded. What is still to be said must not hold anybody up where nobody reads it.
        while not streams.CLOSED.wait(TURN_S):
            if streams.OUT.stalled(STALLED_S) or streams.ERR.stalled(STALLED_S):
                leave_at_once()

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self._signalled) for number in (signal.SIGINT, signal.SIGTERM)
        }
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _be_deaf() -> None:
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def leave_at_once() -> None:
    """As a crash would: what is recorded is recorded, the watchdog ends the children."""
    _be_deaf()

    def farewell() -> None:
        streams.note(
            ("\x1b[?25h" if streams.ERR.terminal else "") + "\nstopped at once: aethermind resume last"
        )

    # The terminal may be stalled: the word of farewell may not hold anybody up.
    thread = threading.Thread(target=farewell, daemon=True)
    thread.start()
    thread.join(0.2)
    os._exit(INTERRUPTED)
