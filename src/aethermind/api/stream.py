"""`/ws`: recorded events from any seq, then live, plus signals, to any number of watchers.

    engine ─► Subscription ─► Channel (of one run, or of all) ─► Group (per batch time) ─► Watchers

Rules
- An event is encoded once per channel, a batch once per group: a thousand watchers of a run share its bytes.
- A watcher holds at most `MOST_BATCHES` batches of `MOST_BYTES`. One that is slower loses them, and reads on
  from the log: nothing recorded is missed or doubled. Token deltas are lost to it, notices are not.
- A batch ends where the next one begins: who joins reads the log up to the end of the last batch.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from aethermind import wire
from aethermind.api.batch import Batch
from aethermind.api.pages import Pages, Read
from aethermind.domain.errors import AethermindError
from aethermind.domain.events import (
    AttemptCancelled,
    AttemptFailed,
    AttemptLost,
    AttemptSucceeded,
    CallFailed,
    CallFinished,
    Recorded,
)
from aethermind.domain.ids import run_id_of
from aethermind.engine.client import FeedItem, Notice, TokenDelta
from aethermind.engine.queries import Partial

if TYPE_CHECKING:
    from aethermind.api.room import Room
    from aethermind.engine.hosting import Subscription

MOST_BATCHES = 64
MOST_BYTES = 4 << 20
"""What a watcher may hold that it has not taken."""
MOST_WAITING = 2_000
"""Events that a group gathers at most before it sends them, whatever its time."""
DRAINED = 2_000
PARTIALS_S = 0.25
FAREWELL_S = 1.0
LINGER_S = 10.0
"""So long a channel that nobody watches is kept: who lost the line comes back to it."""

_ENDS_CALL = (CallFinished, CallFailed)
_ENDS_ATTEMPT = (AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptLost)


def signals_text(signals: list[TokenDelta | Notice]) -> str:
    told = [{"type": type(signal).__name__, **msgspec.to_builtins(signal)} for signal in signals]
    return wire.encode_json({"type": "signals", "signals": told}).decode()


class Watcher:
    """One connection's share: what is to be sent to it."""

    def __init__(self, after: int) -> None:
        self.position = after
        """The seq of the last event that was sent."""
        self.batches: deque[Batch | str] = deque()
        """Batches of events, and signals that are written already."""
        self.bytes = 0
        """Of the batches."""
        self.notices: list[Notice] = []
        self.behind = True
        self.broken: str | None = None
        self.over = False
        """Nothing comes after what is recorded now."""
        self.ready = asyncio.Event()

    def offer(self, item: Batch | str) -> None:
        if not self.behind:
            self.bytes += _size(item)
            if len(self.batches) >= MOST_BATCHES or (self.batches and self.bytes > MOST_BYTES):
                self.clear()
                self.behind = True
            else:
                self.batches.append(item)
        self.ready.set()

    def take(self) -> str | None:
        """The oldest message; None for a batch that had been read from the log."""
        item = self.batches.popleft()
        self.bytes -= _size(item)
        if isinstance(item, str):
            return item
        text = item.text(self.position)
        self.position = max(self.position, item.seqs[-1])
        return text

    def clear(self) -> None:
        self.batches.clear()
        self.bytes = 0

    def end(self) -> None:
        """Read the rest from the log, and that is all."""
        self.behind = self.over = True
        self.ready.set()

    def tell(self, notice: Notice) -> None:
        self.notices.append(notice)
        self.ready.set()


def _size(item: Batch | str) -> int:
    return len(item) if isinstance(item, str) else item.size


