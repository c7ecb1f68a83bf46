"""Tickets for WebSockets: whoever can't send a header (a page in a browser) asks for one by a request that
has it, and shows it once. So no token stands in a URL, where proxies and logs keep it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from aethermind.api.identity import Identity

LIFE_S = 30.0
MOST = 1_000


class Tickets:
    """`clock`: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[str, tuple[Identity, float]] = {}

    def issue(self, identity: Identity) -> str:
        now = self._clock()
        for old in [ticket for ticket, (_, until) in self._open.items() if until <= now]:
            del self._open[old]
        while len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
        ticket = secrets.token_urlsafe(32)
        self._open[ticket] = (identity, now + LIFE_S)
        return ticket

    def take(self, ticket: str) -> Identity | None:
        """Who it was given to; None for one that is used, too old or made up."""
        identity, until = self._open.pop(ticket, (None, 0.0))
        return identity if until > self._clock() else None
