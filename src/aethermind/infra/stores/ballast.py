"""A file beside the database that takes up room on its disk, to be given away when the disk is full.

What was paid for is then recorded with that room. The blocks are really allocated: a file of holes, or of
zeros on a file system that compresses, would hold no room.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

SIZE = 8 << 20
CLEARLY = 3
"""It is made where there is room for this many of it: else it would make the disk full itself."""
_BLOCK = 1 << 20


def free_bytes(directory: Path) -> int:
    """What an ordinary user can still write there; 0 if that can't be found out."""
    try:
        found = os.statvfs(directory)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


class Ballast:
    """`aethermind.db.ballast` beside `aethermind.db`. No method raises: without it one is as well off as if
    there had never been one."""

    def __init__(self, database: Path, *, size: int = SIZE, free: Callable[[Path], int] = free_bytes) -> None:
        self.path = database.with_name(database.name + ".ballast")
        self._size = size
        self._free = free

    def make(self) -> bool:
        """Have it there, if there is clearly room; whether it is."""
        if self._is_whole():
            return True
        if self._free(self.path.parent) < self.needs:
            return False
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            return False
        try:
            _allocate(handle, self._size)
        except OSError:
            self.spend()
            return False
        finally:
            os.close(handle)
        return True

    def spend(self) -> bool:
        """Give its room back to the disk; False if there was none to give."""
        try:
            had = self.path.lstat().st_size > 0
            self.path.unlink()
        except OSError:
            return False
        return had

    @property
    def needs(self) -> int:
        """Bytes that must be free for it to be made."""
        return CLEARLY * self._size

    def _is_whole(self) -> bool:
        try:
            there = self.path.lstat()
        except OSError:
            return False
        return there.st_size >= self._size and there.st_blocks * 512 >= self._size


def _allocate(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)
        return
    for _ in range(0, size, _BLOCK):
        os.write(handle, os.urandom(min(_BLOCK, size)))  # random: nothing can make it smaller
    os.fsync(handle)
