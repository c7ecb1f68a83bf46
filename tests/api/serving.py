"""A real server in front of a real engine (in memory), and clients that speak HTTP and WebSocket to it."""

from __future__ import annotations

import http.client
import json
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
from websockets.sync.client import ClientConnection, connect, unix_connect

from aethermind.api.server import Server
from aethermind.api.settings import ServerSettings
from aethermind.engine.client import Client
from aethermind.engine.hosting import EngineThread
from aethermind.engine.receipts import Receipts
from aethermind.infra import sockets
from tests.engine.harness import Harness

T = TypeVar("T")
Json = Any
PATIENCE_S = 20.0


class Reply(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Json:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        found: str = self.json["code"]
        return found


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(str(self._path))


class Serving:
    """`async with` is not needed: everything here is another thread's."""

    def __init__(
        self,
        *,
        settings: ServerSettings | None = None,
        receipts: Receipts | None = None,
        harness: Callable[[], Harness] = Harness,
    ) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="aeth"))
        self.complaints: list[str] = []

        @asynccontextmanager
        async def opened() -> AsyncIterator[Client]:
            async with harness() as h:
                self.harness = h
                yield h.client

        self.engine = EngineThread(opened)
        self._settings = settings or ServerSettings(rate_limit=0)
        self._receipts = receipts

    def __enter__(self) -> Self:
        self.engine.start()
        self.server = Server(
            self.engine,
            settings=self._settings,
            sock=sockets.bind(self.home),
            tcp=("127.0.0.1", 0),
            receipts=self._receipts,
            complain=self.complaints.append,
            user="ana",
        )
        self.server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.stop(1)
        self.engine.stop(drain_s=0)
        sockets.unbind(self.home)

    @property
    def port(self) -> int:
        assert self.server.tcp is not None
        return self.server.tcp[1]

    def ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        return self.engine.call(question).result(PATIENCE_S)

    def token(self, scope: Any = "admin", *, name: str = "t", expires_at: int | None = None) -> str:
        made = self.ask(
            lambda client: client.create_token(name, scope=scope, expires_at=expires_at, by="test")
        )
        return made.token

    # --- HTTP ----------------------------------------------------------------------------------

    def http(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        raw: bytes | None = None,
        headers: Mapping[str, str] = {},
        tcp: bool = False,
        token: str | None = None,
    ) -> Reply:
        connection = (
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
            if tcp or token
            else _Unix(self.home / "engine.sock")
        )
        sent = dict(headers)
        data = raw
        if body is not None:
            data = json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        try:
            skip = "Host" in sent
            connection.putrequest(method, path, skip_host=skip, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            if data is not None:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Reply:
        return self.http("GET", path, **options)

    def post(self, path: str, body: Json = None, **options: Any) -> Reply:
        return self.http("POST", path, body, **options)

    def start(self, text: str, **fields: Any) -> str:
        """A run of this workflow text, simulated; its id."""
        reply = self.post("/api/runs/text", {"text": text, "sim": True, **fields})
        assert reply.status == 201, reply.body
        run_id: str = reply.json["id"]
        return run_id

    def settled(self, run_id: str) -> Json:
        """The run, when it rests."""
        assert self.get(f"/api/runs/{run_id}/wait").json["settled"]
        return self.get(f"/api/runs/{run_id}").json

    # --- WebSocket -----------------------------------------------------------------------------

    def ws(
        self,
        query: str = "",
        *,
        tcp: bool = False,
        token: str | None = None,
        headers: Mapping[str, str] = {},
        **options: Any,
    ) -> ClientConnection:
        sent = dict(headers)
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        options = {"compression": None, "open_timeout": PATIENCE_S, "close_timeout": 1, **options}
        if tcp or token:
            ws: ClientConnection = connect(
                f"ws://127.0.0.1:{self.port}/ws{query}", additional_headers=sent, **options
            )
        else:
            path = str(self.home / "engine.sock")
            ws = unix_connect(path, f"ws://localhost/ws{query}", additional_headers=sent, **options)
        return ws


def receive(ws: ClientConnection) -> Json:
    return json.loads(ws.recv(timeout=PATIENCE_S))


def events_until(ws: ClientConnection, enough: Callable[[list[Json]], bool]) -> list[Json]:
    """Events as they come, until there are enough."""
    found: list[Json] = []
    while not enough(found):
        message = receive(ws)
        if message["type"] == "events":
            found += message["events"]
    return found


HI = """\
name: hi
inputs: {who: {type: string, default: you}}
steps: [{id: greet, prompt: 'Say hi to {{ inputs.who }}'}]
"""
VALUE = "name: value\nsteps: [{id: a, value: '{{ 1 + 1 }}'}]\n"
ASK = "name: asks\nsteps: [{id: ok, approval: {message: Go on?}}]\n"
"""It waits until somebody decides."""
