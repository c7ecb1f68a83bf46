"""The clipboard, by whichever way works here; the sentence that comes back says by which.

    tmux     `tmux load-buffer -w`: tmux drops the escape sequence by default, but takes this and passes it on
    native   pbcopy, wl-copy, xclip, xsel: of this machine, so not over SSH
    osc52    the escape sequence that most terminals understand, up to 74,994 bytes; within tmux and screen
             wrapped, so that they pass it on to the terminal they run in
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
from typing import Literal, assert_never

Way = Literal["auto", "native", "osc52", "file"]
CAP = 74_994
"""Bytes of text whose sequence is not longer than the 100,000 bytes that terminals take in one."""
SCREEN_CHUNK = 512
"""Characters that screen passes on in one piece: longer ones it drops."""
ESCAPE = "\x1b"
END = "\x1b\\"
_TIMEOUT_S = 2.0


async def copy(
    text: str,
    *,
    how: Way = "auto",
    write: Callable[[str], None],
    ssh: bool = False,
    env: Mapping[str, str] = os.environ,
) -> str:
    """Copy and say how. `write` takes an escape sequence to the terminal.

    Raises `OSError` if not even a file can be written.
    """
    what = f"{len(text):,} character{'s' if len(text) != 1 else ''}"
    if how in {"auto", "native"}:
        for argv in commands(env, ssh=ssh and how == "auto"):
            if await asyncio.to_thread(_feed, argv, text):
                return f"copied {what} ({Path(argv[0]).name})"
    if how in {"auto", "osc52"} and len(text.encode("utf-8", "replace")) <= CAP:
        host = multiplexer(env)
        write(osc52(text, host))
        through = f" through {host}" if host else ""
        return f"copied {what} (OSC 52{through}: if it did not arrive, your terminal does not take it)"
    path = await asyncio.to_thread(_spill, text)
    reason = "too long for the terminal's clipboard" if how != "file" else "as configured"
    return f"{what} saved to {path} ({reason})"


def multiplexer(env: Mapping[str, str]) -> Literal["tmux", "screen", ""]:
    """What stands between this program and the terminal. Over SSH only TERM tells."""
    term = env.get("TERM", "")
    if env.get("TMUX") or term.startswith("tmux"):
        return "tmux"
    return "screen" if env.get("STY") or term.startswith("screen") else ""


def osc52(text: str, host: Literal["tmux", "screen", ""] = "") -> str:
    """The sequence that copies this text. Within tmux both the plain one, which it takes for itself where
    `set-clipboard` is on, and one to be passed on, which it does where `allow-passthrough` is.
    """
    plain = f"\x1b]52;c;{b64encode(text.encode('utf-8', 'replace')).decode()}\a"
    match host:
        case "tmux":
            return f"{plain}\x1bPtmux;{plain.replace(ESCAPE, ESCAPE * 2)}{END}"
        case "screen":
            parts = (plain[at : at + SCREEN_CHUNK] for at in range(0, len(plain), SCREEN_CHUNK))
            return "".join(f"\x1bP{part}{END}" for part in parts)
        case "":
            return plain
        case _:
            assert_never(host)


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
