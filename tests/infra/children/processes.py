"""What the tests of children share: family trees of real processes, and waiting for their end."""

from __future__ import annotations

import asyncio
import json
import os
import select
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from aethermind.engine.ports import ChildOutput
from aethermind.infra.children import watchdog

PYTHON = [sys.executable, "-I", "-S"]
TREE = str(Path(__file__).with_name("tree.py"))
HOST = [sys.executable, str(Path(__file__).with_name("host.py"))]

EVERY_KIND = ("plain", "stubborn", "session", "stubborn-session", "daemon")


def tree(*kinds: str) -> list[str]:
    """argv of a process that starts one child of each kind and then waits for a signal. Each writes a line
    `KIND PID`, the first one last and as `tree PID`."""
    return [*PYTHON, TREE, *kinds]


class Heard:
    """Collects lines of output, and wakes those who wait for some."""

    def __init__(self) -> None:
        self.lines: list[ChildOutput] = []
        self._more = asyncio.Event()

    def __call__(self, line: ChildOutput) -> None:
        self.lines.append(line)
        self._more.set()

    @property
    def texts(self) -> list[str]:
        return [line.text for line in self.lines]

    async def until(self, enough: Callable[[list[str]], bool]) -> None:
        async with asyncio.timeout(20):
            while not enough(self.texts):
                self._more.clear()
                await self._more.wait()

    async def tree(self) -> dict[str, int]:
        """Name → pid of a whole `tree`, once it stands."""
        await self.until(lambda texts: any(text.startswith("tree ") for text in texts))
        return pids(self.texts)


def pids(lines: Iterable[str]) -> dict[str, int]:
    return {name: int(pid) for name, pid in (line.split() for line in lines)}


def alive(pid: int) -> bool:
    return any(process.pid == pid for process in watchdog.processes())


def wait_gone(pids: Iterable[int], seconds: float) -> list[int]:
    """Wait, not longer than that, until all these have ended; returns those that have not."""
    left = []
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            if not poll.poll(seconds * 1000):
                left.append(pid)
        finally:
            os.close(fd)
    return left


def in_host(**options: Any) -> list[str]:
    """argv of a process that is an engine of its own: see host.py."""
    return [*HOST, json.dumps(options)]
