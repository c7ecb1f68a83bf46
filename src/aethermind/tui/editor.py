"""The user's editor, with the screen given back to the terminal while it runs.

Runs go on meanwhile: the engine has its own thread, and what it recorded is caught up with afterwards.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import SuspendNotSupported

from aethermind.domain.errors import NotFoundError
from aethermind.tui.typed import forget_typed

if TYPE_CHECKING:
    from aethermind.tui.context import Context

_PLUS = frozenset(
    {"emacs", "emacsclient", "ex", "gvim", "joe", "kak", "mcedit", "mg", "micro", "nano", "ne", "nvim"}
    | {"pico", "vi", "view", "vim"}
)
"""Editors that take `+LINE FILE`."""
_COLON = frozenset({"helix", "hx", "subl", "zed"})
"""`FILE:LINE`"""
_GOTO = frozenset({"code", "code-insiders", "codium", "cursor"})
"""`--goto FILE:LINE`"""


def command(env: Mapping[str, str] = os.environ) -> list[str]:
    """The editor as an argv list: $VISUAL, $EDITOR, or what is installed. Raises `NotFoundError`."""
    for name in ("VISUAL", "EDITOR"):
        if words := shlex.split(env.get(name, "")):
            return words
    for program in ("nano", "vim", "vi"):
        if found := shutil.which(program, path=env.get("PATH")):
            return [found]
    raise NotFoundError("no editor found", hint="set EDITOR")


def opening(argv: Sequence[str], path: Path, line: int | None) -> list[str]:
    """The editor's command line for this line of the file, in the way this editor takes it; one that is not
    known just opens the file.
    """
    if line is None or line < 2:
        return [*argv, str(path)]
    program = Path(argv[0]).name
    if program in _PLUS:
        return [*argv, f"+{line}", str(path)]
    if program in _COLON:
        return [*argv, f"{path}:{line}"]
    if program in _GOTO:
        return [*argv, "--goto", f"{path}:{line}"]
    return [*argv, str(path)]


async def edit(context: Context, path: Path, *, line: int | None = None) -> None:
    """Open a file, at a line, and come back when the editor is closed."""
    argv = opening(command(), path, line)
    try:
        with context.app.suspend():
            context.app.leaving.lent = True
            try:
                done = _run(argv)
            finally:
                context.app.leaving.lent = False
    except SuspendNotSupported:
        context.toast("this terminal cannot be handed to an editor", "warning")
        return
    context.app.refresh(layout=True)
    if done is None:
        context.toast(f"{argv[0]} could not be started: set EDITOR", "error")
    elif done != 0:
        context.toast(f"{argv[0]} ended with exit code {done}", "warning")


async def read(context: Context, text: str, *, name: str) -> None:
    """Open a copy of a text; what is changed in it is not kept."""
    with tempfile.TemporaryDirectory(prefix="aethermind-") as folder:
        path = Path(folder) / f"{name}.md"
        path.write_text(text, encoding="utf-8", errors="replace")
        await edit(context, path)


def _run(argv: list[str]) -> int | None:
    """The exit code; None if it could not be started. Blocks: the terminal is not ours meanwhile."""
    try:
        code = subprocess.run(argv, check=False).returncode
    except OSError:
        return None
    forget_typed()  # what came too late for the editor is not meant for the screen
    return code
