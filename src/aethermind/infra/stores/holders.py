"""Which other processes hold locks on a database: so that one is told whom to ask. Linux only; elsewhere, and
where the kernel shows nothing, nobody is named.

No file is opened but the kernel's list: closing a handle of the database would drop our own locks.
"""

from __future__ import annotations

import os
from pathlib import Path

_WRITER = range(120, 121)
_READERS = range(123, 128)
"""Bytes of the `-shm` file that SQLite locks in WAL mode (see its `wal.c`)."""
_MOST = 3


def writers(database: Path) -> str:
    """`sqlite3 (pid 4711)`, or empty."""
    return _named(database, _WRITER)


def readers(database: Path) -> str:
    return _named(database, _READERS)


def _named(database: Path, places: range) -> str:
    try:
        there = database.with_name(database.name + "-shm").stat()
        table = Path("/proc/locks").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    place = f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}:{there.st_ino}"
    pids = sorted(found(table, place, places) - {os.getpid()})
    return ", ".join(_name(pid) for pid in pids[:_MOST])


def found(table: str, place: str, places: range) -> set[int]:
    """The pids in the kernel's list that hold a lock on one of these bytes of the file MAJOR:MINOR:INODE."""
    pids = set()
    for line in table.splitlines():
        fields = line.split()
        # `1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 120 120`; who only waits has `->` in the second column
        if len(fields) != 8 or fields[1] != "POSIX" or fields[5] != place or not fields[4].isdigit():
            continue
        first, last = fields[6], fields[7]
        end = places.stop if last == "EOF" else int(last)
        if int(first) < places.stop and end >= places.start and fields[4] != "0":
            pids.add(int(fields[4]))
    return pids


def _name(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"pid {pid}"
    shown = "".join(c for c in name if c.isprintable())
    return f"{shown} (pid {pid})"
