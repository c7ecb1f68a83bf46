"""What earlier attempts at a step were answered, for the one that goes on from there."""

from __future__ import annotations

from aethermind.domain import journal
from aethermind.domain.events import LogWritten
from aethermind.domain.state import Node
from aethermind.engine.reply import Reply, recorded


class Recall:
    """The recorded answers, each used once, in their order."""

    __slots__ = ("_left", "_node", "_warned", "used")

    def __init__(self, node: Node, attempt: int) -> None:
        self._node = node
        self._left = [(n.n, call) for n, call in journal.answered(node) if n.n != attempt]
        self.used = 0
        """So many were used."""
        self._warned = False

    def take(self, digests: list[str]) -> Reply | None:
        """The answer to a call that asks just this."""
        for index, (attempt, call) in enumerate(self._left):
            if call.digest in digests:
                del self._left[index]
                self.used += 1
                return recorded(attempt, call)
        return None

    def complaint(self, attempt: int) -> LogWritten | None:
        """To be said, once, if there is a record and the first call is none of it."""
        if not self._left or self.used or self._warned:
            return None
        self._warned = True
        return LogWritten(
            level="warning",
            message="what this step asks is not what was asked before: it starts anew",
            step=self._node.path,
            attempt=attempt,
            agent=self._node.agent,
        )
