"""Runs that leave this database, and runs that come into it: `export`, `export --sim`, `import`."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aethermind.domain.errors import BusyError
from aethermind.domain.events import CallStarted, Recorded, RunCreated
from aethermind.domain.run import fold
from aethermind.engine.ports import EventStore
from aethermind.infra import bundle, recorded
from aethermind.infra.bundle import Header, Imported
from aethermind.infra.secrets import SECRET_VARIABLE, Secrets, redact, remember
from aethermind.infra.stores.lease import Lease
from aethermind.infra.stores.sqlite import open_store


class Exchange:
    """Of one database. `providers`: those whose keys must never leave."""

    def __init__(
        self, database: Path, secrets: Secrets, providers: Iterable[str], environ: Mapping[str, str]
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._environ = environ
        self._providers = tuple(providers)

    async def export(self, run_id: str, *, version: str) -> tuple[Header, list[bytes]]:
        """The bundle of a run, as a header and lines. `version`: of the product. Raises `NotFoundError`."""
        history = await self._history(run_id)
        now = time.time_ns() // 1_000_000
        return bundle.write(history, version=version, exported_at=now, redact=redact)

    async def script(self, run_id: str) -> str:
        """Its replies as a `.sim.yaml`. Raises `NotFoundError`, `InvalidError`."""
        return recorded.script(fold(run_id, await self._history(run_id)), redact=redact)

    async def take(self, path: Path, *, by: str = "") -> Imported:
        """Record the run of a bundle (`-`: from stdin); `by`: who takes it in. Raises `NotFoundError` and
        `InvalidError` (nothing is recorded then), and `BusyError` while an engine owns the database."""
        stdin = str(path) == "-"
        found = bundle.parse(sys.stdin.buffer, "stdin") if stdin else bundle.read(path)
        self._learn(found.history)
        async with self._owned() as store:
            return await bundle.add(store, found, redact=redact, by=by)

    async def _history(self, run_id: str) -> list[Recorded]:
        store = await open_store(self._database, read_only=True)
        try:
            history = await bundle.history(store, run_id)
        finally:
            await store.close()
        self._learn(history)
        return history

    def _learn(self, history: Sequence[Recorded]) -> None:
        """Get to know the secrets that may be in it, so that they are found."""
        used = {item.event.provider for item in history if isinstance(item.event, CallStarted)}
        for provider in self._providers:
            if provider in used:
                self._secrets.find(provider)
            else:
                self._secrets.from_environment(provider)
        for item in history:
            if isinstance(item.event, RunCreated):
                for name in item.event.submitter.env_names:
                    if SECRET_VARIABLE.search(name) and (value := self._environ.get(name)):
                        remember(value)

    @asynccontextmanager
    async def _owned(self) -> AsyncIterator[EventStore]:
        path = self._database.absolute()
        try:
            lease = Lease.acquire(path.parent, f"{path.name}.lease")
        except BusyError as busy:
            raise BusyError(busy.message, hint="end it first") from None
        try:
            store = await open_store(path)
            try:
                yield store
            finally:
                await store.close()
        finally:
            lease.release()
