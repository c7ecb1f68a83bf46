"""What a store may return from `append`: a future that tells one caller without a detour."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aethermind.domain.events import Recorded


class Receipt(asyncio.Future[list[Recorded]]):
    """The future of an append; its store resolves it in the event loop, with `settle`.

    `then` is called within `settle`. A done callback would be called one round of the loop later, and when a
    single run is at work each round costs as much as the rest of its turn: a system call for every step.
    """

    then: Callable[[asyncio.Future[list[Recorded]]], None] | None = None

    def settle(self, answer: list[Recorded] | Exception) -> None:
        if self.done():
            return
        if isinstance(answer, Exception):
            self.set_exception(answer)
        else:
            self.set_result(answer)
        if self.then is not None:
            self.then(self)
