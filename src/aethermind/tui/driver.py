"""A driver that never waits for the terminal.

Textual's own hands frames to a thread through a queue of 30; when nobody reads the terminal (a dead SSH, a
suspended tmux client), the 31st frame blocks the event loop. Here, at most one frame is on its way:

- While one is, the app holds back painting (`on_busy`): what changes meanwhile stays marked and is painted
  once, when the terminal has taken the last frame (`on_idle`). A slow line so slows the screen down, not
  the program, and what it shows is never older than one frame.
- Whatever is written goes into a list that only this driver's thread empties. `write` never blocks.
- The terminal's end of a slow line may be far behind what was written: what lies between takes much, and all
  of it would have to pass before a key's answer. So on such a line (SSH, low bandwidth, or one that was seen
  to be slow) each write ends with the question where the cursor is; when the answer comes, it has been shown.
  A terminal that does not answer is soon asked no more.
- A terminal that is gone (EIO, EPIPE) is nobody's error: what is written is dropped.
"""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, TextIO

from textual.drivers import linux_driver
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.events import CursorPosition, Key
from textual.message import Message

from aethermind.tui.incoming import Incoming
from aethermind.tui.outlet import Outlet

_STOP_S = 1.0
"""How long leaving waits for a terminal that takes nothing."""
_MOST = 4_000_000
"""Characters that may wait. Frames stop long before; this bounds what else is written."""
_CHUNK = 65_536
_WHERE = b"\x1b[6n"
_WINDOW = 2_048
"""Bytes that may be on their way while more is painted: a key's answer does not wait for what is small."""
_SLOW_S = 0.15
"""A write that took so long went into a slow line."""
_PATIENCE_S = 4.0
"""How long an answer is waited for; a quarter of it until the first has come."""
_MISSES = 2
_SETTLE_S = 1.0
"""How long leaving waits for the last answers: one that came later would be typed into the shell."""


class Writer(WriterThread):
    """Writes to the terminal in a thread of its own; the interface is Textual's.

    Where `acknowledged` (a slow line, see the module's docstring) what was written is taken only when the
    terminal has answered, but for `_WINDOW` bytes.
    """

    def __init__(
        self,
        file: TextIO,
        *,
        on_busy: Callable[[], None],
        on_idle: Callable[[], None],
        on_took: Callable[[float], None] | None = None,
        acknowledged: bool = False,
    ) -> None:
        super().__init__(file)
        self._descriptor = file.fileno()
        self._encoding = file.encoding or "utf-8"
        self._waiting: deque[str] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._busy = self._sending = False
        self._stopping = self._settled = False
        self._gone = False
        self._on_busy = on_busy
        self._on_idle = on_idle
        self._on_took = on_took
        self.acknowledged = acknowledged
        self._flight: deque[tuple[float, int]] = deque()
        """What was asked about and not answered yet: when it was sent, how many bytes."""
        self._answered = False
        self._unanswered = 0
        self.written = 0
        """Bytes that the terminal has taken."""
        self.dropped = False
        """Something was too much to wait: what is on the terminal is not what it should be."""

    @property
    def busy(self) -> bool:
        """Something has not been taken yet."""
        return self._busy

    def write(self, text: str) -> None:
        with self._changed:
            if self._gone or not text:
                return
            if self._size + len(text) > _MOST:
                self.dropped = True
                return
            self._waiting.append(text)
            self._size += len(text)
            self._changed.notify()
            was_busy, self._busy = self._busy, True
        if not was_busy:
            self._on_busy()

    def answer(self) -> None:
        """The terminal has come to what it was asked first. From any thread."""
        with self._changed:
            if not self._flight:
                return
            self._answered, self._unanswered = True, 0
            sent, _ = self._flight.popleft()
            self._changed.notify_all()
            idle = self._now_idle()
        self._tell(monotonic() - sent, idle=idle)

    def settle(self) -> None:
        """Ask no more, and wait for what was asked, while there is still somebody to read the answer."""
        with self._changed:
            self._settled, self.acknowledged = True, False
            self._changed.wait_for(lambda: self._gone or not self._flight, _SETTLE_S)

    def run(self) -> None:
        while (text := self._next()) is not None:
            if text:
                self._put(text)

    def _next(self) -> str | None:
        """What is to be written; "" if an answer was overdue instead; None at the end."""
        idle = False
        with self._changed:
            while not self._waiting:
                if self._stopping:
                    return None
                left = self._patience()
                if left is not None and left <= 0:
                    self._give_up()
                    idle = self._now_idle()
                    break
                self._changed.wait(left)
            else:
                text = "".join(self._waiting)
                self._waiting.clear()
                self._size = 0
                self._sending = True
                return text
        self._tell(None, idle=idle)
        return ""

    def _put(self, text: str) -> None:
        data, began = text.encode(self._encoding, "replace"), monotonic()
        with self._changed:  # before it is sent: the answer may be there at once
            if ask := self.acknowledged:
                data += _WHERE
                self._flight.append((began, len(data)))
        self._send(data)
        took = monotonic() - began
        with self._changed:
            self._sending = False
            if not (ask or self._settled) and took > _SLOW_S:
                self.acknowledged = self._unanswered < _MISSES  # a slow line, it seems
            idle = self._now_idle()
        self._tell(None if ask else took, idle=idle)

    def _now_idle(self) -> bool:
        """Whether it has just come to rest. With the lock held."""
        if (
            not self._busy
            or self._sending
            or self._waiting
            or sum(size for _, size in self._flight) > _WINDOW
        ):
            return False
        self._busy = False
        return True

    def _tell(self, took: float | None, *, idle: bool) -> None:
        if took is not None and self._on_took is not None:
            self._on_took(took)
        if idle:
            self._on_idle()

    def _patience(self) -> float | None:
        if not self._flight:
            return None
        most = _PATIENCE_S if self._answered else _PATIENCE_S / 4
        return self._flight[0][0] + most - monotonic()

    def _give_up(self) -> None:
        """An answer does not come. A terminal that never gave one is not asked again."""
        self._flight.clear()
        self._changed.notify_all()
        self._unanswered += 1
        if not self._answered and self._unanswered >= _MISSES:
            self.acknowledged = False

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self._gone:
            try:
                taken = os.write(self._descriptor, view[:_CHUNK])
            except InterruptedError:
                continue
            except OSError:
                with self._changed:
                    self._gone = True
                    self._changed.notify_all()
                return
            self.written += taken
            view = view[taken:]

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self.join(_STOP_S)


