"""What every program gets of the shell that asked for a run, whichever process the engine is in.

A run that was started from another terminal finds that terminal's programs, home and language, as it finds
its directory. The values travel with the request and are held in memory, as those of named variables are.
"""

from __future__ import annotations

from collections.abc import Mapping

INHERITED = ("PATH", "HOME", "LANG", "TERM", "TMPDIR")
"""Besides LC_*. Keys of providers are not among it."""


def is_inherited(name: str) -> bool:
    return name in INHERITED or name.startswith("LC_")


def surroundings(environ: Mapping[str, str]) -> dict[str, str]:
    """The part of an environment that programs get unasked."""
    return {name: value for name, value in environ.items() if is_inherited(name)}
