"""What a change makes of a text file: computed alike for the one who approves it and for the call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from aethermind.infra import rooted
from aethermind.infra.rooted import Refused
from aethermind.infra.secrets import MASK

MAX_WRITE = 2 * 1024 * 1024
"""Bytes of a file that is written or changed."""
_ABSENT = "absent"

Change = Callable[[bytes | None, dict[str, Any]], str]
"""What is in the file (None: there is none) and the arguments → what is in it afterwards."""


def written(before: bytes | None, arguments: dict[str, Any]) -> str:
    old = None if before is None else text_of(before)
    return _sound(old, arguments["content"])


def edited(before: bytes | None, arguments: dict[str, Any]) -> str:
    if before is None:
        raise Refused("there is no such file", "write_file makes one")
    text, old, new = text_of(before), arguments["old"], arguments["new"]
    wanted = arguments.get("count", 1)
    found = text.count(old)
    if not found and "\r\n" in text:  # it was shown with plain ends of lines
        old, new = (part.replace("\r\n", "\n").replace("\n", "\r\n") for part in (old, new))
        found = text.count(old)
    if not found:
        raise Refused(
            "`old` does not occur in it", "it has to be exact, spaces and line ends too: read it again"
        )
    if found != wanted:
        hint = "give more of what stands around it, or the count"
        raise Refused(f"`old` occurs {found} times in it, not {wanted}", hint)
    if old == new:
        raise Refused("`old` and `new` are the same")
    return _sound(text, text.replace(old, new))


def _sound(before: str | None, after: str) -> str:
    if len(after.encode()) > MAX_WRITE:
        raise Refused(f"it would be larger than {MAX_WRITE // 1024 // 1024} MiB")
    if "\0" in after:
        raise Refused("the text holds NUL, as only binary files do")
    if after.count(MASK) > (before or "").count(MASK):
        raise Refused(f"the text holds {MASK}, which stands for a secret that was not shown", "use edit_file")
    return after


def current(directory: int, name: str) -> bytes | None:
    try:
        data = rooted.read(directory, name, MAX_WRITE + 1)
    except FileNotFoundError:
        return None
    if len(data) > MAX_WRITE:
        raise Refused(f"it is larger than {MAX_WRITE // 1024 // 1024} MiB")
    return data


def text_of(data: bytes) -> str:
    if b"\0" in data[:8192]:
        raise Refused(f"it is binary ({len(data)} bytes)")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Refused("it is no UTF-8 text") from None


def digest(data: bytes | None) -> str:
    return _ABSENT if data is None else hashlib.sha256(data).hexdigest()
