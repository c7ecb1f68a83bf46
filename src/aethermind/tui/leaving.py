"""What becomes of the engine and of the terminal when the screen is left. Who starts the screen says what
can."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aethermind.tui.typed import forget_typed

if TYPE_CHECKING:
    from aethermind.tui.context import Context


@dataclass
class Leaving:
    """`owns`: leaving ends the engine, unless it is kept · `keeps`: it can go on without a terminal."""

    owns: bool = True
    keeps: bool = False
    to_shell: Callable[[], bool] | None = None
    """Gives the terminal to the shell until it comes back; blocks. False: there is no shell that could."""
    kept: bool = False
    """The user wants the engine to go on."""
    stopped: bool = False
    """The user wants what runs to be stopped."""
    lent: bool = False
    """Another program has the terminal: ctrl+z is its to hear."""


async def suspend(context: Context, argument: str = "") -> None:
    """ctrl+z: the shell has the terminal, and all that runs goes on, until somebody types `fg`."""
    from textual.app import SuspendNotSupported

    to_shell = context.app.leaving.to_shell
    if to_shell is None:
        context.toast("no shell here would bring the screen back: q leaves it", "warning")
        return
    came_back = False
    try:
        with context.app.suspend():
            _tell("aethermind goes on; fg brings the screen back")
            came_back = to_shell()  # the engine has a thread of its own: it does not wait here
            forget_typed()  # what was meant for the shell
    except SuspendNotSupported:
        context.toast("this terminal cannot be handed to a shell", "warning")
        return
    context.app.refresh(layout=True)
    if not came_back:
        context.toast("no shell here would bring the screen back: q leaves it", "warning")


def _tell(line: str) -> None:
    if sys.__stderr__ is not None:
        with suppress(OSError, ValueError):
            os.write(sys.__stderr__.fileno(), f"{line}\n".encode())
