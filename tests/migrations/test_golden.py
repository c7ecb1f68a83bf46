"""Runs that an earlier version recorded mean today what they meant then (`record.py` made them)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import get_args

import pytest

from aethermind.domain import events as e
from aethermind.domain.errors import DeniedError
from aethermind.engine.provenance import trust_of
from aethermind.infra import bundle
from tests.engine.harness import Harness
from tests.migrations.picture import picture

GOLDEN = Path(__file__).with_name("golden")
JOURNALS = sorted(GOLDEN.glob("*.jsonl"))


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)
async def test_a_recorded_run_is_what_it_was(path: Path) -> None:
    found = bundle.read(path)  # through the codec, folded, with the invariants looked at
    today = await picture(found)
    recorded = json.loads(path.with_suffix(".picture.json").read_text())
    # A later version may tell more of a run in its row; what was told then stays as it was.
    today["row"] = {name: value for name, value in today["row"].items() if name in recorded["row"]}
    assert today == recorded


def test_the_journals_hold_every_event_of_a_run() -> None:
    types = {kind.__name__ for kind in (*get_args(e.RunEvent), e.LogWritten)}
    seen = {item.type for path in JOURNALS for item in bundle.read(path).history}
    assert types == seen, "whoever records other events adds a journal (`record.py`)"


def test_no_journal_tells_where_it_was_recorded() -> None:
    own = (str(Path(__file__).resolve().parent.parent.parent), "/tmp/", "site-packages")
    for path in GOLDEN.iterdir():
        text = path.read_text()
        assert not [word for word in own if word in text], path.name


async def test_todays_engine_goes_on_with_a_run_that_was_left_unfinished() -> None:
    """A call was lost when its engine was killed, and so was the next: it is tried once more, by order."""
    async with Harness() as h:
        found = bundle.read(GOLDEN / "0.1.0-lost-call.jsonl")
        added = await bundle.add(h.store, found)
        with pytest.raises(DeniedError, match="was imported"):
            await h.client.resume(added.run)
        trust = trust_of((await h.client.run(added.run)).created.tags)
        assert trust is not None
        await h.client.trust(*trust, by="ada")
        await h.client.resume(added.run)
        run = await asyncio.wait_for(h.client.wait(added.run), 10)
        assert run.status == "parked", "it may have been billed twice: a person decides"
        await h.client.answer(added.run, "slow", {"choice": "retry"}, by="ada")
        run = await asyncio.wait_for(h.client.wait(added.run), 10)
        assert (run.status, run.outputs) == ("succeeded", {"slow": "a b c d e f g h i j"})
        assert [attempt.status for attempt in run.nodes["slow"].attempts] == ["lost", "lost", "succeeded"]
        await h.verify(added.run)
