"""Tokens, and who did what, through the client."""

from __future__ import annotations

import hashlib

import pytest

from aethermind.domain.errors import BusyError, DeniedError, InvalidError, NotFoundError
from aethermind.domain.events import EngineStopped
from aethermind.domain.workflow import Ask, StepDef, Value
from aethermind.engine.access import SCOPES, Scope, allows, draw, written
from aethermind.engine.local import LocalClient
from aethermind.infra import secrets
from aethermind.infra.redaction import veil
from aethermind.infra.stores.memory import InMemoryStore
from tests.engine.harness import Harness, workflow

ONE = workflow(StepDef(id="a", action=Value(value=1)))
ASK = workflow(StepDef(id="ok", action=Ask(message="Go?", approval=True)))


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def now(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


async def acts(h: Harness) -> list[tuple[str, str, str, str]]:
    """Act, who, from where, to what; oldest first."""
    page = await h.client.audit(limit=100)
    assert (await h.client.verify_audit()).ok
    return [(row.act, row.who, row.origin, row.target) for row in reversed(page.items)]


# --- tokens ------------------------------------------------------------------------------------


async def test_a_token_is_shown_once_and_only_its_hash_is_kept() -> None:
    async with Harness() as h:
        made = await h.client.create_token("ci", scope="operator", by="ana")
        token_id, secret = made.token.removeprefix("aeth_").split("_", 1)
        assert (token_id, made.name, made.scope, made.expires_at) == (made.id, "ci", "operator", None)
        row = await h.client.authenticate(made.token)
        assert (row.id, row.name, row.scope, row.created_by) == (made.id, "ci", "operator", "ana")
        assert await h.client.tokens() == [row]
        kept = "\n".join(repr(item) for item in await h.store.read_all(0))
        assert secret not in kept
        assert hashlib.sha256(made.token.encode()).hexdigest() in kept


def test_a_token_has_256_bits_of_chance_and_is_never_the_same() -> None:
    drawn = [draw() for _ in range(50)]
    assert len({token_id for token_id, _ in drawn}) == len({secret for _, secret in drawn}) == 50
    assert {len(secret) for _, secret in drawn} == {43}, "43 letters of 6 bits"


async def test_what_is_no_token_of_ours_is_refused_alike() -> None:
    """Nobody learns whether there is a token of this id."""
    async with Harness() as h:
        made = await h.client.create_token("ci")
        await h.client.revoke_token(made.id)
        told = set()
        right = f"aeth_{made.id}"
        for wrong in (
            written(made.id, "x" * 43),
            written("0" * 12, "x" * 43),
            made.token[:-1],
            made.token + "=",
            made.token.upper(),
            right,
            "",
            "Bearer x",
            "aeth__",
            f"{made.token}\n",
        ):
            with pytest.raises(DeniedError) as refused:
                await h.client.authenticate(wrong)
            told.add(refused.value.line())
        assert told == {"the token is not valid (aethermind tokens list)"}


async def test_a_revoked_token_is_good_for_nothing() -> None:
    async with Harness() as h:
        made = await h.client.create_token("ci")
        await h.client.revoke_token(made.id, by="ben")
        with pytest.raises(DeniedError, match="was revoked"):
            await h.client.authenticate(made.token)
        await h.client.revoke_token(made.id, by="ben")
        assert [act for act, *_ in await acts(h)] == ["tokens create", "tokens revoke"], "once is enough"
        with pytest.raises(NotFoundError, match="no token 'zz'"):
            await h.client.revoke_token("zz")


async def test_a_token_is_good_until_it_expires() -> None:
    clock = Hands()
    async with Harness(clock=clock) as h:
        made = await h.client.create_token("ci", expires_at=clock.ms + 1_000)
        clock.ms += 999
        assert (await h.client.authenticate(made.token)).expires_at == made.expires_at
        clock.ms += 1
        with pytest.raises(DeniedError, match="has expired"):
            await h.client.authenticate(made.token)


@pytest.mark.parametrize(
    "name, scope, expires_at, told",
    [
        ("", "viewer", None, "needs a name"),
        ("a\nb", "viewer", None, "needs a name"),
        ("x" * 101, "viewer", None, "needs a name"),
        ("ci", "root", None, "no scope 'root'"),
        ("ci", "viewer", 1, "have expired already"),
    ],
)
async def test_a_token_that_makes_no_sense(
    name: str, scope: Scope, expires_at: int | None, told: str
) -> None:
    async with Harness() as h:
        with pytest.raises(InvalidError, match=told):
            await h.client.create_token(name, scope=scope, expires_at=expires_at)
        assert await h.client.tokens() == []


def test_scopes_hold_what_is_below_them() -> None:
    assert [[allows(scope, needed) for needed in SCOPES] for scope in SCOPES] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


async def test_who_only_looks_makes_no_token() -> None:
    async with Harness() as h:
        looking = LocalClient(h.engine, owner="pid 7")
        with pytest.raises(BusyError):
            await looking.create_token("ci")
        made = await h.client.create_token("ci")
        assert (await looking.authenticate(made.token)).id == made.id
        assert [row.act for row in (await looking.audit()).items] == ["tokens create"]


# --- who did what ------------------------------------------------------------------------------


async def test_acts_on_a_run_are_told_with_who_and_from_where() -> None:
    async with Harness() as h:
        run = await h.run(ASK)
        await h.client.pause(run.id, by="ben via ssh")
        await h.client.pause(run.id, by="eve")  # it is paused: nothing is done
        await h.client.resume(run.id, by="ana via tui")
        await h.client.answer(run.id, "ok", {"approved": False}, by="token ci via 10.0.0.7")
        with pytest.raises(DeniedError):
            await h.client.answer(run.id, "ok", {"approved": True}, by="eve")
        await h.client.wait(run.id)
        await h.client.retry(run.id, by="ana")
        await h.client.raise_day_budget(5, by="ana")
        fork = await h.client.fork(run.id, "ok", by="ben via ssh")
        await h.client.cancel(fork, by="ana")
        told = await acts(h)
    assert told[:5] == [
        ("run", "test", "cli", run.id),
        ("pause", "ben", "ssh", run.id),
        ("resume", "ana", "tui", run.id),
        ("reject", "token ci", "10.0.0.7", f"{run.id}/ok"),
        ("retry", "ana", "local", run.id),
    ]
    assert [(act, who, where) for act, who, where, _ in told[5:]] == [
        ("budget", "ana", "local"),
        ("fork", "ben", "ssh"),
        ("cancel", "ana", "local"),
    ]


async def test_a_run_is_of_who_asked_for_it() -> None:
    async with Harness() as h:
        await h.start(ONE, by="token ci via 10.0.0.7")
        ((act, who, where, _),) = await acts(h)
        assert (act, who, where) == ("run", "token ci", "10.0.0.7")


async def test_what_begins_here_is_of_here_whatever_its_tags_say() -> None:
    """Nobody's run is taken for one that was imported, whose events are somebody else's word."""
    tags = {"imported": "d", "imported_from": "r_0", "imported_events": "99", "imported_by": "mallory"}
    async with Harness() as h:
        await h.client.trust("bundle:r_0", "d", by="ana")
        theirs = await h.run(ONE, tags=tags, forked_from="r_0", by="ben via tui")
        assert theirs.created.tags == {"imported": "d", "imported_from": "r_0"}
        fork = await h.client.fork(theirs.id, "a", by="eve via ssh")
        await h.client.wait(fork)
        assert (await acts(h))[1:] == [("fork", "ben", "tui", theirs.id), ("fork", "eve", "ssh", fork)]


async def test_stopping_the_engine_is_told_before_it_ends() -> None:
    async with Harness() as h:
        seen: list[str] = []
        store = h.store
        assert isinstance(store, InMemoryStore)
        with pytest.raises(DeniedError):
            await h.client.stop_engine(by="eve")
        h.client.host.stop = lambda: seen.append("stopped")
        await h.client.stop_engine(by="ana via ssh")
        assert seen == ["stopped"]
        (last,) = await store.read_all(0)
        assert last.event == EngineStopped(by="ana via ssh")
        assert await acts(h) == [("stop", "ana", "ssh", "engine")]


async def test_no_secret_gets_into_an_act(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_registry", secrets._Registry())
    secrets.remember("tk-4711-deploy-me")
    async with Harness(veil=veil()) as h:
        run = await h.run(ASK)
        await h.client.cancel(run.id, by="ana", reason="the key tk-4711-deploy-me leaked")
        rows = (await h.client.audit()).items
        assert rows[0].detail == "the key [redacted] leaked"
        assert "tk-4711" not in repr(rows)
