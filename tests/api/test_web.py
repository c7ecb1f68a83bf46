"""Terminals in pages, as long as their token is good. (`tests/e2e/test_web.py` has the whole of it.)"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aethermind.api.settings import ServerSettings
from aethermind.api.web import app
from aethermind.domain.errors import BusyError, DeniedError
from aethermind.engine.access import TokenRow

Message = app.Message
HOST = "127.0.0.1:3002"


class Engine:
    """Says of the token what it is told to, one after the other."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)

    async def ask(self, question: object) -> TokenRow:
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer
        return TokenRow(id="t", name="ana", scope="admin", created_at=0)


class Terminals:
    """One that is used until it is taken away."""

    ended = ""

    async def serve(self, receive: object, send: object, *, size: tuple[int, int], by: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = by


async def test_an_open_terminal_ends_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "AGAIN_S", 0)
    engine: Any = Engine(None, None, BusyError("the engine is ending"), None, DeniedError("revoked"))
    terminals: Any = Terminals()
    web = app.Web(engine, terminals, settings=ServerSettings(), secure=False)
    key = web._sessions.open("aeth_token", "ana")
    headers = {"host": HOST, "origin": f"http://{HOST}", "cookie": f"aethermind={key}"}
    scope = {
        "type": "websocket",
        "path": "/ws",
        "query_string": b"",
        "client": ("10.0.0.7", 1),
        "server": ("127.0.0.1", 3002),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async with asyncio.timeout(20):
        await web(scope, receive, send)
    assert [(message["type"], message.get("code")) for message in sent] == [
        ("websocket.accept", None),
        ("websocket.close", 1008),
    ]
    assert terminals.ended == "token ana via 10.0.0.7"
    assert engine.answers == []
