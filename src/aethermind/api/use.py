"""What goes on at a server."""

from __future__ import annotations

import time

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"})


class Use:
    """How many look, when somebody last asked, what was answered."""

    def __init__(self) -> None:
        self.requests = 0
        """Under way."""
        self.watchers = 0
        self.last_used_at = time.monotonic()
        self.served: dict[tuple[str, int], int] = {}
        """(method, status) → how many requests ended so."""

    @property
    def watching(self) -> int:
        return self.requests + self.watchers

    def touch(self) -> None:
        self.last_used_at = time.monotonic()

    def count(self, method: str, status: int) -> None:
        key = (method if method in METHODS else "other", status)
        self.served[key] = self.served.get(key, 0) + 1
