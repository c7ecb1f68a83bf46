"""Files below a directory, and nothing else.

Rules:
- A path is walked component by component through descriptors of directories, never by name from the root,
  so that nothing which is swapped meanwhile can lead the walk elsewhere.
- A symbolic link is followed by hand and only while it stays below the root; an absolute one never does.
- A file appears whole or not at all: it is written beside its place, synced, and renamed.
- Only ordinary files are opened: a pipe or a device would block, or do something.
- What is in `.git` or in a guarded directory (the product's own) is out of reach, however it is called.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self
from unicodedata import category

from aethermind import failpoints

_LINKS = 40
"""Symbolic links on one path, as in the kernel."""

_DEPTH = 100
"""Parts of a path: each is held open while it is walked."""

_OUT = "a symbolic link leads out of the working directory"
_GIT = "what is in .git can start programs"
_OURS = "what is there is aethermind's own"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Refused(Exception):
    """A path that may not be used. `reason` is what is shown, `hint` the repair."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def parts_of(path: str) -> list[str]:
    """The names on a relative path. Raises `Refused`."""
    # Joiners are part of how some scripts and emoji are spelled.
    if any(category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c not in "\u200c\u200d" for c in path):
        raise Refused("its name holds a character that is not shown")
    if path.startswith("/"):
        raise Refused("it is absolute", "give a path below the working directory")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise Refused("it holds ..", "give a path below the working directory")
    if any(is_git(part) for part in parts):
        raise Refused(_GIT)
    if len(parts) > _DEPTH:
        raise Refused(f"it has more than {_DEPTH} parts")
    return parts


def file_parts_of(path: str) -> list[str]:
    """The same for a path that has to name a file."""
    parts = parts_of(path)
    if not parts or path.endswith(("/", "/.")):
        raise Refused("it names no file")
    return parts


def is_git(part: str) -> bool:
    return part.casefold() == ".git"


class Guarded:
    """Directories that are out of reach wherever a root lies: known by name and, once they exist, by what
    they are."""

    def __init__(self, paths: Sequence[str] = ()) -> None:
        self._paths = tuple(dict.fromkeys(os.path.realpath(path).casefold() for path in paths))
        self._raw = tuple(paths)

    def check(self, root: str, names: Sequence[str], directory: int) -> None:
        """Refuse a place: the names on the way to it from `root`, and the directory that holds it."""
        if not self._paths:
            return
        place = str(Path(os.path.realpath(root), *names)).casefold()
        if any(place == path or place.startswith(path + os.sep) for path in self._paths):
            raise Refused(_OURS)
        here = os.fstat(directory)
        for path in self._raw:
            with suppress(OSError):
                found = Path(path).stat()
                if (found.st_dev, found.st_ino) == (here.st_dev, here.st_ino):
                    raise Refused(_OURS)


class Walk:
    """The chain of open directories from the root down to where the walk has come.

    `make`: directories that are missing on the way are made. Raises `OSError` if the root can't be opened.
    """

    def __init__(self, root: str, guarded: Guarded | None = None, *, make: bool = False) -> None:
        self._root = root
        self._guarded = guarded or Guarded()
        self._make = make
        self._chain = [os.open(root, _DIRECTORY)]
        self._names: list[str] = []
        self._links = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._chain:
            os.close(self._chain.pop())

    @property
    def directory(self) -> int:
        """A descriptor, open as long as the walk."""
        return self._chain[-1]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the directories from the root to there, links resolved."""
        return tuple(self._names)

    def to_directory_of(self, parts: Sequence[str]) -> str:
        """Go to the directory that holds the file, and return the file's name in it."""
        name = self._go(parts, into=False)
        if name is None:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return name

    def into(self, parts: Sequence[str]) -> None:
        """Go into a directory."""
        self._go(parts, into=True)

    def _go(self, parts: Sequence[str], *, into: bool) -> str | None:
        todo = list(parts)[::-1]
        while todo:
            part = todo.pop()
            if part in {"", "."}:
                continue
            if is_git(part):  # a link's
                raise Refused(_GIT)
            if part == "..":  # of a link
                if len(self._chain) == 1:
                    raise Refused(_OUT)
                os.close(self._chain.pop())
                self._names.pop()
                continue
            target = self._link(part)
            if target is not None:
                self._links += 1
                if self._links > _LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                if target.startswith("/"):
                    raise Refused(_OUT)
                todo += target.split("/")[::-1]
                continue
            self._guarded.check(self._root, [*self._names, part], self.directory)
            if todo or into:
                self._enter(part)
            else:
                return part
        self._guarded.check(self._root, self._names, self.directory)
        return None

    def _link(self, part: str) -> str | None:
        try:
            return os.readlink(part, dir_fd=self.directory)
        except OSError as error:
            if error.errno in {errno.EINVAL, errno.ENOENT}:
                return None
            raise

    def _enter(self, part: str) -> None:
        if self._make:
            with suppress(FileExistsError):
                os.mkdir(part, dir_fd=self.directory)
                os.fsync(self.directory)
        # If it has just become a link, this fails.
        self._chain.append(os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self.directory))
        self._names.append(part)


def read(directory: int, name: str, limit: int) -> bytes:
    """The first `limit` bytes of an ordinary file. Raises `Refused`, `OSError`."""
    # Opening a pipe would wait for its writer.
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    with os.fdopen(fd, "rb") as file:
        _only_ordinary(os.fstat(file.fileno()).st_mode)
        return file.read(limit)


def _only_ordinary(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise Refused("it is a directory" if stat.S_ISDIR(mode) else "it is no ordinary file")


def replace(directory: int, name: str, data: bytes) -> None:
    """Write a file anew; it keeps its mode. Raises `Refused`, `OSError`."""
    try:
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None:
        _only_ordinary(mode)
    with _temporary(directory) as (temporary, fd):
        with os.fdopen(fd, "wb") as file:
            if mode is not None:
                os.fchmod(file.fileno(), stat.S_IMODE(mode) & 0o777)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if failpoints.armed:
            failpoints.reached("file.draft")
        os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    os.fsync(directory)


@contextmanager
def _temporary(directory: int) -> Iterator[tuple[str, int]]:
    """A new file that is gone afterwards unless it was renamed."""
    name = f".{secrets.token_hex(8)}.aethermind"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(name, flags, 0o666, dir_fd=directory)
    try:
        yield name, fd
    except BaseException:
        with suppress(OSError):
            os.unlink(name, dir_fd=directory)
        raise


def reason_of(error: OSError) -> str:
    """In words, without the path."""
    if error.errno == errno.ENOTDIR:
        return "a part of it is a file, not a directory"
    return os.strerror(error.errno) if error.errno else str(error)
