"""What every adapter of the port `EventStore` keeps: answers that may be used again, found by content."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from aethermind.domain import events as e
from aethermind.infra.stores.memory import InMemoryStore
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.infra.stores.histories import answered, call, created, lost, on, refused, started, succeeded

Store = SqliteStore | InMemoryStore
KEY, OTHER = "a" * 64, "b" * 64
OVER = e.RunSucceeded(outputs={})


@pytest.fixture(params=["memory", "process"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    adapter: Store
    if request.param == "memory":
        adapter = InMemoryStore()
    else:
        adapter = await open_store(tmp_path / "x.db", durability=request.param)
    yield adapter
    before = await adapter.projection_hashes()
    await adapter.rebuild()
    assert await adapter.projection_hashes() == before, "a rebuild changed the projections"
    await adapter.close()


def kept(text: str, key: str | None = KEY, *, n: int = 1, origin: e.Origin | None = None) -> e.CallFinished:
    return msgspec.structs.replace(answered(n=n), text=text, content_key=key, cached_from=origin)


async def text_of(store: Store, key: str = KEY) -> str | None:
    found = await store.answer(key)
    if found is None:
        return None
    assert isinstance(found.event, e.CallFinished)
    return found.event.text


async def test_an_answer_is_found_as_it_was_recorded(store: Store) -> None:
    assert await store.answer(KEY) is None
    await store.append(on("r", created(), started(), call()), {"run/r": 0})
    recorded = await store.append(on("r", kept("yes"), succeeded(), OVER), {"run/r": 3})
    assert await store.answer(KEY) == recorded[0]
    assert await store.answer(OTHER) is None


async def test_the_newest_answer_is_the_one(store: Store) -> None:
    for n, run in enumerate("pqr"):
        await store.append(on(run, created(), started(), call(), kept(f"answer {n}")), {f"run/{run}": 0})
    assert await text_of(store) == "answer 2"


async def test_of_two_in_one_append_the_later_one(store: Store) -> None:
    both = (call(), call(n=2), kept("first"), kept("second", n=2), call(n=3), kept("else", OTHER, n=3))
    await store.append(on("r", created(), started(), *both), {"run/r": 0})
    assert (await text_of(store), await text_of(store, OTHER)) == ("second", "else")


async def test_what_has_no_key_is_no_answer(store: Store) -> None:
    facts = (call(), refused(), call(n=2), kept("private", None, n=2), call(n=3), lost())
    await store.append(on("r", created(), started(), *facts), {"run/r": 0})
    assert await store.answer(KEY) is None


async def test_an_answer_that_was_itself_used_again_makes_no_newer_one(store: Store) -> None:
    await store.append(on("p", created(), started(), call(), kept("original")), {"run/p": 0})
    copy = kept("copy", origin=e.Origin(run="p", seq=4))
    await store.append(on("r", created(), started(), call(), copy), {"run/r": 0})
    assert await text_of(store) == "original"


async def test_an_answer_to_no_call_is_none(store: Store) -> None:
    await store.append(on("r", created(), started(), kept("from nowhere")), {"run/r": 0})
    assert await store.answer(KEY) is None


async def test_answers_survive_a_rebuild(store: Store) -> None:
    await store.append(on("r", created(), started(), call(), kept("yes"), succeeded(), OVER), {"run/r": 0})
    before = await store.answer(KEY)
    await store.rebuild()
    assert await store.answer(KEY) == before is not None
