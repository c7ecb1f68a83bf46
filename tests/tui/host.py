"""A program that shows the app on the terminal it is given, on an engine that never rests.

Run by `test_pty`. It talks over a socket (its number is the argument): a line comes for each line it gets.

    beat      nothing but the answer: how often its event loop went round, how many events the engine has
              made, how many bytes the terminal has taken
    flood N   the engine makes N events a second from now on (in its own thread, whatever the screen does)
    hostile   the engine logs every hostile text
    leave     the app ends
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from aethermind.engine.hosting import SWITCH_INTERVAL  # noqa: E402 - the path has to be set first
from aethermind.tui.app import AethermindApp  # noqa: E402 - the path has to be set first
from aethermind.tui.context import Settings, StartIntent  # noqa: E402 - the same
from aethermind.tui.driver import PatientDriver, Writer  # noqa: E402 - the same
from tests.hostile import HOSTILE  # noqa: E402 - the same
from tests.tui.fakes import FakeEngine, FakeSubscription  # noqa: E402 - the same
from tests.tui.histories import research  # noqa: E402 - the same


class Threaded(FakeSubscription):
    """Filled by one thread and drained by another without a lock, as the real one is."""

    def __init__(self, run_id: str | None, wake: Callable[[], None] | None) -> None:
        super().__init__(run_id, wake)
        self.queue: deque[Any] = deque()
        self.filled = False

    def offer(self, item: Any) -> None:
        self.queue.append(item)
        if not self.filled and self.wake is not None:
            self.filled = True
            self.wake()

    def drain(self, limit: int = 5_000) -> list[Any]:
        self.filled = False
        return [self.queue.popleft() for _ in range(min(limit, len(self.queue)))]


class BusyEngine(FakeEngine):
    """Its events come from a thread of their own, as the real one's do."""

    def __init__(self) -> None:
        self.script = research()
        super().__init__(self.script)
        self.made = 0
        self.rate = 0
        sys.setswitchinterval(SWITCH_INTERVAL)  # as the real one does
        threading.Thread(target=self._work, daemon=True).start()

    def subscribe(self, **given: Any) -> FakeSubscription:
        subscription = Threaded(given.get("run_id"), given.get("wake"))
        self.subscriptions.append(subscription)
        return subscription

    def log(self, text: str) -> None:
        self.play(self.script, lambda s: s.log(102_000, "info", text, step="sections[2]"))
        self.made += 1

    def _work(self) -> None:
        while True:
            begin = time.monotonic()
            for _ in range(self.rate // 100):
                self.log(f"wave {self.made}")
            time.sleep(max(0.01 - (time.monotonic() - begin), 0.001))


class Host(AethermindApp):
    def __init__(self, channel: socket.socket) -> None:
        self.busy_engine = BusyEngine()
        settings = Settings(theme_dirs=(ROOT / "themes",), place="me@box", wall=lambda: self.wall)
        start = StartIntent(run_id="r_8f21")
        self.wall = self.busy_engine.script.start + 102_000
        super().__init__(self.busy_engine, settings=settings, start=start, driver_class=PatientDriver)
        self.channel = channel
        self.beats = 0

    def on_mount(self) -> None:
        super().on_mount()
        asyncio.get_running_loop().call_soon(self._beat)
        threading.Thread(target=self._answer, daemon=True).start()

    def _beat(self) -> None:
        self.beats += 1
        asyncio.get_running_loop().call_later(0.005, self._beat)

    def _answer(self) -> None:
        with self.channel.makefile("rw") as lines:
            for line in lines:
                word, _, rest = line.strip().partition(" ")
                if word == "flood":
                    self.busy_engine.rate = int(rest)
                elif word == "hostile":
                    for text in HOSTILE:
                        self.busy_engine.log(text)
                elif word == "leave":
                    self.call_later(self.exit, 0)
                writer = getattr(self._driver, "_writer_thread", None)
                said = {
                    "beats": self.beats,
                    "made": self.busy_engine.made,
                    "bytes": writer.written if isinstance(writer, Writer) else 0,
                    "busy": writer.busy if isinstance(writer, Writer) else False,
                    "received": self.bridge.received,
                }
                lines.write(json.dumps(said) + "\n")
                lines.flush()


if __name__ == "__main__":
    app = Host(socket.socket(fileno=int(sys.argv[1])))
    app.run()
    if app.failure is not None:
        raise app.failure
