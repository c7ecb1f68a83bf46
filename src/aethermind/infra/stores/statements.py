"""SQL out of files: named blocks, and one statement for many rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from aethermind.infra.stores.state import Row

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"--.*$", re.MULTILINE)

CHUNK = 64
"""Most rows of one statement: beyond that a row costs more again."""


def blocks(file: str) -> dict[str, str]:
    """The named blocks of `sql/FILE`, without comments."""
    text = (Path(__file__).with_name("sql") / file).read_text(encoding="utf-8")
    parts = _NAME.split(text)
    return {name: _COMMENT.sub("", sql).strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


class ManyRows:
    """A statement with `{rows}`, for any number of rows.

    One call of SQLite takes up to `CHUNK` rows: `executemany` would give the interpreter lock away and
    take it back for each row, which a busy event loop answers with a wait each time. Sizes are powers of
    two, so that few statements have to be prepared.
    """

    def __init__(self, sql: str, columns: int) -> None:
        self._sql = sql
        self._values = f"({', '.join('?' * columns)})"
        self._by_size: dict[int, str] = {}
        self.single = self._for(1)

    def chunks(self, rows: Sequence[Row]) -> list[tuple[str, Sequence[object]]]:
        """Statements and flat parameters that together write these rows."""
        left = len(rows)
        if left == 1:
            return [(self.single, rows[0])]
        done = 0
        made: list[tuple[str, Sequence[object]]] = []
        while left:
            size = min(CHUNK, 1 << (left.bit_length() - 1))
            flat: list[object] = []
            for row in rows[done : done + size]:
                flat += row
            made.append((self._by_size.get(size) or self._for(size), flat))
            done += size
            left -= size
        return made

    def _for(self, size: int) -> str:
        sql = self._sql.replace("{rows}", "VALUES " + ", ".join([self._values] * size))
        self._by_size[size] = sql
        return sql
