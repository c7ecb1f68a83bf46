"""Who owns a data directory: an exclusive `flock` on a file beside the database.

Rules
- The kernel frees the lock when its holder dies, however it dies: no clocks, no stale leases.
- The file is never deleted: two processes could otherwise each hold a lock on a file of that name.
- The file descriptor is closed on exec and must not live on in a fork, or a child would hold the lease.
- Each owner has a higher epoch than the one before, also across crashes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path

from aethermind.domain.errors import BusyError, InvalidError, StoreError

FILE = "engine.lease"
PATIENCE = 50
PAUSE_S = 0.002
"""How often, and how far apart, it is tried again while nobody says that he owns it."""


class Lease:
    """The right to write to the data in `directory`, held until `release` or the end of the process."""

    def __init__(self, path: Path, fd: int, epoch: int) -> None:
        self.path = path
        self.epoch = epoch
        """Counts the owners of this directory, from 1."""
        self._fd: int | None = fd

    @classmethod
    def acquire(cls, directory: str | Path, name: str = FILE) -> Lease:
        """Take the lease at once. `name`: of its file, where a directory holds several databases.

        Raises `BusyError` naming the pid of the owner, `InvalidError` if the directory can't be written to.
        """
        path = Path(directory) / name
        for _ in range(PATIENCE):
            fd = _open(path)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_still(path, fd):  # nobody put another file in its place
                    epoch = _read(fd)[0] + 1
                    _write(fd, epoch, os.getpid())
                    return cls(path, fd, epoch)
            except BlockingIOError:
                pid = _read(fd)[1]
                if pid and _is_alive(pid):
                    os.close(fd)
                    raise BusyError(f"the engine with pid {pid} owns the data in {path.parent}") from None
                # Its new owner has not written its pid yet, or somebody only asks who owns it.
                time.sleep(PAUSE_S)
            except OSError as error:
                os.close(fd)
                raise _explain(path, error) from error
            os.close(fd)
        raise BusyError(f"another engine owns the data in {path.parent}")

    @staticmethod
    def owner(directory: str | Path, name: str = FILE) -> str | None:
        """Who holds it, in words; None if nobody does. Takes nothing and writes nothing."""
        pid = Lease.holder(directory, name)
        if pid is None:
            return None
        return f"the engine with pid {pid}" if pid else "another engine"

    @staticmethod
    def holder(directory: str | Path, name: str = FILE) -> int | None:
        """Its pid; 0 if somebody holds it who has not said who he is, None if nobody does."""
        try:
            fd = os.open(Path(directory) / name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            for _ in range(PATIENCE):
                pid = _read(fd)[1]
                if pid and _is_alive(pid):
                    break
                time.sleep(PAUSE_S)
            else:
                pid = 0
            return pid
        finally:
            os.close(fd)
        return None

    def release(self) -> None:
        """Give it back. Idempotent."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            with contextlib.suppress(OSError):
                _write(fd, self.epoch, 0)
            os.close(fd)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidError(f"{path}: {error.strerror}") from error


def _is_still(path: Path, fd: int) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(fd)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def _read(fd: int) -> tuple[int, int]:
    """(epoch, pid); zeros if nothing sensible is written there."""
    fields = os.pread(fd, 64, 0).split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields):
        return 0, 0
    return int(fields[0]), int(fields[1])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _write(fd: int, epoch: int, pid: int) -> None:
    # Of one length, written over the old line: a crash leaves the old or the new one, never none.
    os.pwrite(fd, f"{epoch:<12d} {pid:<10d}\n".encode(), 0)
    os.fsync(fd)


def _explain(path: Path, error: OSError) -> StoreError | InvalidError:
    if error.errno in {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK}:
        return InvalidError(f"{path.parent} is on a file system without locks")
    return StoreError(f"{path}: {error.strerror or error}")
