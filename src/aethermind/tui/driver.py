"""A driver that never waits for the terminal.

Textual's own hands frames to a thread through a queue of 30; when nobody reads the terminal (a dead SSH, a
suspended tmux client), the 31st frame blocks the event loop. Here, at most one frame is on its way:

- While one is, the app holds back painting (`on_busy`): what changes meanwhile stays marked and is painted
  once, when the terminal has taken the last frame (`on_idle`). A slow line so slows the screen down, not
  the program, and what it shows is never older than one frame.
- Whatever is written goes into a list that only this driver's thread empties. `write` never blocks.
- A terminal that is gone (EIO, EPIPE) is nobody's error: what is written is dropped.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from textual.drivers import linux_driver
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key
from textual.message import Message

_STOP_S = 1.0
"""How long leaving waits for a terminal that takes nothing."""
_MOST = 4_000_000
"""Characters that may wait. Frames stop long before; this bounds what else is written."""
_CHUNK = 65_536


class Writer(WriterThread):
    """Writes to the terminal in a thread of its own; the interface is Textual's."""

    def __init__(self, file: TextIO, *, on_busy: Callable[[], None], on_idle: Callable[[], None]) -> None:
        super().__init__(file)
        self._descriptor = file.fileno()
        self._encoding = file.encoding or "utf-8"
        self._waiting: deque[str] = deque()
        self._size = 0
        self._changed = threading.Condition()
        self._busy = False
        self._stopping = False
        self._gone = False
        self._on_busy = on_busy
        self._on_idle = on_idle
        self.written = 0
        """Bytes that the terminal has taken."""

    @property
    def busy(self) -> bool:
        """Something has not been taken yet."""
        return self._busy

    def write(self, text: str) -> None:
        with self._changed:
            if self._gone or self._size + len(text) > _MOST:
                return
            self._waiting.append(text)
            self._size += len(text)
            self._changed.notify()
            was_busy, self._busy = self._busy, True
        if not was_busy:
            self._on_busy()

    def run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._stopping:
                    self._changed.wait()
                if not self._waiting:
                    return
                text = "".join(self._waiting)
                self._waiting.clear()
                self._size = 0
            self._send(text.encode(self._encoding, "replace"))
            with self._changed:
                idle = not self._waiting
                if idle:
                    self._busy = False
            if idle:
                self._on_idle()

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view and not self._gone:
            try:
                taken = os.write(self._descriptor, view[:_CHUNK])
            except InterruptedError:
                continue
            except OSError:
                self._gone = True
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

    def start_application_mode(self) -> None:
        before = {number: signal.getsignal(number) for number in (signal.SIGTTIN, signal.SIGTTOU)}
        # The base class makes its writer by this name of its module.
        module: Any = linux_driver
        original = module.WriterThread
        module.WriterThread = self._make_writer
        try:
            super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual left it without types
        finally:
            module.WriterThread = original
            _restore(before)

    def process_message(self, message: Message) -> None:
        """In the thread that reads the terminal."""
        if isinstance(message, Key):
            precedence = getattr(self._app, "precedence", None)
            if precedence is not None:
                precedence.came()
        super().process_message(message)

    def _make_writer(self, file: TextIO) -> Writer:
        return Writer(file, on_busy=self._busy, on_idle=self._idle)

    def _busy(self) -> None:
        """In the loop's thread, right after something was written."""
        hold = getattr(self._app, "hold_painting", None)
        if hold is not None:
            hold()

    def _idle(self) -> None:
        """In the writer's thread."""
        release = getattr(self._app, "release_painting", None)
        if release is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(release)


def _restore(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        if handler is not None:  # one that was not set by Python can't be
            signal.signal(number, handler)
