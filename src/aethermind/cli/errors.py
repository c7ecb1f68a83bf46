"""One line for every error: `file:line:col: what is wrong (hint)`, never a traceback.

What nobody foresaw goes, scrubbed and without the values of variables, into `debug.log` in the data
directory; the line names that file.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from itertools import islice
from pathlib import Path

import click

from aethermind.cli import streams
from aethermind.cli.options import Given
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.infra.sanitize import clean_line

_SHOWN = 100
_UNMARKED = re.compile(r"^Got unexpected extra arguments? \(([A-Za-z_][A-Za-z0-9_]*=[^\s)]*)")
"""`run FILE topic=tides`"""


def report(error: BaseException, given: Given | None = None) -> int:
    """Tell the user what went wrong; returns the exit code."""
    match error:
        case SystemExit(code=code):
            return code if isinstance(code, int) else 1
        case streams.OutputClosed() | BrokenPipeError():
            return 0
        case KeyboardInterrupt() | click.Abort():
            return 130
        case click.exceptions.Exit(exit_code=code):
            return code
        case click.UsageError():
            tell(_usage_line(error))
            return 2
        case click.ClickException():
            tell(error.format_message())
            return error.exit_code
        case InvalidError():
            tell(error.line())
            _point(error)
            return error.exit_code
        case AethermindError():
            tell(error.line())
            return error.exit_code
        case OSError() if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            tell(f"{_named(error)}no space left on the disk (free some, then: aethermind resume last)")
            return 1
        case OSError():
            tell(f"{_named(error)}{os.strerror(error.errno) if error.errno else error}")
            return 1
        case RecursionError() | MemoryError():
            tell(f"this is too large or too deep to be read ({type(error).__name__})")
            return 1
        case _:
            place = record(error, given)
            where = f" (see {place})" if place is not None else ""
            tell(f"a defect in aethermind: {type(error).__name__}{where}")
            return 1


def tell(text: str) -> None:
    """One line on stderr."""
    streams.note(clean_line(" ".join(text.split("\n"))))


def _usage_line(error: click.UsageError) -> str:
    line = " ".join(error.format_message().split())
    pair = _UNMARKED.match(line)
    if pair and error.ctx and any("--input" in option.opts for option in error.ctx.command.params):
        return f"{line} (inputs are given as -i {pair[1]})"
    if error.ctx is not None and not isinstance(error, click.NoSuchCommand):
        return f"{line} ({error.ctx.command_path} --help)"
    return line


def _named(error: OSError) -> str:
    return f"{error.filename}: " if error.filename is not None else ""


def _point(error: InvalidError) -> None:
    """On a terminal: the line of the file, and a caret below the place."""
    if not streams.ERR.terminal or error.file is None or error.line_no is None:
        return
    try:
        with Path(error.file).open(encoding="utf-8", errors="replace") as file:
            text = next(islice(file, error.line_no - 1, None), None)
    except (OSError, ValueError):
        return
    if text is None:
        return
    column = max((error.column or 1) - 1, 0)
    start = max(0, column - _SHOWN // 2)
    shown = clean_line(text.rstrip("\n").replace("\t", " ")[start : start + _SHOWN])
    streams.note(f"  {shown}\n  {' ' * (column - start)}^")


def record(error: BaseException, given: Given | None) -> Path | None:
    """Write the traceback into the debug log; None where that is impossible."""
    try:
        from aethermind import bootstrap

        text = "".join(traceback.format_exception(error))
        return bootstrap.debug_log(f"$ {' '.join(sys.argv)}\n{text}", home=given.home if given else None)
    except Exception:  # noqa: BLE001  # the report of an error must not become one
        return None
