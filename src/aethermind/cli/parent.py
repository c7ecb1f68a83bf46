"""The tiny parent between the shell and the process that owns an engine.

The shell waits for the parent; the engine lives in its child. So the shell can have its prompt back (ctrl+z,
"keep running in the background", a lost terminal) while the engine goes on in the same process, with its
calls in flight and its lease.

Rules
- The fork happens before any thread, lease or heavy import: this module imports nothing but the interpreter's
  own modules, and nothing else in the program forks.
- The parent only waits. It ends as its child ended, exit code or signal, or when the child says that it needs
  no terminal any more (SIGUSR1).
- ctrl+z is the child's to hear. It puts the terminal in order, goes on working, and asks the parent to stop
  (SIGUSR2); `fg` wakes the parent, which tells the child.
- What the terminal sends goes to both (one process group); what is sent to the parent alone it passes on.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import threading

OWNERS = frozenset({"answer", "approve", "attach", "fork", "reject", "resume", "retry", "run", "serve"})
"""Verbs that may own an engine for longer than a moment; without a verb it is the terminal UI."""
_VALUED = frozenset({"--connect", "--env-file", "--home", "--store", "--theme"})
"""Options before the verb that are followed by a value."""
_HARMLESS = frozenset({"-h", "--help", "--version", "-V"})
_WAITED = frozenset(
    {
        signal.SIGCHLD,
        signal.SIGHUP,
        signal.SIGINT,
        signal.SIGQUIT,
        signal.SIGTERM,
        signal.SIGTSTP,
        signal.SIGUSR1,
        signal.SIGUSR2,
    }
)
_ENDS = frozenset({signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1})
_KEYS = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP})
"""Signals that a terminal makes of keys, for the whole process group."""
_BY_KERNEL = 0x80
"""`si_code` of a signal that nobody sent (SI_KERNEL)."""
NUDGE_S = 0.3
"""After ctrl+z the child asks us to stop. If not, Python could not run its handler: the signal came just
before a call that blocks. It is sent again after so long."""
BACK_S = 0.1
"""After `bg` nobody tells when `fg` follows: so often it is looked."""
ECHO_S = 0.1
"""A signal that reached both (`kill %1`) comes twice to the child, within less than this."""


def _hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


class PutAside(BaseException):
    """ctrl+z while a person is asked: the question comes back with the terminal."""


class Link:
    """The child's end: whom it tells that it leaves the terminal, or that ctrl+z was pressed."""

    def __init__(self, parent: int, life: int, code: int) -> None:
        self._parent = parent
        self._code = code
        """Takes the exit code that the parent is to have."""
        self._life = life
        """Brings a byte when the parent goes on after a stop, and its end when it has died."""
        self._woken: threading.Event | None = None
        self._suspended = False

    def watch(self, lost: Callable[[], None] = _hang_up) -> None:
        """Hear the parent from now on, in a thread. `lost` is called there if it dies before `leave`.
        Idempotent.
        """
        if self._woken is not None:
            return
        import threading

        self._woken = threading.Event()
        threading.Thread(target=self._hear, args=(self._woken, lost), name="parent", daemon=True).start()

    def _hear(self, woken: threading.Event, lost: Callable[[], None]) -> None:
        while os.read(self._life, 1):
            woken.set()
        woken.set()
        if self._parent:
            lost()

    @property
    def alive(self) -> bool:
        return self._parent != 0 and os.getppid() == self._parent

    def leave(self, code: int = 0) -> None:
        """The shell may go on: the parent ends with this code. Idempotent."""
        if self.alive:
            parent, self._parent = self._parent, 0
            _write(self._code, bytes([code & 0xFF]))
            os.kill(parent, signal.SIGUSR1)

    def stop(self) -> bool:
        """Give the terminal to the shell until somebody types `fg`. Blocks; the terminal must be in order.
        False: nobody could give it back.
        """
        if not self.alive or self._woken is None:
            return False
        self._woken.clear()
        os.kill(self._parent, signal.SIGUSR2)
        self._woken.wait()
        return True

    def on_key(self, number: int, frame: FrameType | None) -> None:
        """What ctrl+z does where nobody does better."""
        self.suspend()

    def suspend(self) -> None:
        """ctrl+z: work on, quietly, while the shell has the terminal."""
        if self.alive and self.in_foreground:
            self._suspended = True
            if self._woken is not None:
                self._woken.clear()
            os.kill(self._parent, signal.SIGUSR2)

    @property
    def in_foreground(self) -> bool:
        """Whether the terminal is the user's and not his shell's: it is to be written to and read."""
        if self._suspended and not self.stopped and on_top():
            self._suspended = False
        return not self._suspended

    @property
    def stopped(self) -> bool:
        """Nobody has typed `fg` or `bg` since ctrl+z."""
        return self._suspended and self.alive and self._woken is not None and not self._woken.is_set()

    def wait_for_terminal(self) -> None:
        """Block until the shell has given it back."""
        if self._woken is not None:
            self._woken.wait()
        while not self.in_foreground and self.alive:
            time.sleep(BACK_S)


