"""What a store tells its engine when it can't record for a while, and again when it can."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

import msgspec


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """`full`: the disk has no room · `locked`: another program holds the write lock · `reader`: another
    program keeps an old state of the database open, so that what is written can't be put away."""

    kind: Literal["full", "locked", "reader"]
    message: str
    """One line for a person."""
    holds: bool = True
    """Nothing new is to be started until it is over."""


@runtime_checkable
class Watched(Protocol):
    """A store that can tell; others never are in trouble for longer than one append."""

    def watch(self, tell: Callable[[Trouble | None], None]) -> None:
        """Call `tell`, in the event loop of the caller, when there is trouble (again: with each change of
        it), and with None when it is over."""
        ...
