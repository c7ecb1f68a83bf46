"""All four model APIs on one loopback server: who asks is read from a mark in the prompt (`<<facts>>`)."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from tests.e2e.waiting import PATIENCE
from tests.servers.http import Handler, HttpServer, Reply, Request, in_thread
from tests.servers.wires import WIRES, Counts, Wire

_MARK = re.compile(r"<<([^>]+)>>")


class Gate:
    """An answer stops in its middle until the test opens the gate."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opened: asyncio.Event | None = None

    async def __call__(self) -> None:
        if self._opened is None:
            self._loop, self._opened = asyncio.get_running_loop(), asyncio.Event()
        self.reached.set()
        await self._opened.wait()

    def wait(self) -> None:
        """Until somebody stands before the gate."""
        assert self.reached.wait(PATIENCE), "nobody asked this model"

    def open(self) -> None:
        self.wait()
        assert self._loop is not None
        assert self._opened is not None
        self._loop.call_soon_threadsafe(self._opened.set)


@dataclass(frozen=True)
class Answer:
    text: str
    counts: Counts
    thought: str = ""
    gate: Gate | None = None


@dataclass
class Models:
    """The server's handler. `asked` are the marks of the prompts, in the order they came."""

    answers: Mapping[str, Answer]
    asked: list[str] = field(default_factory=list)

    async def __call__(self, request: Request, reply: Reply) -> None:
        wire = next((wire for wire in WIRES if wire.path == request.path), None)
        found = _MARK.search(request.body.decode())
        if wire is None or found is None:
            await reply.whole(404, b'{"error": {"message": "nothing here"}}', "application/json")
            return
        self.asked.append(found[1])
        answer = self.answers[found[1]]
        chunks = wire.chunks(answer.text, answer.counts, thought=answer.thought)
        await reply.start(200, wire.content_type)
        for chunk in chunks:
            await reply.send(chunk)
            if answer.gate is not None and _is_text(wire, answer.text, chunk):
                await answer.gate()
        await reply.end()


def _is_text(wire: Wire, text: str, chunk: bytes) -> bool:
    """Whether this chunk brings the first half of the text."""
    half = text[: len(text) // 2]
    return half.encode() in chunk and text.encode() not in chunk


KEYS = {"OPENAI_API_KEY": "sk-test-openai-0123456789-a3f", "ANTHROPIC_API_KEY": "sk-ant-test-0123456789-b4e"}


@contextlib.contextmanager
def models(answers: Mapping[str, Answer]) -> Iterator[tuple[Models, HttpServer]]:
    """Serve these answers, as `vendors` does."""
    handler = Models(answers)
    with vendors(handler) as server:
        yield handler, server


@contextlib.contextmanager
def vendors(handler: Handler) -> Iterator[HttpServer]:
    """Programs started meanwhile find this server through the vendors' own variables."""
    with in_thread(handler) as server, pytest.MonkeyPatch.context() as patch:
        addresses = {
            "OPENAI_BASE_URL": f"{server.url}/v1",
            "ANTHROPIC_BASE_URL": server.url,
            "OLLAMA_HOST": server.url,
        }
        for name, value in (KEYS | addresses).items():
            patch.setenv(name, value)
        yield server
