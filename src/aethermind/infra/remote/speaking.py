"""What all parts of `RemoteClient` are made of: ask, act, and read what comes as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from aethermind.domain.errors import AethermindError, DeniedError
from aethermind.engine.client import Attachment
from aethermind.engine.queries import Page
from aethermind.infra.remote import reading
from aethermind.infra.remote.asking import ANSWER_S, Asking
from aethermind.infra.remote.feed import Beside, strange
from aethermind.infra.remote.reading import Strange

Json = Any
T = TypeVar("T")
CREATING_S = 60.0
"""For what carries a whole definition."""


class Speaking:
    def __init__(self, asking: Asking, attached: Attachment, *, batch_ms: int = 0) -> None:
        self._asking = asking
        self.attached: Attachment = attached
        self._batch_ms = batch_ms
        self.beside: Beside | None = None
        """Where what an engine of this machine has recorded can be read when it has ended."""

    async def _act(
        self,
        path: str,
        body: Json,
        *,
        by: str = "",
        method: str = "POST",
        timeout_s: float = ANSWER_S,
        key: str = "",
    ) -> Json:
        if self.attached.read_only:
            raise DeniedError(
                "attached read-only: nothing is changed from here", hint="attach without --read-only"
            )
        try:
            return await self._asking.act(path, body, by=by, method=method, timeout_s=timeout_s, key=key)
        except Strange as error:
            raise self._strange(error) from error

    async def _created(self, path: str, body: Json, *, by: str, key: str = "") -> str:
        return self._field(await self._act(path, body, by=by, timeout_s=CREATING_S, key=key), "id", str)

    async def _get(
        self,
        path: str,
        query: Mapping[str, Json],
        cls: type[T],
        *,
        timeout_s: float = ANSWER_S,
        unending: bool = False,
    ) -> T:
        try:
            data = await self._asking.get(path, query, timeout_s=timeout_s, unending=unending)
            return reading.record(msgspec.json.decode(data), cls)
        except (Strange, msgspec.DecodeError) as error:
            raise self._strange(error) from error

    async def _page(self, path: str, query: Mapping[str, Json], cls: type[T]) -> Page[T]:
        found = await self._get(path, query, Page[Json])
        return Page([self._record(item, cls) for item in found.items], found.next)

    def _record(self, found: Json, cls: type[T]) -> T:
        try:
            return reading.record(found, cls)
        except Strange as error:
            raise self._strange(error) from error

    def _field(self, found: Json, name: str, cls: type[T]) -> T:
        try:
            return msgspec.convert(found[name], cls)
        except (KeyError, TypeError, msgspec.ValidationError) as error:
            raise self._strange(error) from error

    def _strange(self, error: Exception) -> AethermindError:
        return strange(self._asking.line.name, error)
