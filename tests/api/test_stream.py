"""`/ws` on a real server: a snapshot, what was missed, what comes; slow, rude and unwelcome watchers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Self

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from aethermind.api import listening, stream, watching
from aethermind.domain.errors import StoreError
from aethermind.domain.events import Submitter
from aethermind.domain.run import Run
from aethermind.domain.workflow import Function, StepDef
from aethermind.engine.client import Client, Notice, RunRequest
from aethermind.engine.context import StepContext
from tests.api.serving import ASK, HI, VALUE, Serving, events_until, receive
from tests.engine.harness import Harness, workflow

Json = Any
LINES = 3_000


class Talking(Harness):
    """With functions that log: `talk` says its last line when the test gives a sign."""

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.go = asyncio.Event()

        async def talk(ctx: StepContext) -> int:
            for n in range(LINES):
                ctx.log(f"line {n}")
            await self.go.wait()
            ctx.log("the last")
            return LINES

        async def chat(ctx: StepContext) -> int:
            for n in range(LINES):
                ctx.log(f"line {n}")
            return LINES

        self.engine.register("talk", talk)
        self.engine.register("chat", chat)
        return self


@pytest.fixture(scope="module")
def talking() -> Iterator[Serving]:
    with Serving(harness=Talking) as serving:
        yield serving
        assert serving.complaints == []


def talk(served: Serving, function: str = "talk") -> str:
    request = RunRequest(
        definition=workflow(StepDef(id="talk", action=Function(name=function))),
        inputs={},
        submitter=Submitter(user="t", cwd="/", interpreter="python"),
    )
    return served.ask(lambda client: client.start_run(request))


def go_on(served: Serving) -> None:
    async def go(_: Client) -> None:
        harness: Any = served.harness
        harness.go.set()
        harness.go = asyncio.Event()

    served.ask(go)


def over(events: list[Json]) -> bool:
    return bool(events) and events[-1]["type"] in {"RunSucceeded", "RunFailed"}


def test_a_run_is_watched_from_its_beginning(served: Serving) -> None:
    with served.ws("?after=0&batch_ms=0") as ws:
        snapshot = receive(ws)
        assert snapshot["type"] == "snapshot"
        assert (snapshot["seq"], snapshot["partials"]) == (0, [])
        assert snapshot["engine"]["protocol"] == 1
        run_id = served.start(HI)
        seen = events_until(ws, over)
    assert seen == served.get(f"/api/runs/{run_id}/events").json["items"]


def test_from_now_on_is_from_the_snapshots_seq(served: Serving) -> None:
    served.settled(served.start(VALUE))
    with served.ws() as ws:
        seq = receive(ws)["seq"]
        assert seq == served.get("/api/engine").json["last_seq"]
        run_id = served.start(VALUE)
        seen = events_until(ws, over)
    assert min(event["seq"] for event in seen) == seq + 1
    assert {event["stream"] for event in seen} == {f"run/{run_id}"}


def test_one_run_alone(served: Serving) -> None:
    waiting = served.start(ASK)
    served.settled(waiting)
    with served.ws(f"?stream=run/{waiting}&after=0&batch_ms=1") as ws:
        served.settled(served.start(VALUE))
        served.post(f"/api/runs/{waiting}/answer", {"step": "ok", "values": {"approved": True}})
        seen = events_until(ws, over)
    assert {event["stream"] for event in seen} == {f"run/{waiting}"}
    assert seen == served.get(f"/api/runs/{waiting}/events").json["items"]


def test_watchers_that_come_at_any_time_see_the_same(talking: Serving) -> None:
    """Some from the start, some in the middle, some with what they know already: no gap, no double."""
    run_id = talk(talking)
    results: dict[str, list[Json]] = {}

    def watch(name: str, query: str) -> None:
        with talking.ws(query) as ws:
            assert receive(ws)["type"] == "snapshot"
            results[name] = events_until(ws, over)

    queries = {
        "all": f"?stream=run/{run_id}&after=0&batch_ms=0",
        "slower": f"?stream=run/{run_id}&after=0&batch_ms=40",
        "again": f"?stream=run/{run_id}&after=0&batch_ms=0",
        "global": "?after=0&batch_ms=5",
    }
    threads = [threading.Thread(target=watch, args=item, daemon=True) for item in queries.items()]
    for thread in threads:
        thread.start()
    page = talking.get(f"/api/runs/{run_id}/events?limit=700").json
    some = page["items"][-1]["seq"]
    threads.append(
        threading.Thread(target=watch, args=("half", f"?stream=run/{run_id}&after={some}"), daemon=True)
    )
    threads[-1].start()
    go_on(talking)
    for thread in threads:
        thread.join(30)
    whole: list[Json] = []
    while True:
        more = talking.get(
            f"/api/runs/{run_id}/events?after={whole[-1]['seq'] if whole else 0}&limit=5000"
        ).json
        whole += more["items"]
        if more["next"] is None:
            break
    for name in ("all", "slower", "again"):
        assert results[name] == whole
    assert results["half"] == [event for event in whole if event["seq"] > some]
    assert [event for event in results["global"] if event["stream"] == f"run/{run_id}"] == whole


def test_a_watcher_that_does_not_read_holds_nobody_up_and_misses_nothing(talking: Serving) -> None:
    with talking.ws("?after=0&batch_ms=0", max_queue=(1, 0)) as slow:
        for run_id in [talk(talking, "chat") for _ in range(3)]:
            assert talking.settled(run_id)["run"]["status"] == "succeeded"
        last = talking.get("/api/engine").json["last_seq"]
        seen = events_until(slow, lambda events: bool(events) and events[-1]["seq"] >= last)
    seqs = [event["seq"] for event in seen]
    assert seqs == list(range(seqs[0], last + 1))


def test_two_who_watch_see_an_act_at_once(served: Serving) -> None:
    run_id = served.start(ASK)
    served.settled(run_id)
    with served.ws(f"?stream=run/{run_id}") as one, served.ws(f"?stream=run/{run_id}") as other:
        receive(one)
        receive(other)
        served.post(f"/api/runs/{run_id}/answer", {"step": "ok", "values": {"approved": True}})
        assert events_until(one, over) == events_until(other, over)


def test_texts_stream_as_signals(served: Serving) -> None:
    """Deltas come between the start and the end of their call, joined and in order."""
    with served.ws("?batch_ms=0") as ws:
        receive(ws)
        served.start(HI)
        pieces: dict[int, str] = {}
        ended = None
        while ended is None:
            message = receive(ws)
            if message["type"] == "signals":
                for signal in message["signals"]:
                    assert signal["type"] == "TokenDelta"
                    pieces[signal["offset"]] = signal["text"]
            elif message["type"] == "events":
                ends = [event for event in message["events"] if event["type"] == "CallFinished"]
                ended = ends[0]["data"]["text"] if ends else None
    for offset, text in pieces.items():
        assert ended[offset : offset + len(text)] == text


def test_a_notice_that_stands_is_told_to_who_comes_later() -> None:
    with Serving() as served:

        async def tell(_: Client, kind: Any) -> None:
            served.harness.engine.feed.notice(Notice(kind=kind, message="the disk is full"))

        served.ask(lambda client: tell(client, "held"))
        with served.ws() as ws:
            receive(ws)
            told = receive(ws)["signals"]
            assert [(s["type"], s["kind"]) for s in told] == [("Notice", "held")]
            with served.ws() as later:
                receive(later)
                assert receive(later)["signals"][0]["message"] == "the disk is full"
            served.ask(lambda client: tell(client, "over"))
            assert receive(ws)["signals"][0]["kind"] == "over"


@pytest.mark.parametrize(
    "query",
    [
        "?after=x",
        "?after=-1",
        "?after=" + "9" * 30,
        "?stream=agent/x",
        "?stream=",
        "?batch_ms=9999",
        "?afer=1",
    ],
)
def test_a_wrong_question_is_refused_before_it_is_accepted(served: Serving, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused, served.ws(query):
        pass
    assert refused.value.response.status_code == 400
    assert json.loads(refused.value.response.body or b"")["code"] == "BadRequest"


def test_a_run_that_is_not_there_is_no_stream(served: Serving) -> None:
    with pytest.raises(InvalidStatus) as refused, served.ws("?stream=run/r_nix"):
        pass
    assert refused.value.response.status_code == 404


def closing_code(ws: ClientConnection) -> int:
    with contextlib.suppress(ConnectionClosed):
        while True:
            ws.recv(timeout=20)
    assert ws.close_code is not None
    return ws.close_code


@pytest.mark.parametrize("sent,code", [("hello", 1008), (b"\0" * 10, 1008), ("x" * (1 << 20), 1009)])
def test_a_client_that_talks_is_sent_away(
    served: Serving, sent: str | bytes, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "GOODBYE_S", 0.2)
    with served.ws() as ws:
        receive(ws)
        ws.send(sent)
        assert closing_code(ws) == code
    assert served.get("/api/health").status == 200


def test_a_revoked_token_does_not_watch_on(served: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PING_S", 0.02)
    token = served.token("viewer")
    with served.ws(token=token) as ws:
        receive(ws)
        assert receive(ws) == {"type": "ping"}
        served.http("DELETE", f"/api/tokens/{token.split('_')[1]}")
        assert closing_code(ws) == 1008


def test_watchers_get_the_rest_and_are_told_that_the_engine_ends() -> None:
    """Also what happened just before, which is still being gathered."""
    with Serving() as served:
        run_id = served.start(ASK)
        served.settled(run_id)
        with (
            served.ws("?after=0&batch_ms=5000") as ws,
            served.ws(f"?stream=run/{run_id}&batch_ms=5000") as one,
        ):
            receive(ws)
            receive(one)
            served.ask(lambda client: client.answer(run_id, "ok", {"approved": True}, by="ana"))
            last = served.ask(_settled(run_id)).seq
            served.server.stop(0)
            assert events_until(ws, over)[-1]["seq"] == last
            assert events_until(one, over)[-1]["seq"] == last
            assert closing_code(ws) == closing_code(one) == 1012
    assert served.complaints == []


def _settled(run_id: str) -> Callable[[Client], Awaitable[Run]]:
    return lambda client: client.wait(run_id)


def test_who_takes_nothing_does_not_keep_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "FAREWELL_S", 0.1)
    with Serving(harness=Talking) as served:
        for _ in range(2):
            served.settled(talk(served, "chat"))
        with deaf_watcher(served):
            served.server.stop(0)
    assert served.complaints == []


@contextlib.contextmanager
def deaf_watcher(served: Serving) -> Iterator[None]:
    """One that never reads more than that it was let in."""
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(served.home / "engine.sock"))
        deaf.sendall(
            b"GET /ws?after=0 HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert deaf.recv(12) == b"HTTP/1.1 101"
        yield


def test_a_watcher_that_takes_nothing_for_long_is_sent_away(
    talking: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "STALLED_S", 0.2)
    for _ in range(2):  # more than the buffers of a socket hold
        talking.settled(talk(talking, "chat"))
    with deaf_watcher(talking):
        assert talking.server.watching == 1
        nobody_watches(talking)


def nobody_watches(served: Serving) -> None:
    deadline = threading.Event()
    for _ in range(1_000):
        if served.server.watching == 0:
            return
        deadline.wait(0.01)
    pytest.fail("somebody still watches")


def test_a_watcher_that_leaves_is_forgotten(served: Serving) -> None:
    with served.ws() as ws:
        receive(ws)
    nobody_watches(served)


def test_a_log_that_can_not_be_read_says_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with Serving() as served:
        served.settled(served.start(VALUE))

        async def broken(**_: object) -> None:
            raise StoreError("the disk is gone")

        monkeypatch.setattr(served.harness.client, "events", broken)
        with served.ws("?after=0") as ws:
            receive(ws)
            assert closing_code(ws) == 1013
        assert served.complaints == []
