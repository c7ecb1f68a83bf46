"""Programs that are spoken with."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aethermind.domain.errors import CommandError
from aethermind.infra.children.dialog import Dialog
from aethermind.infra.children.local import LocalChildren
from tests.infra.children.processes import PYTHON, Heard, alive, tree, wait_gone


@pytest.fixture
async def children() -> AsyncIterator[LocalChildren]:
    adapter = LocalChildren(grace=0.2)
    yield adapter
    await adapter.close()


async def answered(dialog: Dialog, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(20):
        while len(data) < size and (more := await dialog.receive()):
            data += more
    return data


async def test_it_is_spoken_with_and_ends_when_left(children: LocalChildren) -> None:
    async with children.talk(["cat"], cwd="/", env={}) as dialog:
        await dialog.send(b"one\n")
        assert await answered(dialog, 4) == b"one\n"
        await dialog.send(b"two\n")
        assert await answered(dialog, 4) == b"two\n"
    assert not alive(dialog.pid)


async def test_much_goes_both_ways(children: LocalChildren) -> None:
    data = os.urandom(3_000_000)
    async with children.talk(["cat"], cwd="/", env={}) as dialog:
        sending = asyncio.create_task(dialog.send(data))
        assert await answered(dialog, len(data)) == data
        await sending


async def test_a_send_waits_until_it_is_taken(children: LocalChildren) -> None:
    async with children.talk(tree(), cwd="/", env={}) as dialog:
        sending = asyncio.create_task(dialog.send(b"x" * 1_000_000))
        await dialog.receive()
        assert not sending.done()
        os.kill(dialog.pid, signal.SIGKILL)
        with pytest.raises(BrokenPipeError):
            await sending
        assert await answered(dialog, 1_000) is not None
        with pytest.raises(BrokenPipeError):
            await dialog.send(b"x")


async def test_what_it_says_beside_is_heard(children: LocalChildren) -> None:
    heard = Heard()
    script = "import sys; print('beside\\x1b[m', file=sys.stderr, flush=True); sys.stdin.read()"
    async with children.talk([*PYTHON, "-c", script], cwd="/", env={"A": "b"}, on_error=heard):
        await heard.until(lambda texts: texts == ["beside␛[m"])


async def test_its_whole_family_goes_with_it(children: LocalChildren) -> None:
    async with children.talk(tree("stubborn", "session"), cwd="/", env={}) as dialog:
        lines: list[str] = []
        async with asyncio.timeout(20):
            while not any(line.startswith("tree ") for line in lines):
                lines += (await dialog.receive()).decode().split("\n")
    pids = [int(line.split()[1]) for line in lines if " " in line]
    assert len(pids) == 3
    assert wait_gone(pids, 0) == []


async def test_an_error_inside_goes_on_when_it_is_gone(children: LocalChildren) -> None:
    with pytest.raises(ZeroDivisionError):
        async with children.talk(tree("stubborn"), cwd="/", env={}) as dialog:
            raise ZeroDivisionError
    assert not alive(dialog.pid)


async def test_a_cancellation_goes_on_when_it_is_gone(children: LocalChildren) -> None:
    pids: list[int] = []
    inside = asyncio.Event()

    async def talk() -> None:
        async with children.talk(["cat"], cwd="/", env={}) as dialog:
            pids.append(dialog.pid)
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(talk())
    await asyncio.wait_for(inside.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert wait_gone(pids, 0) == []


async def test_closing_stops_it_while_it_is_spoken_with() -> None:
    children = LocalChildren(grace=0.2)
    async with children.talk(["cat"], cwd="/", env={}) as dialog:
        await children.close()
        assert await dialog.receive() == b""
        assert wait_gone([dialog.pid], 0) == []
    with pytest.raises(CommandError):
        async with children.talk(["cat"], cwd="/", env={}):
            pass


async def test_what_cannot_be_started(children: LocalChildren, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no such program"):
        async with children.talk(["no-such-program"], cwd=str(tmp_path), env={}):
            pass
