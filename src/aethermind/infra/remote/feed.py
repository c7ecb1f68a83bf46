"""Events without a gap or a double, however often and wherever the line breaks.

What has been handed out is known by the seq of the last event; a new connection goes on after it. A message
that came in part is not used; one that comes again is left out. Signals that were under way are lost, as they
may be; the texts they told of are checkpointed (`Client.partials`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any
from urllib.parse import urlencode

from aethermind.domain.errors import AethermindError, BusyError
from aethermind.domain.events import Recorded
from aethermind.domain.ids import run_stream
from aethermind.engine.client import Client, FeedItem, Notice
from aethermind.infra.remote import reading
from aethermind.infra.remote.asking import Asking
from aethermind.infra.remote.lines import BrokenLine, Gone
from aethermind.infra.remote.watching import SILENT_S, Refused, watch

Beside = Callable[[], AbstractAsyncContextManager[Client | None]]
"""The database that an engine of this machine has left behind; None while another engine owns it."""
UNSAID = 8
"""So often is an engine of this machine sought before its loss is told: whoever follows a run that is over
needs it no more."""


class RemoteFeed:
    """One reader's feed. `follow` may be iterated once."""

    def __init__(
        self,
        asking: Asking,
        *,
        after: int | None,
        run_id: str | None,
        batch_ms: int,
        silent_s: float = SILENT_S,
        beside: Beside | None = None,
    ) -> None:
        self._asking = asking
        self._run_id = run_id
        self._batch_ms = batch_ms
        self._silent_s = silent_s
        self.position = after
        """The seq of the last event handed out; None until it is known what `now` is."""
        self._lost = False
        self._beside = beside

    async def follow(self) -> AsyncGenerator[FeedItem, None]:
        """Ends only by an error: what the engine refuses, or a version that is not understood."""
        rounds = self._asking.patience.begin()
        name, tries = self._asking.line.name, 0
        while True:
            try:
                async with aclosing(self._connection()) as items:
                    async for item in items:
                        if self._lost:
                            self._lost = False
                            yield Notice(kind="found", message=f"the line to {name} is there again")
                        rounds, tries = self._asking.patience.begin(), 0
                        if item is not None:
                            yield item
            except Refused as refused:
                error = self._asking.refused(refused.answer)
                if not _passing(refused.answer.status):
                    raise error from refused
                reason = error.message
            except reading.Strange as error:
                raise strange(name, error) from error
            except BrokenLine as error:
                reason = str(error)
                if self._beside is not None and isinstance(error, Gone):
                    async with aclosing(self._rest(self._beside)) as rest:
                        async for item in rest:
                            tries = 0
                            yield item
            else:
                reason = "the connection ended"
            tries += 1
            if not self._lost and (self._beside is None or tries >= UNSAID):
                self._lost = True
                yield Notice(kind="lost", message=f"the line to {name} is lost ({reason}): trying again")
            await rounds.pause()

    async def _rest(self, beside: Beside) -> AsyncGenerator[Recorded, None]:
        """What the engine recorded before it ended."""
        async with beside() as database:
            while database is not None and self.position is not None:
                found = await database.events(after=self.position, run_id=self._run_id)
                for recorded in found:
                    self.position = recorded.seq
                    yield recorded
                if not found:
                    return

    async def _connection(self) -> AsyncGenerator[FeedItem | None, None]:
        """What one connection brings; first None: it stands."""
        asking = self._asking
        query: dict[str, Any] = {"batch_ms": self._batch_ms}
        if self.position is not None:
            query["after"] = self.position
        if self._run_id is not None:
            query["stream"] = run_stream(self._run_id)
        target = f"/ws?{urlencode(query)}"
        opened = watch(
            asking.line, host=asking.host, target=target, headers=asking.headers(), silent_s=self._silent_s
        )
        async with opened as watching, aclosing(watching.messages()) as messages:
            async for data in messages:
                found = reading.message(data)
                match found.type:
                    case "snapshot":
                        if self.position is None:
                            self.position = found.seq
                        yield None
                    case "events":
                        for envelope in found.events:
                            if self.position is not None and envelope.seq <= self.position:
                                continue
                            item = reading.recorded(envelope)
                            self.position = item.seq
                            yield item
                    case "signals":
                        for one in found.signals:
                            if (told := reading.signal(one)) is not None:
                                yield told
                    case _:
                        pass  # a ping, or what a newer engine says besides


def _passing(status: int) -> bool:
    """It may be otherwise in a moment."""
    return status == 429 or status >= 500


def strange(name: str, error: Exception) -> AethermindError:
    return BusyError(
        f"the engine of {name} speaks another version: {error}",
        hint="use the same version of aethermind on both",
    )
