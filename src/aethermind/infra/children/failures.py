"""Why a program could not be started, in words for the person who wrote `run:`."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from aethermind.domain.errors import CommandError, ErrorInfo, ErrorKind
from aethermind.infra.sanitize import clean_line

_BUSY = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY}


def could_not_start(error: OSError | ValueError | IndexError, argv: Sequence[str], cwd: str) -> CommandError:
    """Kind `not_found` for a program or directory that is not there or cannot be executed, `bad_request`
    for arguments that no program could be given, `command` (retryable) when the machine is exhausted."""
    program = clean_line(argv[0]) if argv else ""
    if not program:
        return _error("bad_request", "there is no program to start", "give an argv list")
    if not isinstance(error, OSError):
        what = "an argument or a variable holds what no program can be given, such as NUL"
        return _error("bad_request", f"{program}: {what}")
    if not Path(cwd).is_dir():
        return _error("not_found", f"{program}: the directory {clean_line(cwd)} does not exist")
    number = error.errno or errno.EIO
    if number == errno.E2BIG:
        return _error("bad_request", f"{program}: its arguments are too long", "pass large text by stdin")
    if number in _BUSY:
        return _error("command", f"{program}: {os.strerror(number)}", retryable=True)
    named = "/" not in argv[0]
    path = Path(cwd, argv[0])
    if number == errno.ENOENT and named:
        return _error("not_found", f"{program}: no such program", "is it installed, and on PATH?")
    if number == errno.ENOENT and path.exists():
        return _error("not_found", f"{program}: the interpreter that its first line names does not exist")
    if number == errno.ENOENT:
        return _error("not_found", f"{program}: no such program")
    if number == errno.EACCES and path.is_dir() and not named:
        return _error("not_found", f"{program} is a directory")
    if number == errno.EACCES:
        return _error("not_found", f"{program} is not executable", f"chmod +x {program}")
    if number == errno.ENOEXEC:
        return _error("not_found", f"{program} is not a program", "does its first line name one (#!…)?")
    return _error("not_found", f"{program}: {os.strerror(number)}")


def _error(
    kind: ErrorKind, message: str, hint: str | None = None, *, retryable: bool = False
) -> CommandError:
    return CommandError(ErrorInfo(kind=kind, message=message, hint=hint, retryable=retryable))
