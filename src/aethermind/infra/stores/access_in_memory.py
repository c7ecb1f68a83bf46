"""The store in memory: tokens, the audit log, and what is registered or trusted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from aethermind.domain.acts import READERS
from aethermind.domain.events import Recorded
from aethermind.engine.access import AuditRow, AuditVerdict, KeptToken, TokenRow
from aethermind.engine.queries import AgentRow, Page, WorkflowRow
from aethermind.infra.stores import chain, pages
from aethermind.infra.stores.reader import decode
from aethermind.infra.stores.state import Row
from aethermind.infra.stores.tables import Tables

_TYPES = frozenset(kind.__name__ for kind in READERS)


class AccessInMemory:
    """Part of `InMemoryStore`."""

    _tables: Tables
    _audit: list[Row]
    _all: list[Row]
    _events: dict[str, list[Row]]

    if TYPE_CHECKING:

        def _open(self) -> None: ...

        def _event(self, seq: int | None) -> Recorded | None: ...

    async def agents(self) -> list[AgentRow]:
        self._open()
        money = self._tables.money_by_agent()
        return [
            pages.agent_row((name, *row), money.get(name))
            for name, row in sorted(self._tables.agents.items())
            if row.registered == 1 or row.last_seen_at is not None
        ]

    async def workflows(self) -> list[WorkflowRow]:
        self._open()
        return [
            WorkflowRow(name=r[0], description=r[1], definition_hash=r[2], updated_at=r[3], source=r[4])
            for _, r in sorted(self._tables.workflows.items())
        ]

    async def registered_workflow(self, name: str) -> Recorded | None:
        row = self._tables.workflows.get(name)
        return self._event(None if row is None else row[5])

    async def registered_agent(self, name: str) -> Recorded | None:
        row = self._tables.agents.get(name)
        return self._event(row.seq if row is not None and row.registered == 1 else None)

    async def trusted(self, path: str, sha256: str | None) -> bool:
        self._open()
        return (path, sha256 or "") in self._tables.trust

    async def tokens(self) -> list[TokenRow]:
        self._open()
        newest_first = sorted(self._tables.tokens.values(), key=lambda row: -row[8])
        return [pages.token(row).row for row in newest_first]

    async def token(self, token_id: str) -> KeptToken | None:
        self._open()
        row = self._tables.tokens.get(token_id)
        return None if row is None else pages.token(row)

    async def audit(self, *, limit: int = 50, cursor: str | None = None) -> Page[AuditRow]:
        self._open()
        pages.check_limit(limit)
        before = pages.decode_cursor(cursor, pages.LAST)
        last = min(before - 1, len(self._audit))
        rows = [self._audit[n - 1] for n in range(last, max(0, last - limit - 1), -1)]
        return pages.page([chain.audit_row(row) for row in rows], [row[0] for row in rows], limit)

    async def verify_audit(self, head: str | None = None) -> AuditVerdict:
        self._open()

        def digests(seqs: list[int]) -> dict[int, str]:
            wanted = set(seqs)
            return {row[0]: chain.digest(row[6]) for row in self._all if row[0] in wanted}

        def first_of(of: Recorded) -> Recorded:
            return decode(self._events[of.stream][0])

        def missing(seqs: chain.Seqs) -> Iterator[chain.Missing]:
            for row in self._all:
                candidate = row[4] in _TYPES and chain.without_row(seqs, row[0])
                if candidate and (what := chain.unheard(decode(row), first_of)):
                    yield row[0], what

        return chain.verify([list(self._audit)], chain.Truth(0, digests, missing), head)
