"""What signals do to a command that drives a run: stop it, put it aside, take its terminal away.

Two signals stop: the first begins to, the second gives up waiting for that. Where others need the engine, too
(it is another process's, or runs of theirs are at work in ours), Ctrl-C is about this one run: it is paused,
and the engine goes on. SIGTERM is about our engine.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

from aethermind.cli import headless, owning, parent, streams
from aethermind.cli.session import user
from aethermind.domain.run import Run
from aethermind.engine.client import Client
from aethermind.engine.hosting import EngineThread

DRAIN_S = headless.DRAIN_S
TURN_S = 0.25
STALLED_S = 1.0
"""After a Ctrl-C: so long may a write take before it is given up with all that was to follow."""
INTERRUPTED = 130
HUNG_UP = 129


class StopNow(BaseException):
    """The second Ctrl-C."""


class Stopping:
    """Of the run that is driven here."""

    def __init__(self, engine: EngineThread, run_id: str) -> None:
        self._engine = engine
        self._run_id = run_id
        self._owned = owning.of(engine)
        if self._owned is not None:
            self._owned.own.add(run_id)
        self._thread: threading.Thread | None = None
        self._asked_at = 0.0
        self._stopped = threading.Event()
        self._last_turn = False
        self._put_aside = False
        self.shared = False
        """Others need the engine, so it is this run alone that stops."""

    @property
    def asked(self) -> bool:
        return self._thread is not None

    @property
    def over(self) -> bool:
        """It has stopped, and one more turn was made to show its last events."""
        if not self._stopped.is_set():
            return False
        done, self._last_turn = self._last_turn, True
        return done

    def gives_way(self) -> bool:
        """Whether ctrl+z was pressed: the terminal is to be put in order, and `give_way` called."""
        return self._put_aside

    def give_way(self) -> None:
        """The shell may have the terminal."""
        self._put_aside = False
        if (link := parent.link()) is not None:
            link.suspend()

    def holds(self, *, over: bool, asks: bool) -> bool:
        """Whether nothing is to be shown: the shell has the terminal (ctrl+z), and nobody wants to stop.
        `over`: nothing more comes; after `bg` the outputs do not wait for `fg`. `asks`: the run waits for a
        person.
        """
        link = parent.link()
        if link is None or self.asked or link.in_foreground:
            return False
        return asks or link.stopped or not over

    def rest(self) -> None:
        """A turn in which nothing is shown."""
        self._stopped.wait(TURN_S)

    # --- signals -------------------------------------------------------------------------------

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self._signalled) for number in (signal.SIGINT, signal.SIGTERM)
        }
        if parent.link() is not None:
            before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._stopped_by_key)
        # `nohup` wants its streams to be written to the end.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            before[signal.SIGHUP] = signal.signal(signal.SIGHUP, self._hung_up)
        try:
            yield
        finally:
            for number, handler in before.items():
                # What has no terminal any more is not hung up again.
                if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
                    signal.signal(number, handler)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While a person is asked: Ctrl-C says that he would rather not be (`KeyboardInterrupt`), ctrl+z that
        he has to do with his shell first (`PutAside`), and a SIGTERM leaves the prompt, too, and stops.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def terminated(number: int, frame: FrameType | None) -> None:
            self._signalled(number, frame)
            raise KeyboardInterrupt

        def put_aside(number: int, frame: FrameType | None) -> None:
            if link is not None and link.in_foreground:
                raise parent.PutAside

        before = {
            signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
            signal.SIGTERM: signal.signal(signal.SIGTERM, terminated),
        }
        link = parent.link()
        if link is not None:
            before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, put_aside)
        try:
            yield
        except parent.PutAside:
            assert link is not None
            streams.note("")  # the prompt's line ends
            link.suspend()
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        if self._thread is not None:
            if parent.is_echo(self._asked_at):
                return
            _be_deaf()  # whoever hammers Ctrl-C would interrupt the leaving
            raise StopNow
        self._asked_at = time.monotonic()
        # Begun here and not in the loop: the main thread may be blocked in a write to a stalled terminal.
        stop = partial(self._stop, number)
        self._thread = threading.Thread(target=stop, name="stopping", daemon=True)
        self._thread.start()

    def _stopped_by_key(self, number: int, frame: FrameType | None) -> None:
        link = parent.link()
        self._put_aside = link is not None and link.in_foreground

    def _hung_up(self, number: int, frame: FrameType | None) -> None:
        """The terminal is lost. What is driven elsewhere needs nobody here."""
        if self._owned is None:
            raise SystemExit(HUNG_UP)
        self._owned.left.add(self._run_id)
        headless.detach(streams=False)

    # --- stopping ------------------------------------------------------------------------------

    def _stop(self, number: int) -> None:
        with suppress(Exception):  # an engine that fails now is stopped, too
            self.shared = self._is_shared(number)
            if self.shared:
                self._pause()
                self._stopped.set()
                return
            self._engine.call(lambda client: client.drain(DRAIN_S)).result()
        self._engine.stop(drain_s=0)
        self._stopped.set()
        # All is recorded. What is still to be said must not hold anybody up where nobody reads it.
        while not streams.CLOSED.wait(TURN_S):
            if streams.OUT.stalled(STALLED_S) or streams.ERR.stalled(STALLED_S):
                leave_at_once()

    def _is_shared(self, number: int) -> bool:
        if self._engine.attached is not None:
            return True
        return number == signal.SIGINT and self._owned is not None and bool(self._owned.others())

    def _pause(self) -> None:
        self._engine.call(partial(_pause, run_id=self._run_id)).result()
        with suppress(TimeoutError):
            self._engine.call(partial(_settled, run_id=self._run_id)).result(DRAIN_S)


async def _pause(client: Client, *, run_id: str) -> None:
    await client.pause(run_id, by=user())


async def _settled(client: Client, *, run_id: str) -> Run:
    return await client.wait(run_id)


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
