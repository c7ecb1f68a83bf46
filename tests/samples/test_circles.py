"""No sample looks like a run that goes round in circles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from aethermind.domain.events import Draft, LogWritten, Recorded, RunPaused
from aethermind.infra.stores.memory import InMemoryStore
from tests.samples.conftest import Play
from tests.samples.test_files import NAMES


class Noting(InMemoryStore):
    """Notes what the guard said."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    async def append(self, drafts: Sequence[Draft], expected: Mapping[str, int]) -> list[Recorded]:
        for draft in drafts:
            event = draft.event
            if isinstance(event, RunPaused):
                self.told.append(event.reason)
            if isinstance(event, LogWritten) and event.metadata.get("guard"):
                self.told.append(event.message)
        return await super().append(drafts, expected)


@pytest.mark.parametrize("name", NAMES)
async def test_the_guard_neither_warns_nor_pauses(name: str, play: Play) -> None:
    store = Noting()
    played = await play(name, store=store)
    assert played.events
    assert store.told == []
