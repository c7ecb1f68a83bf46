"""The clipboard, by whichever way works here; the sentence that comes back says by which.

    tmux     `tmux load-buffer -w`: tmux drops the escape sequence by default, but takes this and passes it on
    native   pbcopy, wl-copy, xclip, xsel: of this machine, so not over SSH
    osc52    the escape sequence that most terminals understand, up to 74,994 bytes
    file     a new file that only the user can read, when all else fails or the text is too long

Text is copied as it is, not cleaned: it goes to the user, not to the terminal.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

Way = Literal["auto", "native", "osc52", "file"]
CAP = 74_994
"""Bytes of base64 that terminals take in one sequence."""
_TIMEOUT_S = 2.0


async def copy(
    text: str,
    *,
    how: Way = "auto",
    osc52: Callable[[str], None],
    ssh: bool = False,
    env: Mapping[str, str] = os.environ,
) -> str:
    """Copy and say how. `osc52` writes the sequence for a text to the terminal (`App.copy_to_clipboard`).

    Raises `OSError` if not even a file can be written.
    """
    what = f"{len(text):,} character{'s' if len(text) != 1 else ''}"
    if how in {"auto", "native"}:
        for argv in commands(env, ssh=ssh and how == "auto"):
            if await asyncio.to_thread(_feed, argv, text):
                return f"copied {what} ({Path(argv[0]).name})"
    if how in {"auto", "osc52"} and len(b64encode(text.encode("utf-8", "replace"))) <= CAP:
        osc52(text)
        return f"copied {what} (OSC 52: if it did not arrive, your terminal does not take it)"
    path = await asyncio.to_thread(_spill, text)
    reason = "too long for the terminal's clipboard" if how != "file" else "as configured"
    return f"{what} saved to {path} ({reason})"


def commands(env: Mapping[str, str], *, ssh: bool) -> list[Sequence[str]]:
    """Programs that may take the text on stdin, best first; only those that are installed."""
    found: list[Sequence[str]] = []
    if env.get("TMUX"):
        found.append(("tmux", "load-buffer", "-w", "-"))
    if not ssh:
        if sys.platform == "darwin":
            found.append(("pbcopy",))
        if env.get("WAYLAND_DISPLAY"):
            found.append(("wl-copy",))
        if env.get("DISPLAY"):
            found += [("xclip", "-selection", "clipboard"), ("xsel", "--input", "--clipboard")]
    places = ((shutil.which(argv[0], path=env.get("PATH")), argv) for argv in found)
    return [(place, *argv[1:]) for place, argv in places if place is not None]


def _feed(argv: Sequence[str], text: str) -> bool:
    try:
        done = subprocess.run(
            argv,
            input=text.encode("utf-8", "replace"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _spill(text: str) -> Path:
    handle, name = tempfile.mkstemp(prefix="aethermind-copy-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
    return Path(name)
