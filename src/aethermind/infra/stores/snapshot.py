"""A copy of a database as of one moment."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path


def copy(source: sqlite3.Connection, target: Path) -> None:
    """All pages in one step, so that they are of one moment; whoever writes meanwhile is not held up."""
    with contextlib.closing(sqlite3.connect(target)) as into:
        source.backup(into, pages=-1)
