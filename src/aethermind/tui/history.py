"""Lines that were typed before. Pure."""

from __future__ import annotations


class History:
    """Lines that were typed, and walking through those that begin as the present one does."""

    def __init__(self, *, limit: int = 200) -> None:
        self._lines: list[str] = []
        self._limit = limit
        self._found: list[str] = []
        self._at: int | None = None

    def add(self, line: str) -> None:
        """A line was done; the same one again moves to the end."""
        self.rest()
        if line in self._lines:
            self._lines.remove(line)
        self._lines = [*self._lines, line][-self._limit :]

    @property
    def lines(self) -> tuple[str, ...]:
        """All of them, the newest last."""
        return tuple(self._lines)

    def rest(self) -> None:
        """Something was typed: the next step begins anew."""
        self._at = None

    @property
    def walking(self) -> bool:
        return self._at is not None

    def older(self, line: str) -> str | None:
        """The line before; None: there is none."""
        if self._at is None:
            self._found = [*(known for known in self._lines if known.startswith(line)), line]
            self._at = len(self._found) - 1
        if self._at == 0:
            return None
        self._at -= 1
        return self._found[self._at]

    def newer(self) -> str | None:
        """The line after, at last what was typed; None: there is none."""
        if self._at is None or self._at + 1 >= len(self._found):
            return None
        self._at += 1
        return self._found[self._at]
