"""A run played again: its own fold of the events up to the playhead, for the same panes as a live one."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from aethermind.domain import events as e
from aethermind.domain.run import fold
from aethermind.engine.client import Client
from aethermind.tui.context import Changes
from aethermind.tui.held import Held
from aethermind.tui.rows.replay import Tape

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aethermind.engine.client import FeedItem


class Replay:
    """`follow` brings the fold to where the tape is. Going back folds anew from the beginning."""

    def __init__(self, run_id: str, tape: Tape) -> None:
        self.run_id = run_id
        self.tape = tape
        self.held = self._begin()
        self._folded = 1
        self._anew = True

    def _begin(self) -> Held:
        held = Held(fold(self.run_id, self.tape.history[:1]), now=lambda: self.tape.at)
        held.logs_complete()
        return held

    def follow(self) -> tuple[Changes, frozenset[str], bool, bool]:
        """(what changed, steps whose rows may have moved, whether everything did, whether `held` is another
        one than before).
        """
        tape = self.tape
        if tape.count < self._folded:
            self.held, self._folded, self._anew = self._begin(), 1, True
        for recorded in tape.history[self._folded : tape.count]:
            self.held.feed(recorded)
        self._folded = tape.count
        changes, structure, whole = self.held.take()
        anew, self._anew = self._anew, False
        return changes, structure, whole, anew


async def read(client: Client, run_id: str) -> list[e.Recorded]:
    """Everything that was recorded of this run so far. Runs in the engine's loop. Raises `NotFoundError`."""
    run = await client.run(run_id)
    found: list[e.Recorded] = []
    # Every feed is a generator, which the protocol has no word for.
    async with aclosing(cast("AsyncGenerator[FeedItem]", client.feed(after=0, run_id=run_id))) as feed:
        async for item in feed:
            if not isinstance(item, e.Recorded):
                continue
            if item.seq <= run.seq:
                found.append(item)
            if item.seq >= run.seq:
                break
    return found
