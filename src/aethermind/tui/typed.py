"""Keys that were typed before what they would answer was there."""

from __future__ import annotations

import sys
import termios
from contextlib import suppress


def forget_typed() -> None:
    """Drop what waits in the terminal's input; nothing where stdin is no terminal."""
    with suppress(termios.error, OSError, ValueError):  # gone, or closed
        if sys.stdin is not None and sys.stdin.isatty():
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
