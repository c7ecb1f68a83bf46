"""What every adapter of the port `EventStore` keeps: tokens, the audit log, and what is registered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from aethermind import wire
from aethermind.domain import events as e
from aethermind.domain.errors import ConflictError
from aethermind.domain.system_events import Scope
from aethermind.engine.access import AuditRow
from aethermind.infra.stores.memory import InMemoryStore
from aethermind.infra.stores.sqlite import SqliteStore, open_store
from tests.infra.stores.histories import FLOW, T0, created, log, on, started, succeeded, system

Store = SqliteStore | InMemoryStore


@pytest.fixture(params=["memory", "power"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    adapter: Store
    adapter = InMemoryStore() if request.param == "memory" else await open_store(tmp_path / "x.db")
    yield adapter
    before, acts = await adapter.projection_hashes(), await adapter.audit(limit=1000)
    await adapter.rebuild()
    assert await adapter.projection_hashes() == before, "a rebuild changed the projections"
    assert await adapter.audit(limit=1000) == acts, "a rebuild changed the audit log"
    verdict = await adapter.verify_audit()
    assert (verdict.ok, verdict.checked) == (True, len(acts.items))
    await adapter.close()


async def acts(store: Store) -> list[AuditRow]:
    return (await store.audit(limit=1000)).items[::-1]


# --- acts --------------------------------------------------------------------------------------


async def test_acts_are_rows_and_all_else_is_none(store: Store) -> None:
    cancel = e.CancelRequested(step="a", by="ben via ssh", reason="too\ndear")
    await store.append([*on("r", created(), started(), log(), succeeded(), cancel)], {"run/r": 0})
    by_guard = e.RunPaused(by="guard", reason="the same again")
    await store.append([*on("r", by_guard), *system(e.TrustGranted(path="/p", sha256=None, by="ana"))], {})
    shown = [(r.n, r.seq, r.act, r.who, r.origin, r.target, r.detail) for r in await acts(store)]
    assert shown == [
        (1, 1, "run", "u", "cli", "r", "flow"),
        (2, 5, "cancel", "ben", "ssh", "r/a", "too dear"),
        (3, 7, "trust", "ana", "local", "/p", "the directory"),
    ]


async def test_the_chain_is_as_it_is_documented(store: Store) -> None:
    drafts = [*on("r", created()), *system(e.TokenRevoked(id="x", by="ana \u2028 via ssh"))]
    await store.append(drafts, {})
    before = "0" * 64
    data = {r.seq: wire.encode_event(r.event) for r in await store.read_all(0)}
    for row in await acts(store):
        assert row.digest == hashlib.sha256(data[row.seq]).hexdigest()
        content = [row.n, row.at, row.seq, row.act, row.who, row.origin, row.target, row.detail, row.digest]
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        assert row.hash == hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()
        before = row.hash
    assert (await store.verify_audit()).head == before


async def test_pages_of_acts_newest_first(store: Store) -> None:
    assert (await store.audit()).items == []
    assert (await store.verify_audit()).head == ""
    for n in range(7):
        await store.append(system(e.TokenRevoked(id=str(n))), {})
    first = await store.audit(limit=3)
    second = await store.audit(limit=3, cursor=first.next)
    third = await store.audit(limit=3, cursor=second.next)
    assert [[row.target for row in page.items] for page in (first, second, third)] == [
        ["6", "5", "4"],
        ["3", "2", "1"],
        ["0"],
    ]
    assert third.next is None


async def test_what_is_refused_is_no_act(store: Store) -> None:
    await store.append(on("r", created()), {"run/r": 0})
    with pytest.raises(ConflictError):
        await store.append(on("r", e.RunPaused(by="ana")), {"run/r": 7})
    await store.append(on("r", e.RunPaused(by="ben")), {"run/r": 1})
    assert [(row.n, row.act, row.who) for row in await acts(store)] == [(1, "run", "u"), (2, "pause", "ben")]


async def test_a_hash_that_was_noted_is_looked_for(store: Store) -> None:
    await store.append(system(e.TokenRevoked(id="1"), e.TokenRevoked(id="2")), {})
    noted = (await acts(store))[0].hash
    assert (await store.verify_audit(noted)).ok
    other = await store.verify_audit("f" * 64)
    assert (other.ok, other.first_bad, other.checked) == (False, 3, 2)
    assert "noted" in other.problem


async def test_an_import_is_one_act_of_who_took_it_in(store: Store) -> None:
    tags = {
        "imported": "abc",
        "imported_from": "r_there",
        "imported_events": "3",
        "imported_by": "ana via ssh",
    }
    theirs = on("r", created(tags=tags), log(), e.RunPaused(by="mallory"), e.RunResumed(by="mallory"))
    await store.append(theirs, {"run/r": 0})
    await store.append(on("r", e.RunPaused(by="ben")), {})
    shown = [(row.n, row.act, row.who, row.origin, row.target) for row in await acts(store)]
    assert shown == [(1, "import", "ana", "ssh", "r"), (2, "pause", "ben", "local", "r")]


# --- tokens ------------------------------------------------------------------------------------


def token(token_id: str, scope: Scope = "viewer", expires_at: int | None = None) -> e.TokenCreated:
    return e.TokenCreated(
        id=token_id, name=f"of {token_id}", sha256="00", scope=scope, expires_at=expires_at, by="ana"
    )


async def test_tokens(store: Store) -> None:
    await store.append(system(token("aa"), token("bb", "admin", T0 + 9)), {})
    await store.append(system(e.TokenRevoked(id="aa"), e.TokenRevoked(id="zz"), at=T0 + 5), {})
    await store.append(system(e.TokenRevoked(id="aa"), at=T0 + 50), {})
    bb, aa = await store.tokens()
    assert (bb.id, bb.name, bb.scope, bb.created_at) == ("bb", "of bb", "admin", T0 + 1)
    assert (bb.expires_at, bb.revoked_at, bb.created_by) == (T0 + 9, None, "ana")
    assert (aa.id, aa.scope, aa.expires_at, aa.revoked_at) == ("aa", "viewer", None, T0 + 5), "the first time"
    kept = await store.token("bb")
    assert kept is not None
    assert (kept.row, kept.sha256) == (bb, "00")
    assert await store.token("zz") is None


# --- what is registered ------------------------------------------------------------------------


async def test_a_registered_workflow_is_the_newest_of_its_name(store: Store) -> None:
    def put(name: str, hash_: str) -> e.WorkflowRegistered:
        return e.WorkflowRegistered(name=name, definition=FLOW, definition_hash=hash_)

    assert await store.registered_workflow("a") is None
    await store.append(system(put("a", "1"), put("b", "1"), put("a", "2"), e.WorkflowRemoved(name="b")), {})
    found = await store.registered_workflow("a")
    assert found is not None
    assert (found.seq, found.at, found.event) == (3, T0 + 2, put("a", "2"))
    assert await store.registered_workflow("b") is None


async def test_a_registered_agent_is_the_newest_of_its_name(store: Store) -> None:
    def put(name: str, model: str) -> e.AgentRegistered:
        return e.AgentRegistered(name=name, definition={"name": name, "models": [model]})

    drafts = [e.Draft("agent/w", T0, put("w", m)) for m in ("one", "two")]
    await store.append([*drafts, e.Draft("agent/x", T0, put("x", "one"))], {})
    await store.append(on("r", created(), started(agent="w"), started(step="b", agent="seen")), {})
    await store.append([e.Draft("agent/x", T0, e.AgentRemoved(name="x"))], {})
    found = await store.registered_agent("w")
    assert found is not None
    assert msgspec.structs.asdict(found)["event"] == put("w", "two")
    assert await store.registered_agent("x") is None, "it was removed"
    assert await store.registered_agent("seen") is None, "runs have used it, nobody registered it"
