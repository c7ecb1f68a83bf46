"""Requests and answers over a line. Connections are kept and used again, one request at a time each.

A connection that the other side closed while it lay idle shows only when it is used: the request is then
sent once more on a new one, as nothing of an answer had come. Whoever acts sends an `Idempotency-Key`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import h11

from aethermind.infra.remote.lines import BrokenLine, Line, NoAnswer, Stream

IDLE = 4
"""So many connections are kept for the next requests."""
LARGEST = 256 * 1024 * 1024
"""Bytes of one answer."""

WARMING_S = 15.0
"""So long may an answer take whose engine has said that it is there (a 1xx): it loads what it needs first."""

TURNS = 40

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


class Http:
    """All methods belong to one event loop."""

    def __init__(self, line: Line, *, host: str) -> None:
        self._line = line
        self._host = host
        self._idle: list[_Connection] = []

    async def ask(
        self, method: str, target: str, headers: Headers, body: bytes | None, *, timeout_s: float
    ) -> Answer:
        """One request; `target` is the path with its query. Raises `BrokenLine`, also after `timeout_s`."""
        silence = Silence(timeout_s)
        return await silence.bound(self._ask(method, target, headers, body, silence))

    async def _ask(
        self, method: str, target: str, headers: Headers, body: bytes | None, silence: Silence
    ) -> Answer:
        while self._idle:
            kept = self._idle.pop()
            try:
                return await self._on(kept, method, target, headers, body)
            except BrokenLine:
                if kept.answered:
                    raise
        fresh = _Connection(await self._line.dial(), silence.lengthen)
        return await self._on(fresh, method, target, headers, body)

    async def _on(
        self, connection: _Connection, method: str, target: str, headers: Headers, body: bytes | None
    ) -> Answer:
        sent = [("Host", self._host), ("Accept", "application/json"), *headers]
        if body is not None:
            sent += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        try:
            answer = await connection.exchange(method, target, sent, body)
        except BaseException:
            connection.close()
            raise
        if connection.reusable and len(self._idle) < IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


class Silence:
    """How long an answer may take, counted in turns of our own loop: where the machine is so busy that these
    are late, the other side is, too, and is not silent for that.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._left = seconds

    def lengthen(self) -> None:
        """It has said that it is there."""
        self._left = max(self._left, WARMING_S)

    async def bound(self, answer: Coroutine[Any, Any, Answer]) -> Answer:
        """Raises `BrokenLine` if it takes too long."""
        task = asyncio.create_task(answer)
        turn = self._seconds / TURNS
        try:
            while self._left > 0:
                if (await asyncio.wait({task}, timeout=turn))[0]:
                    return task.result()
                self._left -= turn
            raise NoAnswer(f"no answer in {self._seconds:g} s")
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


class _Connection:
    def __init__(self, stream: Stream, alive: Callable[[], None]) -> None:
        self._stream = stream
        self._alive = alive
        self._http = h11.Connection(h11.CLIENT)
        self.answered = False
        """Something of an answer to the request under way has come."""
        self.reusable = False

    async def exchange(self, method: str, target: str, headers: Headers, body: bytes | None) -> Answer:
        http = self._http
        self.answered = self.reusable = False
        data = http.send(h11.Request(method=method, target=target, headers=list(headers))) or b""
        if body:
            data += http.send(h11.Data(data=body)) or b""
        data += http.send(h11.EndOfMessage()) or b""
        await self._stream.write(data)
        status, found, parts, size = 0, dict[str, str](), list[bytes](), 0
        while True:
            try:
                event = http.next_event()
            except h11.RemoteProtocolError as error:
                raise BrokenLine(f"what answers there speaks no HTTP: {error}") from error
            if event is h11.NEED_DATA:
                received = await self._stream.read()
                self.answered |= bool(received)
                if not received and http.their_state is h11.SEND_RESPONSE and not status:
                    raise BrokenLine("the connection ended without an answer")
                http.receive_data(received)
            elif isinstance(event, h11.InformationalResponse):
                self._alive()
            elif isinstance(event, h11.Response):
                status = event.status_code
                found = {
                    name.decode("latin-1").lower(): value.decode("latin-1") for name, value in event.headers
                }
            elif isinstance(event, h11.Data):
                size += len(event.data)
                if size > LARGEST:
                    raise BrokenLine("the answer is too large")
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            elif isinstance(event, h11.ConnectionClosed):
                raise BrokenLine("the connection ended in the middle of an answer")
        if http.our_state is h11.DONE and http.their_state is h11.DONE:
            http.start_next_cycle()
            self.reusable = True
        return Answer(status, found, b"".join(parts))

    def close(self) -> None:
        self._stream.close()
