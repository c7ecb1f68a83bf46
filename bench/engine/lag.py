"""Lag of the engine's event loop while W3 runs again and again and the TUI is open, on a pty that is read.

    python -m bench.engine.lag HOME SECONDS FILE        the program on the pty; its answer goes to FILE

A probe wants to be called every 2 ms; what it is late is the lag.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.engine.contender import ROOT, environment
from bench.engine.goals import Line, median, quantile
from bench.engine.plan import Plan

if TYPE_CHECKING:
    from aethermind.engine.client import Client
    from aethermind.engine.engine import Engine

EVERY_S = 0.002
COLUMNS, ROWS = 120, 40
PATIENCE_S = 120.0


def lines(plan: Plan) -> list[Line]:
    answers = [_measure(plan.lag_s) for _ in range(min(3, plan.rounds))]
    made = []
    for share, goal in ((0.99, 10.0), (0.999, 50.0)):
        late = median([quantile(answer["lags_ms"], share) for answer in answers])
        speed = median([answer["steps_per_s"] for answer in answers])
        rate = answers[0]["written"] / plan.lag_s / 1024
        note = f"{speed:,.0f} steps/s beside it, {rate:.0f} KB/s to the terminal"
        made.append(
            Line(
                part="lag",
                what=f"engine's loop, p{share * 100:g}",
                measured=late,
                unit="ms",
                goal=goal,
                note=note,
            )
        )
    return made


def _measure(seconds: float) -> dict[str, Any]:
    """Run the program on a pty and read all that it writes."""
    with tempfile.TemporaryDirectory() as directory:
        told = Path(directory) / "told.json"
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.engine.lag", directory, str(seconds), str(told)],
            cwd=ROOT,
            env=environment(TERM="xterm-256color", COLORTERM="truecolor"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        written, end = 0, time.monotonic() + PATIENCE_S + seconds
        while process.poll() is None and time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # the program has gone
                    written += len(os.read(master, 65_536))
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)
        if not told.exists():
            raise RuntimeError(f"the program on the pty told nothing: exit {process.returncode}")
        answer: dict[str, Any] = json.loads(told.read_text())
    return {**answer, "written": written}


# --- the program on the pty --------------------------------------------------------------------


async def wave(engine: Engine) -> str:
    """W3 once; the id of its last run."""
    from bench.engine.limit import DIAMOND
    from bench.engine.ours import definition, request

    flow = definition("W3", DIAMOND)

    async def one() -> str:
        run = await engine.scheduler.settled(await engine.start(request(flow)))
        if run.status != "succeeded":
            raise RuntimeError(run.status)
        return run.id

    return (await asyncio.gather(*(one() for _ in range(200))))[-1]


async def load(engine: Engine, seconds: float) -> dict[str, Any]:
    """In the engine's loop: W3 until the time is over, and the probe beside it."""
    loop = asyncio.get_running_loop()
    lags: list[float] = []
    due = loop.time() + EVERY_S
    handle: asyncio.TimerHandle

    def probe() -> None:
        nonlocal due, handle
        now = loop.time()
        lags.append(max(0.0, now - due) * 1_000)
        due = now + EVERY_S
        handle = loop.call_at(due, probe)

    handle = loop.call_at(due, probe)
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        await wave(engine)
        steps += 1_000
    handle.cancel()
    return {"lags_ms": lags, "steps_per_s": steps / (time.perf_counter() - began)}


def main(home: str, seconds: float, told: Path) -> None:
    from aethermind.bootstrap import Options, open_engine
    from aethermind.bootstrap import load as compose
    from aethermind.engine.hosting import EngineThread
    from aethermind.engine.local import LocalClient
    from aethermind.tui.app import AethermindApp
    from aethermind.tui.context import Settings, StartIntent
    from aethermind.tui.driver import PatientDriver
    from bench.engine.ours import noop

    composition = compose(Options(home=home, durability="process", max_concurrent=1_000))
    engines: list[Engine] = []

    @asynccontextmanager
    async def opened() -> AsyncIterator[Client]:
        """As the command line opens it; the engine itself drives the load, so that nothing is read again."""
        async with open_engine(composition, composition.database) as engine:
            engine.register("bench", noop)
            engines.append(engine)
            yield LocalClient(engine)

    engine = EngineThread(opened)
    engine.start()
    first = engine.call(lambda _: wave(engines[0])).result()  # imports; and the screen has something to show

    class Host(AethermindApp):
        def on_mount(self) -> None:
            super().on_mount()
            self.set_timer(0.5, self.begin)

        def begin(self) -> None:
            future = engine.call(lambda _: load(engines[0], seconds))
            future.add_done_callback(lambda _: self.call_from_thread(self.exit, 0))
            self.under_way = future

    settings = Settings(theme_dirs=(composition.themes_dir,), place="bench")
    app = Host(
        engine,
        settings=settings,
        start=StartIntent(run_id=first),
        composition=composition,
        driver_class=PatientDriver,
    )
    app.run()
    engine.stop(drain_s=0)
    if app.failure is not None:
        raise app.failure
    told.write_text(json.dumps(app.under_way.result(timeout=1)))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
