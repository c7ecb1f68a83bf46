"""The life of a server: it starts with nothing, drains, and ends; TLS; peers; errors inside."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

import pytest

from aethermind import peers
from aethermind.api import listening
from aethermind.api.hosting import InLoop
from aethermind.api.server import OURS, Server
from aethermind.api.settings import ServerSettings
from aethermind.domain.errors import InvalidError, StoreError
from aethermind.domain.events import Submitter
from aethermind.domain.workflow import Function, StepDef
from aethermind.engine.client import Client, RunRequest
from aethermind.engine.context import StepContext
from aethermind.engine.queries import RunFilter
from tests.api.serving import ASK, VALUE, Serving, receive
from tests.engine.harness import Harness, workflow

IMPORTS = """
import sys
from aethermind.api.server import Server
heavy = {"starlette", "uvicorn", "websockets", "h11", "msgspec.json_never", "aethermind.api.app"}
print(sorted(heavy & set(sys.modules)))
"""


def test_a_server_that_nobody_asked_imports_nothing() -> None:
    found = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_one_that_is_stopped_before_anybody_came() -> None:
    with Serving() as served:
        served.server.stop()
        assert not served.server.ready.is_set()
        served.server.stop()


def test_one_that_was_warmed_answers_at_once() -> None:
    with Serving() as served:
        served.server.warm()
        assert served.server.ready.wait(20)
        assert served.get("/api/health").status == 200


def test_a_client_of_ours_gets_a_sign_of_life_before_the_import() -> None:
    with Serving() as served, socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(served.home / "engine.sock"))
        client.sendall(
            b"GET /api/health HTTP/1.1\r\nHost: x" + OURS + b" ana via tty\r\nConnection: close\r\n\r\n"
        )
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_health_is_no_use_and_a_request_is() -> None:
    with Serving() as served:
        served.get("/api/health")
        before = served.server.last_used_at
        served.get("/api/health")
        assert served.server.last_used_at == before
        assert served.get("/api/runs", tcp=True).status == 401
        assert served.server.last_used_at == before
        served.get("/api/runs")
        deadline = time.monotonic() + 20  # it is noted after the answer has left
        while served.server.last_used_at == before and time.monotonic() < deadline:
            served.get("/api/health")
        assert served.server.last_used_at > before


def test_what_is_under_way_is_answered_before_the_end() -> None:
    with Serving() as served:
        run_id = served.start(ASK)
        served.settled(run_id)
        paused = threading.Event()
        release: asyncio.Event = asyncio.Event()
        answers: list[int] = []

        async def slow(client: Client) -> Any:
            paused.set()
            await release.wait()
            return await real(RunFilter())

        real = served.harness.client.runs
        served.harness.client.runs = lambda *_a, **_k: slow(served.harness.client)  # type: ignore[method-assign]  # slow on purpose
        asking = threading.Thread(target=lambda: answers.append(served.get("/api/runs").status), daemon=True)
        asking.start()
        assert paused.wait(20)
        stopping = threading.Thread(target=lambda: served.server.stop(20), daemon=True)
        stopping.start()

        async def let_go(_: Client) -> None:
            release.set()

        served.ask(let_go)
        stopping.join(20)
        asking.join(20)
        assert answers == [200]


def test_who_waits_for_a_run_does_not_keep_the_server_from_ending() -> None:
    with Serving(harness=Waiting) as served:
        run_id = served.ask(_unending)
        answers: list[Any] = []
        path = f"/api/runs/{run_id}/wait?timeout_s=30"
        waiting = threading.Thread(target=lambda: answers.append(served.get(path).json), daemon=True)
        waiting.start()
        assert Waiting.asked.wait(20)
        began = time.monotonic()
        served.server.stop(20)
        assert time.monotonic() - began < 10
        waiting.join(20)
        assert answers == [{"settled": False, "seq": None}]


class Waiting(Harness):
    """With a run that does not end by itself; `asked` when somebody waits for it."""

    asked = threading.Event()

    async def __aenter__(self) -> Self:
        await super().__aenter__()

        async def stay(ctx: StepContext) -> None:
            await asyncio.Event().wait()

        self.engine.register("stay", stay)
        wait = self.client.wait

        def noted(run_id: str) -> Any:
            self.asked.set()
            return wait(run_id)

        self.client.wait = noted  # type: ignore[method-assign]  # the same, and it is noted
        return self


async def _unending(client: Client) -> str:
    return await client.start_run(
        RunRequest(
            definition=workflow(StepDef(id="stay", action=Function(name="stay"))),
            inputs={},
            submitter=Submitter(user="t", cwd="/", interpreter="python"),
        )
    )


def test_an_engine_that_is_gone_is_told_so() -> None:
    with Serving() as served:
        served.get("/api/runs")
        served.engine.stop(drain_s=0)
        reply = served.get("/api/runs")
        assert (reply.status, reply.code) == (503, "BusyError")
        assert served.get("/api/health").status == 200


def test_an_error_inside_is_written_down_and_says_nothing_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    with Serving() as served:

        async def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError("the secret of the house")

        served.get("/api/health")
        monkeypatch.setattr(served.harness.client, "models", broken)
        reply = served.get("/api/models")
        assert (reply.status, reply.code) == (500, "Internal")
        assert b"secret" not in reply.body
        assert "ZeroDivisionError: the secret of the house" in served.complaints[0]


def test_a_full_disk_is_503_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with Serving() as served:

        async def full(*_: object, **__: object) -> None:
            raise StoreError("the disk is full", hint="make room")

        served.get("/api/health")
        monkeypatch.setattr(served.harness.client, "start_run", full)
        reply = served.post("/api/runs/text", {"text": VALUE})
        assert (reply.status, reply.code, reply.json["hint"]) == (503, "StoreError", "make room")


def test_a_stranger_on_the_socket_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with Serving() as served:
        assert served.get("/api/health").status == 200
        monkeypatch.setattr(peers, "peer_uid", lambda _: 65_534)
        with pytest.raises(OSError, match=r".*"):
            served.get("/api/health")
        monkeypatch.setattr(peers, "peer_uid", lambda _: 0)
        assert served.get("/api/health").status == 200


def test_the_peer_of_a_socket_is_known() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peers.peer_uid(one) == os.getuid()
        assert peers.is_own(other)


def test_half_a_request_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "HEAD_S", 0.05)
    with Serving() as served, socket.create_connection(("127.0.0.1", served.port), timeout=20) as client:
        client.sendall(b"GET /api/health HTTP/1.1\r\nHost:")
        assert client.recv(100) == b""


def test_an_address_that_is_taken_or_none() -> None:
    with Serving() as served:
        taken = Server(served.engine, tcp=("127.0.0.1", served.port))
        with pytest.raises(StoreError, match="can't be listened on"):
            taken.start()
        taken.stop()
        wrong = Server(served.engine, tcp=("127.0.0.1", 99_999))
        with pytest.raises(InvalidError, match="no address"):
            wrong.start()
        wrong.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("this system lacks openssl")
    place = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    files = ["-keyout", str(place / "key.pem"), "-out", str(place / "cert.pem")]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([openssl, *words.split(), *files, *names], check=True, capture_output=True)
    return place


def test_tls_with_ones_own_certificate(certificate: Path) -> None:
    import http.client

    settings = ServerSettings(tls_cert=certificate / "cert.pem", tls_key=certificate / "key.pem")
    with Serving(settings=settings) as served:
        context = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
        line = http.client.HTTPSConnection("localhost", served.port, context=context, timeout=20)
        line.request("GET", "/api/health")
        answer = line.getresponse()
        assert answer.status == 200
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert json.loads(answer.read())["status"] == "ok"
        line.close()


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nonsense")
    for settings in (
        ServerSettings(tls_cert=tmp_path / "cert.pem"),
        ServerSettings(tls_key=tmp_path / "cert.pem"),
    ):
        with Serving() as served:
            broken = Server(served.engine, settings=settings, tcp=("127.0.0.1", 0))
            with pytest.raises(InvalidError, match="cert"):
                broken.start()
            broken.stop()


async def test_a_client_in_a_programs_own_loop_is_served(tmp_path: Path) -> None:
    async with Harness() as h:
        hosting = InLoop(h.client, asyncio.get_running_loop())
        server = Server(hosting, tcp=("127.0.0.1", 0), settings=ServerSettings(rate_limit=0))
        server.start()
        assert server.tcp is not None
        token = (await h.client.create_token("t", scope="admin")).token
        try:
            shown = await asyncio.to_thread(_watch, server.tcp[1], token)
            assert shown == "snapshot"
        finally:
            hosting.close()
            await asyncio.to_thread(server.stop, 1)


def _watch(port: int, token: str) -> str:
    from websockets.sync.client import connect

    headers = {"Authorization": f"Bearer {token}"}
    with connect(f"ws://127.0.0.1:{port}/ws", additional_headers=headers, compression=None) as ws:
        kind: str = receive(ws)["type"]
        return kind
