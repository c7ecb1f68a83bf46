"""Textual without its command palette, which this program replaces by its own.

`textual.app` imports the palette, and with it a sixth of all that it imports (trees, selects, buttons),
though `ENABLE_COMMAND_PALETTE` is off: 60 to 100 ms of CPU before the first frame. While `textual.app` is
imported, an empty stand-in takes its place; who imports `textual.command` afterwards gets the real one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_PALETTE = "textual.command"


class _StandIn(ModuleType):
    """Has a class, without anything in it, for every name that is asked for."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (), {"__module__": _PALETTE})
        setattr(self, name, made)
        return made


@contextmanager
def without_palette() -> Iterator[None]:
    """Around the first import of `textual.app`. Where it is there already, nothing is changed."""
    if "textual.app" in sys.modules or _PALETTE in sys.modules:
        yield
        return
    sys.modules[_PALETTE] = _StandIn(_PALETTE)
    try:
        yield
    finally:
        del sys.modules[_PALETTE]
