"""A disk that fails on demand and remembers everything: a VFS of SQLite, written in Python.

Reads, locks and shared memory are those of the real file. Each write, truncation, sync and deletion is
noted in the order in which SQLite asked for it; a sync is only noted, as no power will fail.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

_NUMBERS = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Write:
    file: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Truncate:
    file: str
    size: int


@dataclass(frozen=True, slots=True)
class Sync:
    file: str


@dataclass(frozen=True, slots=True)
class Delete:
    file: str
    synced: bool
    """The directory is on the disk before it returns."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A commit returned: all up to this seq is acknowledged from here on."""

    seq: int


Op = Write | Truncate | Sync | Delete | Mark
Fault = Callable[[Op], BaseException | None]
"""Looks at what is about to be done; gives what is raised instead, or None."""


class Disk:
    """One database's disk. `connect` (in `connection`) opens a file on it."""

    def __init__(self) -> None:
        self.name = f"faulty-{next(_NUMBERS)}"
        self.journal: list[Op] = []
        self.fault: Fault | None = None
        self.room: int | None = None
        """Bytes that files may still grow by; None: any number."""
        self._sizes: dict[str, int] = {}
        self._vfs = _Vfs(self)

    def fail(self, fits: Callable[[Op], bool], *, after: int = 0, times: int = 1) -> _Failing:
        """From now on answer the `times` operations that fit, after skipping `after` of them, with an error
        of the disk."""
        self.fault = failing = _Failing(fits, after, times)
        return failing

    def heal(self) -> None:
        self.fault = None
        self.room = None

    def do(self, op: Op) -> None:
        """Note an operation, or raise."""
        if self.fault is not None and (error := self.fault(op)) is not None:
            raise error
        if isinstance(op, Write):
            self._grow(op)
        elif isinstance(op, Truncate):
            self._sizes[op.file] = op.size
        elif isinstance(op, Delete):
            self._sizes.pop(op.file, None)
        self.journal.append(op)

    def _grow(self, op: Write) -> None:
        size, end = self._sizes.get(op.file, 0), op.offset + len(op.data)
        if end <= size:
            return
        if self.room is not None:
            if end - size > self.room:
                raise apsw.FullError("the faulty disk is full")
            self.room -= end - size
        self._sizes[op.file] = end


class _Failing:
    def __init__(self, fits: Callable[[Op], bool], after: int, times: int) -> None:
        self._fits = fits
        self._after = after
        self.left = times
        self.done = 0
        """How often it failed."""

    def __call__(self, op: Op) -> BaseException | None:
        if self.left == 0 or not self._fits(op):
            return None
        if self._after:
            self._after -= 1
            return None
        self.left -= 1
        self.done += 1
        return apsw.IOError("the faulty disk can't")


def syncs(suffix: str) -> Callable[[Op], bool]:
    return lambda op: isinstance(op, Sync) and op.file.endswith(suffix)


def writes(suffix: str) -> Callable[[Op], bool]:
    return lambda op: isinstance(op, Write) and op.file.endswith(suffix)


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        super().__init__(disk.name, base="unix")
        self._disk = disk

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802  # SQLite's name
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802  # SQLite's name
        self._disk.do(Delete(Path(filename).name, syncdir))
        super().xDelete(filename, syncdir)


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._disk = disk
        self._name = Path(path).name if path else ""

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802  # SQLite's name
        if self._name:  # one without is a temporary file, which no crash needs to keep
            self._disk.do(Write(self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802  # SQLite's name
        if self._name:
            self._disk.do(Truncate(self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802  # SQLite's name
        if self._name:
            self._disk.do(Sync(self._name))
