"""`Idempotency-Key`: one act per key, the same answer to each repetition, also across the engine's death."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from aethermind.api.idempotency import TAG
from aethermind.domain.errors import StoreError
from aethermind.engine.queries import RunFilter
from aethermind.engine.receipts import MemoryReceipts, Receipt, Receipts
from aethermind.infra.receipts import SqliteReceipts
from tests.api.serving import HI, VALUE, Reply, Serving

Json = Any
BODY = {"text": VALUE, "sim": True}


def send(served: Serving, key: str, body: Json = BODY, **options: Any) -> Reply:
    return served.post("/api/runs/text", body, headers={"Idempotency-Key": key}, **options)


def runs(served: Serving) -> set[str]:
    return {row.id for row in served.ask(lambda client: client.runs(RunFilter(), limit=1_000)).items}


def test_the_same_request_acts_once(served: Serving) -> None:
    before = runs(served)
    first = send(served, "k1")
    again = [send(served, "k1") for _ in range(3)]
    assert first.status == 201
    assert "idempotent-replayed" not in first.headers
    assert [(r.status, r.json, r.headers["idempotent-replayed"]) for r in again] == [
        (201, first.json, "true")
    ] * 3
    assert runs(served) - before == {first.json["id"]}


def test_the_same_key_for_something_else_is_refused(served: Serving) -> None:
    send(served, "k2")
    assert send(served, "k2", {**BODY, "text": HI}).status == 422
    assert served.post("/api/runs/r_x/pause", headers={"Idempotency-Key": "k2"}).status == 422


def test_a_refusal_is_repeated_too(served: Serving) -> None:
    bad = {"text": "name: x\nsteps: []\n"}
    assert send(served, "k3", bad).body == send(served, "k3", bad).body
    assert send(served, "k3").status == 422


def test_what_was_removed_is_not_missed_by_the_repetition(served: Serving) -> None:
    made = served.post("/api/workflows", {"text": VALUE})
    assert made.status == 201
    path = f"/api/workflows/{made.json['name']}"
    gone = [served.http("DELETE", path, headers={"Idempotency-Key": "gone"}) for _ in range(2)]
    assert [reply.status for reply in gone] == [200, 200]
    assert served.http("DELETE", path).status == 404


def test_keys_are_each_tokens_own(served: Serving) -> None:
    one, other = served.token(name="one"), served.token(name="other")
    ids = {send(served, "k4", token=token).json["id"] for token in (one, other, None)}
    assert len(ids) == 3
    assert send(served, "k4", token=one).json["id"] in ids


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb"])
def test_a_key_is_a_short_word(served: Serving, key: str) -> None:
    assert send(served, key).status == 400


def test_at_the_same_time_it_acts_once(served: Serving) -> None:
    before = runs(served)
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(send(served, "k5").json["id"]), daemon=True)
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 8
    assert runs(served) - before == set(found)
    assert len(set(found)) == 1


class Forgetful(MemoryReceipts):
    """An engine that dies before it notes its answers."""

    def keep(self, receipt: Receipt) -> None:
        if receipt.status is None:
            super().keep(receipt)


def test_an_engine_that_died_before_it_answered_does_not_start_the_run_again() -> None:
    with Serving(receipts=Forgetful()) as served:
        first = send(served, "k")
        served.settled(first.json["id"])
        again = send(served, "k")
        assert (again.status, again.json) == (201, first.json)
        assert len(runs(served)) == 1


def test_nor_the_fork() -> None:
    with Serving(receipts=Forgetful()) as served:
        run_id = served.start(VALUE)
        served.settled(run_id)
        fork = f"/api/runs/{run_id}/fork"
        first = served.post(fork, {"at": "a"}, headers={"Idempotency-Key": "k"})
        assert first.status == 201
        assert served.post(fork, {"at": "a"}, headers={"Idempotency-Key": "k"}).json == first.json
        other = served.post(fork, {"at": "a"}, headers={"Idempotency-Key": "l"})
        unclear = served.post(fork, {"at": "a"}, headers={"Idempotency-Key": "k"})
        assert unclear.status == 409
        assert first.json["id"] in unclear.json["detail"]
        assert other.json["id"] in unclear.json["detail"]


def test_what_was_not_carried_out_is_carried_out() -> None:
    """Its receipt was kept, and then the engine died."""
    receipts = MemoryReceipts()
    with Serving(receipts=receipts) as served:
        first = send(served, "k")
        (kept,) = receipts._kept.values()
        receipts.keep(Receipt(mark=kept.mark, digest=kept.digest, at=kept.at, seq=10_000))
        again = send(served, "k")
        assert again.status == 201
        assert again.json != first.json


def test_a_run_carries_the_mark_of_its_request(served: Serving) -> None:
    run_id = send(served, "k6").json["id"]
    created = served.get(f"/api/runs/{run_id}/events?limit=1").json["items"][0]
    assert len(created["data"]["tags"][TAG]) == 64


@pytest.fixture(params=["memory", "sqlite"])
def receipts(request: pytest.FixtureRequest, tmp_path: Path) -> Receipts:
    return MemoryReceipts() if request.param == "memory" else SqliteReceipts(tmp_path / "receipts.db")


def test_receipts_are_kept_replaced_and_forgotten(receipts: Receipts) -> None:
    old = Receipt(mark="a", digest="d", at=1, seq=7)
    new = Receipt(mark="b", digest="d", at=5, seq=8, status=201, media_type="application/json", body=b"{}")
    assert receipts.find("a") is None
    receipts.keep(old)
    receipts.keep(new)
    assert receipts.find("a") == old
    assert receipts.find("b") == new
    done = Receipt(mark="a", digest="d", at=1, seq=7, status=200, media_type="x", body=b"\0")
    receipts.keep(done)
    assert receipts.find("a") == done
    receipts.forget(5)
    assert receipts.find("a") is None
    receipts.drop("b")
    assert receipts.find("b") is None
    receipts.close()


def test_receipts_outlive_the_process_and_are_the_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "receipts.db"
    first = SqliteReceipts(path)
    first.keep(Receipt(mark="a", digest="d", at=1, seq=7))
    assert path.stat().st_mode & 0o777 == 0o600
    first.close()
    second = SqliteReceipts(path)
    assert second.find("a") is not None
    second.close()


def test_a_broken_file_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "receipts.db").write_bytes(b"nonsense" * 1_000)
    broken = SqliteReceipts(tmp_path / "receipts.db")
    with pytest.raises(StoreError, match="receipts"):
        broken.find("a")
    broken.close()


def test_what_is_shown_once_is_not_kept() -> None:
    receipts = MemoryReceipts()
    with Serving(receipts=receipts) as served:
        key = {"Idempotency-Key": "k"}
        made = [served.post("/api/tokens", {"name": "ci"}, headers=key).json["token"] for _ in range(2)]
        assert made[0] != made[1]
        assert served.post("/api/ws-ticket", headers=key).status == 201
        assert receipts._kept == {}
