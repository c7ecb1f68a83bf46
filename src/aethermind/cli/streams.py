"""The standard streams. What is written to them never raises in the middle of a run: a reader that has gone
away, a full disk or a dead terminal are noted, and told at the end where that is possible.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TextIO

GONE = frozenset({errno.EPIPE, errno.EIO, errno.ESHUTDOWN, errno.ECONNRESET, errno.ENXIO})
"""Nobody reads any more: no error of ours."""


class OutputClosed(Exception):
    """Nobody reads what a listing prints: there is no point in going on."""


class Stream:
    """One standard stream, looked up at each write, so that tests can replace it."""

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        self.name = name
        self.error: OSError | None = None
        self._writing_since: float | None = None

    @property
    def file(self) -> TextIO:
        file: TextIO = getattr(sys, self.name)
        return file

    @property
    def terminal(self) -> bool:
        try:
            return self.file.isatty()
        except ValueError:
            return False

    def write(self, text: str, *, flush: bool = True) -> None:
        """Write, and forget what cannot be written."""
        if self.error is not None:
            return
        if _PASSING.is_set():
            _PASSING.clear()
            text = f"{_CLEAR}{text}"
        try:
            with self.writing():
                self.file.write(text)
                if flush:
                    self.file.flush()
        except OSError as error:
            self.fail(error)
        except ValueError:  # the stream was closed by somebody
            self.fail(OSError(errno.EPIPE, os.strerror(errno.EPIPE)))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around whatever may have to wait for the reader."""
        self._writing_since = time.monotonic()
        try:
            yield
        finally:
            self._writing_since = None

    def stalled(self, seconds: float) -> bool:
        """Whether somebody has been writing for that long, because nobody reads. From any thread."""
        since = self._writing_since
        return since is not None and time.monotonic() - since > seconds

    def flush(self) -> None:
        self.write("", flush=True)

    def fail(self, error: OSError) -> None:
        """Note the error; what is still buffered goes nowhere, else the interpreter trips at exit."""
        self.error = error
        try:
            number = self.file.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
        except (OSError, ValueError):
            pass  # not a real descriptor


OUT = Stream("stdout")
ERR = Stream("stderr")
CLOSED = threading.Event()
"""All has been written that this command had to say."""
PLAIN = threading.Event()
"""Lines only, for a screen reader or a terminal that can do nothing else: no colour, no cursor that moves,
each state as a word."""
WORDS = threading.Event()
"""Besides, no signs for states: they would be read aloud."""


_PASSING = threading.Event()
"""A line stands on the terminal that goes before anything else is written."""
_CLEAR = "\x1b[2K"
"""The line of the cursor."""


def pass_by(text: str) -> None:
    """A line on a terminal that goes again: with whatever is written next, or with `passed`."""
    if OUT.terminal and not PLAIN.is_set():
        OUT.write(f"{text}\r")
        _PASSING.set()


def passed() -> None:
    """It has served."""
    if _PASSING.is_set():
        OUT.write("")


def be_plain(*, words: bool = False) -> None:
    """From now on, until this command ends."""
    PLAIN.set()
    if words:
        WORDS.set()


def prepare() -> None:
    """Before anything is written: whatever a run produced can be printed in any encoding."""
    for event in (CLOSED, PLAIN, WORDS, _PASSING):
        event.clear()
    if (OUT.terminal or ERR.terminal) and os.environ.get("TERM") == "dumb":
        be_plain(words=True)
    for stream in (OUT, ERR):
        stream.error = None
        reconfigure = getattr(stream.file, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def close(code: int) -> int:
    """Flush both streams; the exit code, 1 where an output was lost (a reader that left is no loss)."""
    OUT.flush()
    error = OUT.error
    if error is not None and error.errno not in GONE:
        ERR.write(f"aethermind: cannot write the output: {os.strerror(error.errno or errno.EIO)}\n")
        code = code or 1
    ERR.flush()
    CLOSED.set()
    return code


def say(text: str = "") -> None:
    """A line of a listing on stdout. Raises `OutputClosed` when nobody reads it."""
    OUT.write(text + "\n", flush=False)
    if OUT.error is not None:
        raise OutputClosed


def note(text: str) -> None:
    """A line on stderr."""
    ERR.write(text + "\n")


def on_terminal() -> bool:
    """Whether a person can be asked: stdin and stdout are a terminal."""
    return _is_terminal(sys.stdin) and OUT.terminal


def takes_screen() -> bool:
    """Whether the terminal UI can be drawn: on a terminal, or through the driver of `serve --web`."""
    return on_terminal() or bool(os.environ.get("TEXTUAL_DRIVER"))


def can_ask() -> bool:
    """Whether a question can be put on stderr and answered on stdin."""
    return _is_terminal(sys.stdin) and ERR.terminal


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False


def unicode_fits(stream: Stream) -> bool:
    """Whether glyphs beyond ASCII can be written to this stream."""
    return (stream.file.encoding or "").lower().replace("-", "").startswith("utf")


def draws(stream: Stream) -> bool:
    """Whether this terminal can move its cursor."""
    return (
        stream.terminal and not PLAIN.is_set() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}
    )


def colours(stream: Stream) -> bool:
    """Colours only for a terminal that has some, and for somebody who wants them (https://no-color.org)."""
    if PLAIN.is_set() or os.environ.get("NO_COLOR"):
        return False
    return stream.terminal and os.environ.get("TERM") != "dumb"
