"""An engine behind a real SSH server, reached by the system's `ssh`."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import aclosing
from pathlib import Path
from typing import Self

import pytest

from aethermind.domain.errors import BusyError
from aethermind.domain.events import Recorded
from aethermind.domain.workflow import Function, StepDef
from aethermind.engine.client import Notice
from aethermind.engine.context import StepContext
from aethermind.infra.remote.opening import connect
from aethermind.infra.remote.target import SshTarget
from tests.contract.clients import served
from tests.contract.test_client import request
from tests.engine.harness import Harness
from tests.servers.ssh import SshHost, ssh_host

CUTS = 10
PATIENCE = 50
PER_S = 1_000
EVERY_S = 0.02


class Busy(Harness):
    """Its step writes a thousand lines a second until it is told that it is enough."""

    def __init__(self) -> None:
        super().__init__()
        self.enough = threading.Event()

    async def __aenter__(self) -> Self:
        await super().__aenter__()

        async def busy(ctx: StepContext) -> int:
            lines = 0
            loop = asyncio.get_running_loop()
            began = loop.time()
            while not self.enough.is_set():
                while lines < PER_S * (loop.time() - began):
                    ctx.log(f"line {lines}")
                    lines += 1
                await asyncio.sleep(EVERY_S)
            return lines

        self.engine.register("busy", busy)
        return self


def relay(socket: Path) -> list[str]:
    """What `aethermind bridge` does once it knows where the engine is: it is begun many times here."""
    program = (
        "import asyncio, os, pathlib, sys\n"
        "from aethermind.infra.remote.bridge import relay\n"
        "asyncio.run(relay(lambda: pathlib.Path(sys.argv[1]), stdin=os.dup(0), stdout=os.dup(1)))\n"
    )
    return [sys.executable, "-c", program, str(socket)]


async def test_cut_ten_times_at_a_thousand_events_a_second_nothing_is_missed(tmp_path: Path) -> None:
    harness = Busy()
    with served(lambda: harness) as engine, ssh_host(tmp_path) as host:
        command, options = relay(engine.target.path), ["-F", str(host.config)]
        opened = connect(SshTarget("box"), ssh_command=command, ssh_options=options)
        async with asyncio.timeout(PATIENCE), opened as client:
            attached = client.attached
            assert (attached.name, attached.local, attached.home) == ("box", False, "")
            run_id = await client.start_run(request(StepDef(id="busy", action=Function(name="busy"))))
            seen, notices = await _watch(client.feed(after=0), host, harness.enough)
            run = await client.wait(run_id)
            assert run.status == "succeeded"
            lines = run.outputs["busy"]
            inside = await asyncio.wrap_future(
                engine.thread.call(lambda client: client.events(limit=lines + 1_000))
            )
        assert seen == inside
        assert sum(recorded.type == "LogWritten" for recorded in seen) == lines > CUTS * 20
        assert notices == ["lost", "found"] * CUTS
        assert host.logins == CUTS + 1
        assert all(command.endswith("bridge") for command in host.commands)


async def _watch(feed: object, host: SshHost, enough: threading.Event) -> tuple[list[Recorded], list[str]]:
    """Cut the line again whenever twenty events have come over it; what was seen until the run's end."""
    seen: list[Recorded] = []
    notices: list[str] = []
    since = cuts = 0
    async with aclosing(feed) as items:  # type: ignore[type-var]  # feeds are async generators
        async for item in items:  # type: ignore[attr-defined]  # a generator
            if isinstance(item, Notice):
                notices.append(item.kind)
                since = 0
            elif isinstance(item, Recorded):
                seen.append(item)
                since += 1
                if item.type == "RunSucceeded":
                    break
                if since == 20 and cuts < CUTS:
                    cuts += 1
                    host.cut()
                elif cuts == CUTS == notices.count("found"):
                    enough.set()
    return seen, notices


async def test_what_goes_wrong_on_the_way_is_said(tmp_path: Path) -> None:
    with ssh_host(tmp_path) as host:
        options = ["-F", str(host.config)]
        with pytest.raises(BusyError, match=r"box finds no `/nowhere/aethermind`.*\[hosts\.box\] command"):
            await _connected(SshTarget("box"), ["/nowhere/aethermind"], options)
        with pytest.raises(BusyError, match="that is not it"):
            await _connected(SshTarget("box"), ["sh", "-c", "echo that is not it >&2; exit 3"], options)
        (tmp_path / "known_hosts").write_text("")
        with pytest.raises(BusyError, match="Host key verification failed"):
            await _connected(SshTarget("box"), ["true"], options)
    with pytest.raises(BusyError, match="refused"):
        await _connected(SshTarget("box"), ["true"], options)


async def _connected(target: SshTarget, command: list[str], options: list[str]) -> None:
    async with connect(target, ssh_command=command, ssh_options=options):
        pass
