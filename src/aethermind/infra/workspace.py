"""Where and for whom things run: the submitter's interpreter and name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from aethermind.infra.sanitize import clean_line


def submitter_interpreter(cwd: str, configured: str | None) -> str:
    """The Python of steps submitted from `cwd`: its `.venv`'s, else the configured one, else this one.

    Not resolved further: a virtual environment is known by the path of its link.
    """
    own = Path(cwd, ".venv", "bin", "python")
    if own.is_file() and os.access(own, os.X_OK):
        return str(own)
    return configured or sys.executable


def user_name() -> str:
    """Who asks, as the system knows him (no variable can change it); his number if he has no name."""
    import pwd

    try:
        return clean_line(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return str(os.getuid())