class PatientDriver(LinuxDriver):
    """Textual's driver for Linux and macOS with `Writer` in place of its own, and without its way to stop for
    ctrl+z: the engine lives in this process and must not stop (`leaving`).
    """

    def __init__(self, app: Any, **options: Any) -> None:
        before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}
        super().__init__(app, **options)
        _restore(before)
        self._ended = False

    def start_application_mode(self) -> None:
        before = {number: signal.getsignal(number) for number in (signal.SIGTTIN, signal.SIGTTOU)}
        # The base class makes its writer by this name of its module.
        module: Any = linux_driver
        original = module.WriterThread
        module.WriterThread = self._make_writer
        outlet = self._outlet
        if outlet is not None:
            outlet.forget()  # another program may have had the terminal
        try:
            super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual left it without types
        finally:
            module.WriterThread = original
            _restore(before)

    def stop_application_mode(self) -> None:
        if isinstance(self._writer_thread, Writer):
            self._writer_thread.settle()
        super().stop_application_mode()

    def run_input_thread(self) -> None:
        module: Any = linux_driver  # the base class makes its decoder by this name of its module
        module.getincrementaldecoder = lambda encoding: lambda: Incoming(self._over)
        try:
            super().run_input_thread()
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._over()

    def _over(self) -> None:
        """The terminal has ended. Whose controlling terminal it was is told by a signal; we may be another's,
        and reading on would only give nothing, again and again.
        """
        if not self._ended:
            self._ended = True
            os.kill(os.getpid(), signal.SIGHUP)
        self.exit_event.wait(0.2)

    def process_message(self, message: Message) -> None:
        """In the thread that reads the terminal."""
        if isinstance(message, CursorPosition):  # asked for by the writer, and of no other use
            if isinstance(self._writer_thread, Writer):
                self._writer_thread.answer()
            return
        outlet = self._outlet
        if isinstance(message, Key) and outlet is not None:
            outlet.precedence.came()
        super().process_message(message)

    @property
    def _outlet(self) -> Outlet | None:
        return getattr(self._app, "outlet", None)

    def _make_writer(self, file: TextIO) -> Writer:
        settings = getattr(self._app, "settings", None)
        far = settings is not None and (settings.ssh or settings.low_bandwidth)
        return Writer(file, on_busy=self._busy, on_idle=self._idle, on_took=self._took, acknowledged=far)

    def _busy(self) -> None:
        """In the loop's thread, right after something was written."""
        if self._outlet is not None:
            self._outlet.hold()

    def _idle(self) -> None:
        """In the writer's thread, or the one that reads the terminal."""
        outlet, writer = self._outlet, self._writer_thread
        if outlet is None or self._loop.is_closed():
            return
        if isinstance(writer, Writer) and writer.dropped:
            writer.dropped = False
            self._loop.call_soon_threadsafe(outlet.forget)
        self._loop.call_soon_threadsafe(outlet.release)

    def _took(self, seconds: float) -> None:
        """The same."""
        if self._outlet is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._outlet.took, seconds)


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        if handler is not None:  # one that was not set by Python can't be
            signal.signal(number, handler)
