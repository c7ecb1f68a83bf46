"""The program that the bench measures: the real engine in its thread, the real screen on the terminal given.

    python -m bench.tui.program CHANNEL [--durability process] [--headless]

`CHANNEL` is the number of a socket: a line of JSON comes for each line it gets.

    beat                          what has happened so far; the longest stalls begin anew
    events PER_S MOST             a run that emits so many events a second, open on the screen
    logs PER_S                    the same of log lines
    quiet                         end what runs
    saturate SECONDS crowd|wide|vast   as much as the engine can: small runs, or one that is watched
    many STEPS LINES              a finished run of that size, open on the screen
    hostile                       runs full of hostile texts
    open RUN · screen             watch a run · what is on the screen
    key ID · act ID               the keys of an action · do it
    leave
"""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aethermind.bootstrap import Composition, Options, open_engine
from aethermind.bootstrap import load as compose
from aethermind.engine.client import Client
from aethermind.engine.hosting import EngineThread
from aethermind.engine.local import LocalClient
from aethermind.tui.launch import settings_of
from bench.tui.load import Load

EVERY_S = 0.002
"""How often a probe wants to be called; what it is late is a stall."""


class Probe:
    """The longest that a loop was not to be had, in ms."""

    def __init__(self) -> None:
        self.worst_ms = 0.0
        self.beats = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = 0.0

    def start(self) -> None:
        """In the loop."""
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time() + EVERY_S
        self._loop.call_at(self._due, self._beat)

    def _beat(self) -> None:
        assert self._loop is not None
        now = self._loop.time()
        self.beats += 1
        self.worst_ms = max(self.worst_ms, (now - self._due) * 1_000)
        self._due = now + EVERY_S
        self._loop.call_at(self._due, self._beat)

    def take(self) -> float:
        worst, self.worst_ms = self.worst_ms, 0.0
        return worst


class Machine:
    """The engine in its thread, with the bench's load."""

    def __init__(self, composition: Composition) -> None:
        self.loads: list[Load] = []
        self.probe = Probe()
        self.thread = EngineThread(self._opened(composition))
        self.thread.start()

    def _opened(self, composition: Composition) -> Callable[[], Any]:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Client]:
            async with open_engine(composition, composition.database) as engine:
                self.loads.append(Load(engine))
                self.probe.start()
                yield LocalClient(engine)

        return opened

    @property
    def load(self) -> Load:
        return self.loads[0]

    def do(self, order: Callable[[Load], Any]) -> concurrent.futures.Future[Any]:
        async def run() -> Any:
            return await order(self.load)

        return self.thread.call(lambda _: run())


