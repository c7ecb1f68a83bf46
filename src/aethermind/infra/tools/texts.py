"""Long texts cut to what a model is given."""

from __future__ import annotations

from collections import deque

_HEAD = 0.6
"""How much of a cut text is its beginning; the end of an output often says what went wrong."""


def cut(text: str, limit: int) -> tuple[str, bool]:
    """The text in at most `limit` bytes of UTF-8 (and a few words that say what is left out), and whether
    it had to be cut."""
    if len(text) * 4 <= limit or len(data := text.encode()) <= limit:
        return text, False
    first = int(limit * _HEAD)
    head = data[:first].decode(errors="ignore")
    tail = data[len(data) - (limit - first) :].decode(errors="ignore")
    left_out = len(data) - len(head.encode()) - len(tail.encode())
    return f"{head}\n[… {left_out} bytes left out …]\n{tail}", True


class Tail:
    """The last lines of something that is being written, for when its end never comes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lines: deque[str] = deque()
        self._size = 0
        self.dropped = False

    def add(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line) + 1
        while self._size > self._limit and len(self._lines) > 1:
            self._size -= len(self._lines.popleft()) + 1
            self.dropped = True

    def text(self) -> str:
        return "\n".join(self._lines)