_LINKS: list[Link] = []


def link() -> Link | None:
    """In the child; None where there is no parent."""
    return _LINKS[0] if _LINKS else None


def wanted(arguments: Sequence[str]) -> bool:
    """Whether this command line owns an engine, and has a terminal that may want to be given back."""
    if _HARMLESS & set(arguments):
        return False
    given = verb(arguments)
    if given is not None and given not in OWNERS:
        return False
    if given is None and ("--plain" in arguments or os.environ.get("TERM") == "dumb"):
        return False  # a prompt: each command that is typed there opens and closes its own engine
    return "--detach" in arguments or any(map(_is_terminal, (0, 1, 2)))


def verb(arguments: Sequence[str]) -> str | None:
    """The first word that is neither an option nor an option's value."""
    rest = iter(arguments)
    for word in rest:
        if word in _VALUED:
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return None


def is_screen(arguments: Sequence[str]) -> bool:
    """Whether it will draw on the whole terminal."""
    return "--tui" in arguments or verb(arguments) in {None, "attach"}


def split(*, screen: bool) -> int | None:
    """Fork. None in the child; in the parent, when all is over, the exit code.

    `screen`: it will draw on the whole terminal, so it does not begin in the background (`aethermind &`).
    """
    if screen:
        _come_on_top()
    life, hold = os.pipe()
    said, code = os.pipe()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _WAITED)
    parent = os.getpid()
    child = os.fork()
    if child:
        os.close(life)
        os.close(code)
        return _wait(child, hold, said, screen=screen)
    os.close(hold)
    os.close(said)
    _LINKS.append(Link(parent, life, code))
    signal.signal(signal.SIGTSTP, _LINKS[0].on_key)
    # In the background, too: what is read there is nothing, and nobody is stopped.
    signal.signal(signal.SIGTTIN, signal.SIG_IGN)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return None


def is_echo(first: float) -> bool:
    """Whether a signal that comes now is the one of then (`time.monotonic()`), sent to both of us."""
    return bool(_LINKS) and time.monotonic() - first < ECHO_S


# --- the parent --------------------------------------------------------------------------------


def _wait(child: int, hold: int, said: int, *, screen: bool) -> int:
    # One that is ignored by default might not be kept while it is blocked.
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    stops = False
    while True:
        number, by_terminal = _next(NUDGE_S if stops else None)
        stops = number == signal.SIGTSTP and by_terminal
        if number == 0:
            _pass_on(child, signal.SIGTSTP)
        elif number == signal.SIGCHLD:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return _end_as(status)
        elif number == signal.SIGUSR1:
            return (os.read(said, 1) or b"\0")[0]
        elif number == signal.SIGUSR2:
            # As a program stops that hears ctrl+z: the kernel lets none stop whom no shell would wake. On a
            # screen it was a key: what stands between us and the shell (`make`, a script) has not heard it.
            _raise_unblocked(signal.SIGTSTP, group=screen)
            if screen:
                _come_on_top()
            _write(hold, b"c")
        elif not by_terminal:
            _pass_on(child, number)


def _next(timeout: float | None) -> tuple[int, bool]:
    """The next signal, and whether the child got it from the terminal by itself; 0 after so many seconds. A
    lost terminal is told to the leader of a session alone, and that may be us.
    """
    if hasattr(signal, "sigwaitinfo"):
        info = signal.sigwaitinfo(_WAITED) if timeout is None else signal.sigtimedwait(_WAITED, timeout)
        if info is None:
            return 0, False
        return info.si_signo, info.si_signo in _KEYS and info.si_code == _BY_KERNEL
    number = signal.sigwait(_WAITED)  # macOS does not say from whom
    return number, number in _KEYS


def _come_on_top() -> None:
    """Stop until the terminal is ours: after `bg` nothing may be drawn over the shell's prompt."""
    while not on_top() and not signal.sigpending() & _ENDS:
        _raise_unblocked(signal.SIGTTOU)
        if not on_top():
            time.sleep(0.02)  # not stopped: nobody would wake us


def on_top() -> bool:
    """Whether this process group has the terminal; also where there is none."""
    for number in (0, 2, 1):
        try:
            return os.tcgetpgrp(number) == os.getpgrp()
        except OSError:
            continue
    return True


def _raise_unblocked(number: signal.Signals, *, group: bool = False) -> None:
    handler = signal.signal(number, signal.SIG_DFL)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    os.kill(0 if group else os.getpid(), number)  # one with what the terminal has sent already
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    signal.signal(number, handler)


def _pass_on(child: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(child, number)


def _end_as(status: int) -> int:
    """The child's exit code, or its death by the same signal."""
    if not os.WIFSIGNALED(status):
        return os.waitstatus_to_exitcode(status)
    number = os.WTERMSIG(status)
    sys.stdout.flush()
    if number not in {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    return 128 + number


def _write(descriptor: int, data: bytes) -> None:
    with suppress(OSError):
        os.write(descriptor, data)


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False