class Orders:
    """Answers the channel, in a thread of its own. `app` is the screen, if there is one."""

    def __init__(self, machine: Machine, app: Any = None) -> None:
        self.machine, self.app = machine, app
        self.ui = Probe()
        self._left = threading.Event()

    def serve(self, channel: socket.socket) -> None:
        with channel.makefile("rw") as lines:
            for line in lines:
                word, *rest = line.split()
                try:
                    answer = getattr(self, word)(*rest)
                except Exception as error:  # noqa: BLE001 - the bench is to read it
                    answer = {"error": f"{type(error).__name__}: {error}"}
                lines.write(json.dumps(answer) + "\n")
                lines.flush()

    def beat(self) -> dict[str, Any]:
        made = self.machine.load.made
        told: dict[str, Any] = {
            "at": time.perf_counter(),
            "made": made,
            "engine_stall_ms": self.machine.probe.take(),
        }
        if self.app is not None:
            told |= {"received": self.app.bridge.received, "ui_stall_ms": self.ui.take()}
        return told

    def events(self, per_s: str, most: str) -> dict[str, Any]:
        return self._open(self.machine.do(lambda load: load.events(float(per_s), int(most))).result())

    def logs(self, per_s: str) -> dict[str, Any]:
        return self._open(self.machine.do(lambda load: load.logs(float(per_s))).result())

    def many(self, steps: str, lines: str) -> dict[str, Any]:
        return self._open(self.machine.do(lambda load: load.many(int(steps), int(lines))).result())

    def hostile(self) -> dict[str, Any]:
        return {"runs": self.machine.do(lambda load: load.hostile()).result()}

    def quiet(self) -> dict[str, Any]:
        self.machine.do(lambda load: load.quiet()).result()
        return {}

    def saturate(self, seconds: str, shape: str) -> dict[str, Any]:
        self.machine.load.opened = self._watch  # type: ignore[method-assign]  # a hook of this bench
        told: dict[str, Any] = self.machine.do(lambda load: load.saturate(float(seconds), shape)).result()
        return told

    def open(self, run_id: str) -> dict[str, Any]:
        return self._open(run_id)

    def screen(self) -> dict[str, Any]:
        held = self.app.bridge.open
        return {
            "screen": type(self.app.screen).__name__,
            "run": held.run.id if held is not None else None,
            "nodes": len(held.run.nodes) if held is not None else 0,
            "logs": len(held.logs) if held is not None else 0,
            "loaded": held.logs_loaded if held is not None else False,
            "runs": len(self.app.bridge.runs),
            "over": held is None or held.run.finished is not None,
            "live": len(self.machine.load.engine.scheduler.live),
            "hz": 1 / self.app.clock.period,
        }

    def key(self, action: str) -> dict[str, Any]:
        from aethermind.tui.actions import REGISTRY

        return {"keys": list(self.app.keymap.of(REGISTRY[action]))}

    def act(self, action: str) -> dict[str, Any]:
        from aethermind.tui.actions import perform

        loop = self.app._loop  # noqa: SLF001 - there is no public way to it
        loop.call_soon_threadsafe(self.app.call_later, perform, self.app.context, action)
        return {}

    def leave(self) -> dict[str, Any]:
        self._left.set()
        if self.app is not None:
            self.app.call_from_thread(self.app.exit, 0)
        return {}

    def wait(self) -> None:
        self._left.wait()

    def _open(self, run_id: str) -> dict[str, Any]:
        self._watch(run_id)
        return {"run": run_id}

    def _watch(self, run_id: str) -> None:
        if self.app is not None:
            loop = self.app._loop  # noqa: SLF001 - there is no public way to it
            loop.call_soon_threadsafe(self.app.call_later, self.app.open_run, run_id)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("channel", type=int)
    parser.add_argument("--durability", default="process")
    parser.add_argument("--headless", action="store_true")
    parser.add_argument("--low-bandwidth", action="store_true")
    given = parser.parse_args()
    composition = compose(Options(durability=given.durability, max_concurrent=1_000))
    machine = Machine(composition)
    channel = socket.socket(fileno=given.channel)
    first = machine.do(lambda load: load.many(20, 20)).result()  # without a run, the screen asks for one
    if given.headless:
        orders = Orders(machine)
        threading.Thread(target=orders.serve, args=(channel,), daemon=True).start()
        orders.wait()
        machine.thread.stop(drain_s=0)
        return
    from aethermind.tui.app import AethermindApp
    from aethermind.tui.context import StartIntent
    from aethermind.tui.driver import PatientDriver

    class Shown(AethermindApp):
        def on_mount(self) -> None:
            super().on_mount()
            orders.ui.start()
            threading.Thread(target=orders.serve, args=(channel,), daemon=True).start()

    settings = settings_of(
        composition.config.tui,
        composition.config.environ,
        theme_dirs=(composition.themes_dir,),
        low_bandwidth=given.low_bandwidth or None,
    )
    app = Shown(
        machine.thread,
        settings=settings,
        start=StartIntent(run_id=first),
        composition=composition,
        driver_class=PatientDriver,
    )
    orders = Orders(machine, app)
    app.run()
    machine.thread.stop(drain_s=0)
    if app.failure is not None:
        raise app.failure


if __name__ == "__main__":
    main()
