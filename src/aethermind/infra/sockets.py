"""Where the engine of a data directory listens: `engine.sock` in it, and where that path is too long for a
socket in the user's runtime directory, with a file in the data directory that says where.

Rules
- Whoever calls `bind` holds the lease of the directory, so a socket that is there already is a dead one.
- The directory of a socket is its user's alone (0700, owner checked), and so is the socket (0600).
- The socket is bound under another name and renamed: nobody finds one that does not listen yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
from pathlib import Path

from aethermind.domain.errors import InvalidError, StoreError

NAME = "engine.sock"
POINTER = "engine.sock.path"
LONGEST = 104
"""Bytes that a socket's path may have, its final NUL included, on the system that allows the fewest."""
BACKLOG = 1_024


def bind(home: Path) -> socket.socket:
    """Listen for this data directory (which the caller owns). Raises `StoreError`, `InvalidError`."""
    path = _path(home)
    if path.parent != home:
        _own_directory(path.parent)
    fresh = path.with_name(f"{path.name[:-1]}{os.getpid() % 10}")  # no longer than the name itself
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        fresh.unlink(missing_ok=True)
        listener.bind(str(fresh))
        fresh.chmod(0o600)  # before it listens: nobody was let in under other rights
        listener.listen(BACKLOG)
        fresh.rename(path)
        if path.parent != home:
            _point(home, path)
    except OSError as error:
        listener.close()
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise StoreError(f"{path}: the engine's socket can't be made: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener


def locate(home: Path) -> Path | None:
    """Where an engine of this data directory would be listening; None if none left a socket there. That it
    answers is not said."""
    here = home / NAME
    if here.is_socket():
        return here
    try:
        named = Path((home / POINTER).read_text(encoding="utf-8").strip())
        found = named.lstat()
    except (OSError, UnicodeDecodeError, ValueError):
        return None
    # A directory that others may write to could hold somebody else's socket.
    return named if stat.S_ISSOCK(found.st_mode) and found.st_uid == os.getuid() else None


def unbind(home: Path) -> None:
    """Take the socket's name away. For who bound it, while it holds the lease. Idempotent."""
    path = _path(home)
    for gone in (path, *((home / POINTER,) if path.parent != home else ())):
        with contextlib.suppress(OSError):
            gone.unlink(missing_ok=True)


def _path(home: Path) -> Path:
    home = home.absolute()
    here = home / NAME
    if _fits(here):
        return here
    mark = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    places = [Path(runtime, "aethermind")] if runtime and os.path.isabs(runtime) else []  # noqa: PTH117 - it is a string
    for place in (*places, Path(f"/tmp/aethermind-{os.getuid()}")):  # noqa: S108 - made 0700, owner checked
        if _fits(path := place / f"{mark}.sock"):
            return path
    raise InvalidError(f"{here}: the path is too long for a socket")


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) < LONGEST


def _own_directory(directory: Path) -> None:
    """Make it, or see that it is a directory of ours that nobody else can reach into."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise StoreError(f"{directory} is not a directory of yours", hint="remove it")
        if stat.S_IMODE(found.st_mode) != 0o700:
            directory.chmod(0o700)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror or error}") from error


def _point(home: Path, path: Path) -> None:
    fresh = home / f"{POINTER}.new"
    fresh.write_text(f"{path}\n", encoding="utf-8")
    fresh.rename(home / POINTER)


def listening(home: Path) -> bool:
    """Whether somebody takes connections there. That he answers is not said."""
    path = locate(home)
    if path is None:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
