"""Coding agents on a PATH of their own, and the provider over them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import ErrorInfo, ProviderError
from aethermind.engine.ports import (
    CallContext,
    ChatEvent,
    ChatRequest,
    Finished,
    Message,
    TextDelta,
)
from aethermind.infra.children.local import LocalChildren
from aethermind.infra.config import load_config
from aethermind.infra.providers.cli import CliProvider
from aethermind.infra.providers.cli_programs import programs_of
from aethermind.infra.providers.deadlines import Deadlines
from tests.servers.agents import (
    Act,
    StandIn,
)

PATIENT = Deadlines(first_token_ms=20_000, idle_ms=20_000, total_ms=30_000, tail_ms=2_000)


class Lab:
    """Programs on a PATH of their own, and the provider over them."""

    def __init__(self, tmp_path: Path, children: LocalChildren) -> None:
        self.tmp_path = tmp_path
        self.bin = tmp_path / "bin"
        self.cwd = tmp_path / "work"
        self.cwd.mkdir()
        self.children = children
        self.environ = {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "ANTHROPIC_API_KEY": "sk-ant-not-for-children-1",
            "OPENAI_API_KEY": "sk-not-for-children-1",
        }
        self.config = ""
        self.deadlines = PATIENT

    def program(self, name: str, *acts: Act) -> StandIn:
        return StandIn(self.bin, name, *acts)

    def provider(self) -> CliProvider:
        path = self.tmp_path / "config.toml"
        path.write_text(self.config)
        config = load_config(self.environ, path=path, home=self.tmp_path)
        return CliProvider(
            programs_of(config), lambda: self.children, environ=config.environ, deadlines=self.deadlines
        )

    async def ask(self, model: str, prompt: str = "Mend it.", **request: Any) -> list[ChatEvent]:
        sent = ChatRequest(
            model=model,
            **{"messages": (Message(role="user", content=prompt),), **request},
            context=CallContext(cwd=str(self.cwd)),
        )
        return [event async for event in self.provider().stream(sent)]

    async def fail(self, model: str, **request: Any) -> ErrorInfo:
        with pytest.raises(ProviderError) as caught:
            await asyncio.wait_for(self.ask(model, **request), 25)
        return caught.value.info


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[Lab]:
    environ = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
    }
    children = LocalChildren(grace=0.3, environment=environ)
    try:
        yield Lab(tmp_path, children)
    finally:
        await children.close()


def streamed(events: list[ChatEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def end(events: list[ChatEvent]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    return last


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return True


async def there(holds: Callable[[], bool]) -> None:
    """Wait until another process has done something."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)