class Group:
    """Watchers of a channel with the same batch time."""

    def __init__(self, hub: Hub, seq: int, batch_ms: int) -> None:
        self._hub = hub
        self._batch_s = batch_ms / 1000
        self.sent = seq
        """Everything up to here has been offered to those who were there, and is in the log."""
        self.watchers: set[Watcher] = set()
        self._seqs: list[int] = []
        self._parts: list[bytes] = []
        self._deltas: dict[tuple[Any, ...], TokenDelta] = {}
        self._timer: asyncio.TimerHandle | None = None

    def event(self, recorded: Recorded, part: bytes) -> None:
        self._seqs.append(recorded.seq)
        self._parts.append(part)
        event = recorded.event
        if self._deltas and isinstance(event, (*_ENDS_CALL, *_ENDS_ATTEMPT)):
            run_id = run_id_of(recorded.stream)
            ended = (run_id, event.step, event.attempt)
            whole = (*ended, event.call) if isinstance(event, _ENDS_CALL) else ended
            for key in [key for key in self._deltas if key[: len(whole)] == whole]:
                del self._deltas[key]  # what was said of it stands in the event
        if len(self._seqs) >= MOST_WAITING:
            self.flush()

    def delta(self, delta: TokenDelta) -> None:
        key = (delta.run_id, delta.step, delta.attempt, delta.call, delta.reasoning)
        known = self._deltas.get(key)
        if known is not None and known.offset + len(known.text) == delta.offset:
            delta = msgspec.structs.replace(known, text=known.text + delta.text)
        self._deltas[key] = delta

    def schedule(self) -> None:
        """There is something to send, by and by."""
        if self._timer is None and (self._seqs or self._deltas):
            self._timer = asyncio.get_running_loop().call_later(self._batch_s, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._seqs:
            batch = Batch(self._seqs, self._parts)
            self.sent = max(self.sent, batch.seqs[-1])
            self._seqs, self._parts = [], []
            self._hub.batches += 1
            for watcher in self.watchers:
                watcher.offer(batch)
        if self._deltas:
            told = signals_text(list(self._deltas.values()))
            self._deltas = {}
            for watcher in self.watchers:
                watcher.offer(told)

    def end(self, seq: int) -> None:
        """Everything up to here is recorded, and is the last that is sent."""
        self.flush()
        self.sent = max(self.sent, seq)
        for watcher in self.watchers:
            watcher.end()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Channel:
    """What is recorded of one run (None: of all), as long as somebody watches."""

    def __init__(self, hub: Hub, run_id: str | None, seq: int) -> None:
        self._hub = hub
        self.run_id = run_id
        self.pages = Pages(hub.reading(run_id))
        self.position = seq
        """The seq of the last event that was handed to groups."""
        self.groups: dict[int, Group] = {}
        self.standing: Notice | None = None
        self._loop = asyncio.get_running_loop()
        self._subscription: Subscription | None = None
        self.closing: asyncio.TimerHandle | None = None
        self.partials: tuple[float, list[Partial]] = (-PARTIALS_S, [])
        """What calls under way had said at this time (the loop's): many watchers may come at once."""

    async def open(self, engine: Any) -> None:
        def wake() -> None:
            try:
                self._loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                return  # the server is gone

        self._subscription = await asyncio.to_thread(
            engine.subscribe, run_id=self.run_id, after=self.position, wake=wake
        )
        self._drain()  # what came before there was a subscription to drain rings no more

    def group(self, batch_ms: int) -> Group:
        found = self.groups.get(batch_ms)
        if found is None:
            found = self.groups[batch_ms] = Group(self._hub, self.position, batch_ms)
        return found

    def leave(self, watcher: Watcher, group: Group) -> None:
        group.watchers.discard(watcher)
        if not group.watchers:
            group.close()
            self.groups = {ms: kept for ms, kept in self.groups.items() if kept is not group}

    def _drain(self) -> None:
        if self._subscription is None or self._subscription.closed:
            return
        try:
            items = self._subscription.drain(DRAINED)
        except Exception as error:  # noqa: BLE001 - the feed broke; whoever watches is told and may come again
            self._break(str(error))
            return
        for item in items:
            self._hand_on(item)
        for group in self.groups.values():
            group.schedule()
        if len(items) == DRAINED or self._subscription.wait(0):  # it does not ring again for what is left
            self._loop.call_soon(self._drain)

    def _hand_on(self, item: FeedItem) -> None:
        if isinstance(item, Recorded):
            self.position = item.seq
            if self.groups:
                part = wire.encode_envelope(item)
                for group in self.groups.values():
                    group.event(item, part)
        elif isinstance(item, TokenDelta):
            for group in self.groups.values():
                group.delta(item)
        else:
            if item.run_id is None:
                self.standing = None if item.kind == "over" else item
            for group in self.groups.values():
                for watcher in group.watchers:
                    watcher.tell(item)

    def _break(self, why: str) -> None:
        for group in self.groups.values():
            for watcher in group.watchers:
                watcher.broken = why
                watcher.ready.set()
        self._hub.drop(self)

    def close(self) -> None:
        for group in self.groups.values():
            group.close()
        if self.closing is not None:
            self.closing.cancel()
        if self._subscription is not None:
            self._subscription.close()


class Hub:
    """All channels of a server; belongs to the API's event loop."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._channels: dict[str | None, asyncio.Task[Channel]] = {}
        self.batches = 0
        self._watchers = 0
        self._empty = asyncio.Event()

    async def join(
        self, run_id: str | None, after: int | None, batch_ms: int
    ) -> tuple[Watcher, Group, Channel]:
        """A watcher that gets everything after this seq (None: from now), without a gap or a double."""
        opening = self._channels.get(run_id)
        if opening is None:
            opening = self._channels[run_id] = asyncio.ensure_future(self._open(run_id))
        try:
            channel = await asyncio.shield(opening)
        except Exception:
            if self._channels.get(run_id) is opening:
                del self._channels[run_id]
            raise
        if channel.closing is not None:
            channel.closing.cancel()
            channel.closing = None
        group = channel.group(batch_ms)
        watcher = Watcher(group.sent if after is None else after)
        group.watchers.add(watcher)
        self._watchers += 1
        if channel.standing is not None:
            watcher.tell(channel.standing)
        return watcher, group, channel

    def reading(self, run_id: str | None) -> Read:
        """How a channel's log is read."""

        async def read(after: int, limit: int) -> list[Recorded]:
            return await self._room.ask(lambda client: client.events(after=after, run_id=run_id, limit=limit))

        return read

    async def _open(self, run_id: str | None) -> Channel:
        seq = await self._room.ask(lambda client: client.last_seq())
        channel = Channel(self, run_id, seq)
        await channel.open(self._room.engine)
        return channel

    def leave(self, watcher: Watcher, group: Group, channel: Channel) -> None:
        channel.leave(watcher, group)
        self._watchers -= 1
        if not self._watchers:
            self._empty.set()
        if not channel.groups and channel.closing is None:
            loop = asyncio.get_running_loop()
            channel.closing = loop.call_later(LINGER_S, self._close, channel)

    def _close(self, channel: Channel) -> None:
        if not channel.groups:
            self.drop(channel)

    def drop(self, channel: Channel) -> None:
        opened = self._channels.get(channel.run_id)
        if opened is not None and opened.done() and not opened.cancelled() and opened.result() is channel:
            del self._channels[channel.run_id]
        channel.close()

    async def end(self) -> None:
        """Send every watcher what is recorded, and good-bye; those that take it in a second."""
        with contextlib.suppress(AethermindError, TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                seq = await self._room.ask(lambda client: client.last_seq())
                for opened in self._open_channels():
                    for group in list(opened.groups.values()):
                        group.end(seq)
                while self._watchers:
                    self._empty.clear()
                    await self._empty.wait()

    def _open_channels(self) -> list[Channel]:
        tasks = self._channels.values()
        return [t.result() for t in tasks if t.done() and not t.cancelled() and t.exception() is None]

    def close(self) -> None:
        for opened in self._channels.values():
            if opened.done() and not opened.cancelled() and opened.exception() is None:
                opened.result().close()
            else:
                opened.cancel()
        self._channels.clear()
