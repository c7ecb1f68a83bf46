"""Per-agent key-value state: read by any attempt of the agent, written only when an attempt succeeds.

Rules
- Writes are buffered in the attempt and recorded as one `StateChanged` on the stream `agent/NAME`, in the
  same commit as the attempt's success. An attempt that fails writes nothing.
- The last writer wins per key; `update` runs its function on the value of the moment of the commit, so
  that concurrent updates all count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from aethermind import wire
from aethermind.domain.errors import ErrorInfo, StepFailure
from aethermind.domain.events import StateChanged
from aethermind.domain.ids import agent_stream
from aethermind.engine.concealing import NO_VEIL, Veil
from aethermind.engine.ports import EventStore

Json = Any
Update = Callable[[Json], Json]
_ABSENT: Any = object()


class Write(msgspec.Struct, frozen=True):
    """One buffered write: set to `value`, delete (`gone`), or apply `update` to the current value."""

    key: str
    value: Json = None
    gone: bool = False
    update: Update | None = None


class AgentStates:
    """The state of all agents of an engine, folded from their streams on first use."""

    def __init__(self, store: EventStore, veil: Veil = NO_VEIL) -> None:
        self._store = store
        self._veil = veil
        self._known: dict[str, dict[str, Json]] = {}

    async def load(self, agent: str) -> dict[str, Json]:
        """The agent's values; read only."""
        known = self._known.get(agent)
        if known is None:
            found: dict[str, Json] = {}
            for recorded in await self._store.read_stream(agent_stream(agent)):
                if isinstance(recorded.event, StateChanged):
                    _fold(found, recorded.event)
            known = self._known.setdefault(agent, found)
        return known

    def decide(self, agent: str, writes: Sequence[Write]) -> StateChanged:
        """What these writes come to now. The state moves at once; `forget` it if the commit fails."""
        current = self._known[agent]
        values: dict[str, Json] = {}
        deleted: dict[str, None] = {}
        for write in writes:
            if write.gone:
                values.pop(write.key, None)
                deleted[write.key] = None
                continue
            value = write.value
            if write.update is not None:
                before = None if write.key in deleted else current.get(write.key)
                value = write.update(values.get(write.key, before))
            deleted.pop(write.key, None)
            values[write.key] = value
        event = self._veil.conceal(StateChanged(agent=agent, values=values, deleted=tuple(deleted)))
        assert isinstance(event, StateChanged)
        _fold(current, event)
        return event

    def forget(self, agent: str) -> None:
        self._known.pop(agent, None)


def _fold(values: dict[str, Json], event: StateChanged) -> None:
    values.update(event.values)
    for key in event.deleted:
        values.pop(key, None)


class StateView:
    """`ctx.state`. What this attempt wrote is visible to it at once, to others when it has succeeded."""

    def __init__(self, states: AgentStates, agent: str) -> None:
        self._states = states
        self.agent = agent
        self.writes: list[Write] = []

    async def get(self, key: str, default: Json = None) -> Json:
        value = (await self._states.load(self.agent)).get(key, _ABSENT)
        for write in self.writes:
            if write.key != key:
                continue
            if write.gone:
                value = _ABSENT
            elif write.update is not None:
                value = write.update(None if value is _ABSENT else value)
            else:
                value = write.value
        return default if value is _ABSENT else value

    async def set(self, key: str, value: Json) -> None:
        """`value` is JSON. Raises `StepFailure` for what is not."""
        _check(key, value)
        await self._states.load(self.agent)
        self.writes.append(Write(key, value))

    async def delete(self, key: str) -> None:
        await self._states.load(self.agent)
        self.writes.append(Write(key, gone=True))

    async def update(self, key: str, change: Update) -> Json:
        """Set the key to `change(current)` (None if it is not there). `change` is pure: it runs now, for the
        value returned here, and again when the attempt's success is recorded."""
        value = change(await self.get(key))
        _check(key, value)
        self.writes.append(Write(key, update=change))
        return value


def _check(key: str, value: Json) -> None:
    try:
        wire.encode_json(value)
    except (TypeError, ValueError) as error:
        raise StepFailure(
            ErrorInfo(kind="output", message=f"state {key!r} can't keep what is not JSON: {error}")
        ) from None
