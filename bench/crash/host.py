"""The engine's side of the crash bench: a process that has imported all and forks one life after another.

    python -m bench.crash.host < lines of JSON: {"directory", "home", "failpoint", "do", "leave_after"}

A life opens the database of the directory, starts what is not there, goes on with what is, decides what
waits, and tells what it hears to be recorded: `life PID`, `open SEQ`, `ack SEQ TYPE STREAM STEP`, `over`.
When it has died or ended, `gone CODE` follows. Forked before any thread exists, so a round costs no imports.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

import aethermind.infra.providers.ollama
import aethermind.infra.stores.upkeep  # noqa: F401  # and all that a life will need
from aethermind import bootstrap, failpoints
from aethermind.bootstrap import Composition, Options
from aethermind.domain import events as e
from aethermind.domain import views
from aethermind.domain.errors import InvalidError
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.engine.client import RunRequest
from aethermind.engine.engine import Engine
from aethermind.engine.local import LocalClient
from aethermind.engine.queries import RunFilter
from aethermind.infra.stores import writer
from bench.crash import workload

BY = "bench"
DRAIN_S = 0.1
SMALL_WAL = 200_000
"""Bytes after which there is a checkpoint: in the lives of this bench, too."""
RUN_TAG = "bench"


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


class Life:
    """One engine on the database; drives every run of the workload to its end."""

    def __init__(self, directory: Path, composition: Composition, engine: Engine) -> None:
        self.directory = directory
        self.composition = composition
        self.engine = engine
        self.client = LocalClient(engine)
        self.told = 0
        self.caught_up = asyncio.Event()
        self.started = asyncio.Event()
        """The step that ends by itself never is at work."""
        self.cancels = True
        """The child of `cancelled` is at work."""
        self.cancelled: str | None = None

    async def live(self) -> None:
        self.told = last = await self.engine.store.last_seq()
        say(f"open {last}")
        self.engine.register("count", workload.count)
        telling = asyncio.create_task(self._tell(last))
        there = {}
        for row in (await self.client.runs(RunFilter(), limit=100)).items:
            run = await self.client.run(row.id)
            there[run.created.tags[RUN_TAG]] = run
        await asyncio.gather(*(self._drive(name, there.get(name)) for name in workload.OUTPUTS))
        last = await self.engine.store.last_seq()
        while self.told < last:
            self.caught_up.clear()
            await asyncio.wait_for(self.caught_up.wait(), 10)
        telling.cancel()
        say("over")

    async def _tell(self, after: int) -> None:
        async for item in self.engine.feed.follow(after=after):
            if not isinstance(item, e.Recorded):
                continue
            step = getattr(item.event, "step", None)
            if item.type == "AttemptStarted" and step == "long":
                self.started.set()
            self.told = item.seq
            self.caught_up.set()
            if item.version:
                say(f"ack {item.seq} {item.type} {item.stream} {step}")

    # --- runs ----------------------------------------------------------------------------------

    async def _drive(self, name: str, run: Run | None) -> None:
        if run is None:
            run_id = await self.client.start_run(self._request(name))
        else:
            run_id = run.id
            await self.client.resume(run_id, by=BY)
        if name == "flow":
            with suppress(InvalidError):  # it is over
                await self.client.pause(run_id, by=BY)
        cancelling = (
            asyncio.create_task(self._cancel(run_id)) if name == "cancelled" and self.cancels else None
        )
        while not self._is_over(name, run := await self.client.wait(run_id)):
            await self._go_on(name, run)
        if cancelling is not None:
            cancelling.cancel()

    def _request(self, name: str) -> RunRequest:
        place = self.directory / name
        submitter = bootstrap.submitter(self.composition, cwd=place)
        budget = workload.HELD_MICRO_USD if name == "held" else None
        if name == "flow":
            definition, inputs = workload.flow(), {"place": str(place)}
        else:
            definition, inputs = self._loaded(name), {}
        return RunRequest(
            definition=definition,
            inputs=inputs,
            submitter=submitter,
            budget_micro_usd=budget,
            tags={RUN_TAG: name},
        )

    def _loaded(self, name: str) -> Any:
        return bootstrap.load_workflow(self.composition, workload.file_of(self.directory, name)).definition

    def _is_over(self, name: str, run: Run) -> bool:
        return run.finished == ("cancelled" if name == "cancelled" else "succeeded")

    async def _cancel(self, run_id: str) -> None:
        await self.started.wait()
        with suppress(InvalidError):  # it was, in an earlier life
            await self.client.cancel(run_id, by=BY)

    async def _go_on(self, name: str, run: Run) -> None:
        """What a person would do about a run that rests."""
        match run.status:
            case "failed" if name == "mend":
                (self.directory / name / "mended").touch()
                await self.client.retry(run.id, by=BY)
            case "failed" if name == "edited":
                file = workload.file_of(self.directory, name)
                text = file.read_text()
                file.write_text(text.replace(*workload.MENDED))
                await self.client.resume_edited(run.id, self._loaded(name), by=BY)
            case "paused":
                await self.client.resume(run.id, by=BY)
            case "waiting_budget" | "waiting_answer" | "parked":
                for node in views.open_questions(run):
                    await self._decide(run, node)
            case _:
                raise RuntimeError(f"{name} is {run.status}: {run.error}")

    async def _decide(self, run: Run, node: Node) -> None:
        match views.question_object(node)["about"]:
            case "budget" if run.held[node.path].scope == "day":
                await self.client.raise_day_budget(workload.RAISED_MICRO_USD, by=BY)
            case "budget":
                await self.client.raise_budget(run.id, workload.RAISED_MICRO_USD, by=BY)
            case "in_doubt":
                await self.client.answer(run.id, node.path, {"choice": "retry"}, by=BY)
            case _:
                await self.client.answer(run.id, node.path, {"approved": True}, by=BY)


async def live(directory: Path, composition: Composition, leave_after: float | None) -> None:
    """All runs to their ends, or a graceful stop after so many seconds."""
    composition.config.make_home()
    async with bootstrap.open_engine(composition, composition.database) as engine:
        try:
            async with asyncio.timeout(leave_after):
                await Life(directory, composition, engine).live()
        except TimeoutError:
            await engine.scheduler.drain(DRAIN_S)


async def leave_in_the_middle(directory: Path, composition: Composition) -> None:
    """A graceful stop while a child is at work that ends by itself never."""
    composition.config.make_home()
    async with bootstrap.open_engine(composition, composition.database) as engine:
        life = Life(directory, composition, engine)
        life.cancels = False
        going = asyncio.create_task(life.live())
        await asyncio.wait_for(life.started.wait(), 20)
        going.cancel()
        await engine.scheduler.drain(DRAIN_S)


def upkeep(do: str, directory: Path, composition: Composition) -> None:
    """`rebuild`, `prune` (all that is finished), or `import` the bundle `bundle.jsonl` of the directory."""
    say("open 0")
    match do:
        case "rebuild":
            bootstrap.upkeep(composition).rebuild()
        case "prune":
            bootstrap.upkeep(composition).prune(time.time_ns() // 1_000_000 + 1)
        case "import":
            composition.config.make_home()
            asyncio.run(bootstrap.exchange(composition).take(directory / "bundle.jsonl"))
        case _:
            raise ValueError(do)
    say("over")


def one(order: dict[str, Any]) -> None:
    """A life, in a process of its own."""
    directory = Path(order["directory"])
    say(f"life {os.getpid()}")
    log = os.open(directory / "host.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 2)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    failpoints.arm(order["failpoint"])
    writer.WAL_BOUND = SMALL_WAL
    options = Options(home=directory / order["home"], config=directory / "config.toml")
    composition = bootstrap.load(options)
    if order["do"] == "live":
        asyncio.run(live(directory, composition, order["leave_after"]))
    else:
        upkeep(order["do"], directory, composition)


def main() -> None:
    gc.freeze()
    while True:
        line = sys.stdin.buffer.readline()
        if not line:
            return
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                one(json.loads(line))
                code = 0
            except BaseException:  # noqa: BLE001 - it ends here, whatever it is
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        say(f"gone {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
