"""Where the files that ship with the program are."""

from __future__ import annotations

from pathlib import Path

from aethermind.domain.errors import NotFoundError


def data_dir(kind: str) -> Path:
    """`sample_workflows` or `themes`: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    for candidate in (package / "_data" / kind, package.parent.parent / kind):
        if candidate.is_dir():
            return candidate
    raise NotFoundError(f"{kind} is missing from this installation", hint="install aethermind again")
