"""What requests with an `Idempotency-Key` were answered: a second one gets the same and does nothing."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """`mark`: whose key it is, hashed. `digest`: of the request. `at`: epoch milliseconds."""

    mark: str
    digest: str
    at: int
    seq: int
    """The last thing that was recorded when the request came: what it did is after that."""
    status: int | None = None
    """None: it has not been answered, or nobody lived to note it."""
    media_type: str = ""
    body: bytes = b""


class Receipts(Protocol):
    """Blocking, and safe to call from any thread."""

    def find(self, mark: str) -> Receipt | None: ...

    def keep(self, receipt: Receipt) -> None:
        """Durably, in place of what was kept under its mark."""
        ...

    def drop(self, mark: str) -> None: ...

    def forget(self, before: int) -> None:
        """Those that came before this time."""
        ...

    def close(self) -> None: ...


class MemoryReceipts:
    """For an engine whose data is in memory, too."""

    def __init__(self) -> None:
        self._kept: dict[str, Receipt] = {}

    def find(self, mark: str) -> Receipt | None:
        return self._kept.get(mark)

    def keep(self, receipt: Receipt) -> None:
        self._kept[receipt.mark] = receipt

    def drop(self, mark: str) -> None:
        self._kept.pop(mark, None)

    def forget(self, before: int) -> None:
        self._kept = {mark: kept for mark, kept in self._kept.items() if kept.at >= before}

    def close(self) -> None:
        self._kept.clear()
