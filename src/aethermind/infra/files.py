"""Files that steps write: the adapter of the port `Files`.

Rules:
- A path is walked component by component through descriptors of directories, never by name from the root,
  so that nothing which is swapped meanwhile can lead the walk elsewhere.
- A symbolic link is followed by hand and only while it stays below the root; an absolute one never does.
- A file appears whole or not at all: it is written beside its place, synced, and renamed.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self
from unicodedata import category

from aethermind import failpoints
from aethermind.domain.errors import ErrorInfo, StepFailure
from aethermind.infra.sanitize import clean_line

_LINKS = 40
"""Symbolic links on one path, as in the kernel."""

_OUT = "a symbolic link leads out of the working directory"
_GIT = "what is in .git can start programs"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class LocalFiles:
    """Writes on worker threads. A cancelled `save` ends before the cancellation goes on."""

    async def save(self, cwd: str, path: str, text: str) -> str:
        """Write `text` as UTF-8 to `path` below `cwd`; missing directories are made, an existing file keeps
        its mode. Returns the path without needless parts. Raises `StepFailure` (kind `bad_request`)."""
        work = asyncio.get_running_loop().run_in_executor(None, save, cwd, path, text)
        cancelled = None
        while not work.done():
            try:
                await asyncio.wait({work})
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled:
            work.exception()
            raise cancelled
        return work.result()


def save(cwd: str, path: str, text: str) -> str:
    """As `LocalFiles.save`, here and now."""
    parts = _parts(path)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise _refused(path, "its text holds half a surrogate pair") from None
    try:
        with _Walk(cwd) as walk:
            name = walk.to_directory_of(path, parts)
            _replace(walk.directory, path, name, data)
    except OSError as error:
        raise _refused(path, _reason(error)) from error
    return "/".join(parts)


def _parts(path: str) -> list[str]:
    # Joiners are part of how some scripts and emoji are spelled.
    if any(category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and c not in "\u200c\u200d" for c in path):
        raise _refused(path, "its name holds a character that is not shown")
    if path.startswith("/"):
        raise _refused(path, "it is absolute", "give a path below the working directory")
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if not parts or path.endswith(("/", "/.")):
        raise _refused(path, "it names no file")
    if ".." in parts:
        raise _refused(path, "it holds ..", "give a path below the working directory")
    if any(_is_git(part) for part in parts):
        raise _refused(path, _GIT)
    return parts


def _is_git(part: str) -> bool:
    return part.casefold() == ".git"


class _Walk:
    """The chain of open directories from the root down to where the walk has come."""

    def __init__(self, root: str) -> None:
        self._chain = [os.open(root, _DIRECTORY)]
        self._links = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._chain:
            os.close(self._chain.pop())

    @property
    def directory(self) -> int:
        return self._chain[-1]

    def to_directory_of(self, path: str, parts: list[str]) -> str:
        """Open the directory that holds the file, and return the file's name in it."""
        todo = parts[::-1]
        while todo:
            part = todo.pop()
            if part in {"", "."}:
                continue
            if _is_git(part):  # a link's
                raise _refused(path, _GIT)
            if part == "..":  # of a link
                if len(self._chain) == 1:
                    raise _refused(path, _OUT)
                os.close(self._chain.pop())
                continue
            target = self._link(part)
            if target is not None:
                self._links += 1
                if self._links > _LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                if target.startswith("/"):
                    raise _refused(path, _OUT)
                todo += target.split("/")[::-1]
            elif todo:
                self._enter(part)
            else:
                return part
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))

    def _link(self, part: str) -> str | None:
        try:
            return os.readlink(part, dir_fd=self.directory)
        except OSError as error:
            if error.errno in {errno.EINVAL, errno.ENOENT}:
                return None
            raise

    def _enter(self, part: str) -> None:
        with suppress(FileExistsError):
            os.mkdir(part, dir_fd=self.directory)
            os.fsync(self.directory)
        # If it has just become a link, this fails.
        self._chain.append(os.open(part, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self.directory))


def _replace(directory: int, path: str, name: str, data: bytes) -> None:
    try:
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        raise _refused(path, "it is a directory" if stat.S_ISDIR(mode) else "it is no ordinary file")
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


def _reason(error: OSError) -> str:
    if error.errno == errno.ENOTDIR:
        return "a part of it is a file, not a directory"
    return os.strerror(error.errno) if error.errno else str(error)


def _refused(path: str, reason: str, hint: str | None = None) -> StepFailure:
    message = f"cannot save {clean_line(path)}: {reason}"
    return StepFailure(ErrorInfo(kind="bad_request", message=message, hint=hint))
