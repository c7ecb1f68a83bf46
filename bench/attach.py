"""Attaching measured: through OpenSSH's sshd, its connections killed while a thousand events a second flow;
and how soon one terminal sees what another one did.

    python -m bench.attach [--cuts 10] [--acts 200] [--json]

Goals: after the last cut the client's view is the engine's, event for event; what one terminal does, another
one sees within 250 ms, on this machine and over SSH. Exit code 1 if it was otherwise, 2 without an sshd.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import getpass
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from aethermind.domain.events import BudgetRaised, Recorded
from aethermind.domain.workflow import Function, StepDef
from aethermind.engine.client import Client, Notice
from aethermind.infra.remote.opening import connect
from aethermind.infra.remote.target import SshTarget
from tests.contract.clients import Served, served
from tests.contract.test_client import ASK, A, request
from tests.e2e.test_ssh import Busy

GOAL_MS = 250.0
SSHD = ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/opt/homebrew/sbin/sshd")


class Sshd:
    """OpenSSH's server on loopback, with keys of its own."""

    def __init__(self, program: str, directory: Path) -> None:
        self.config = directory / "ssh_config"
        port = _free_port()
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name], check=True
            )
        shutil.copy(directory / "user.pub", directory / "authorized")
        known = directory / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {(directory / 'host.pub').read_text()}")
        (directory / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory / 'host'}\nPidFile none\n"
            f"AuthorizedKeysFile {directory / 'authorized'}\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\n"
        )
        self.config.write_text(
            f"Host box\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n"
            f"  IdentityFile {directory / 'user'}\n  IdentitiesOnly yes\n  UserKnownHostsFile {known}\n"
            "  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._process = subprocess.Popen(
            [program, "-D", "-e", "-f", directory / "sshd_config"], stderr=subprocess.DEVNULL
        )
        _until_listening(port)

    def cut(self) -> None:
        """Kill what serves the connections: nobody says goodbye."""
        for pid in _children(self._process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self.cut()
        self._process.terminate()
        self._process.wait(10)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until_listening(port: int) -> None:
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.01)
    raise SystemExit("sshd does not listen")


def _children(parent: int) -> list[int]:
    found = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = (line.split() for line in found.stdout.splitlines())
    return [int(pid) for pid, ppid in pairs if int(ppid) == parent]


def bridge(home: Path) -> list[str]:
    return [sys.executable, "-m", "aethermind", "--home", str(home)]


@contextlib.contextmanager
def sshd(program: str) -> Iterator[Sshd]:
    with tempfile.TemporaryDirectory(prefix="aeth") as directory:
        server = Sshd(program, Path(directory))
        try:
            yield server
        finally:
            server.stop()


async def cuts(engine: Served, harness: Busy, host: Sshd, wanted: int) -> dict[str, Any]:
    """The line is cut again whenever fifty events have come over it."""
    seen: list[Recorded] = []
    healed_ms: list[float] = []
    since = made = 0
    lost_at = 0.0
    opened = connect(SshTarget("box"), ssh_command=bridge(engine.home), ssh_options=["-F", str(host.config)])
    async with opened as client:
        await client.start_run(request(StepDef(id="busy", action=Function(name="busy"))))
        async with aclosing(client.feed(after=0)) as items:  # type: ignore[type-var]  # feeds are async generators
            async for item in items:
                if isinstance(item, Notice):
                    since = 0
                    if item.kind == "lost":
                        lost_at = time.perf_counter()
                    else:
                        healed_ms.append((time.perf_counter() - lost_at) * 1_000)
                elif isinstance(item, Recorded):
                    seen.append(item)
                    since += 1
                    if item.type == "RunSucceeded":
                        break
                    if since == 50 and made < wanted:
                        made += 1
                        host.cut()
                    elif made == len(healed_ms) == wanted:
                        harness.enough.set()
        inside = await asyncio.wrap_future(engine.thread.call(lambda c: c.events(limit=len(seen) + 1_000)))
    return {
        "cuts": made,
        "events": len(seen),
        "equal": seen == inside,
        "healed_ms_median": round(statistics.median(healed_ms), 1) if healed_ms else None,
        "healed_ms_worst": round(max(healed_ms), 1) if healed_ms else None,
    }


async def seen_by_another(one: Client, other: Client, acts: int) -> dict[str, float]:
    """From one terminal's key to the other one's screen, without the painting."""
    run_id = await one.start_run(request(A, ASK))
    await one.wait(run_id)
    arrived: asyncio.Queue[float] = asyncio.Queue()

    async def watch() -> None:
        async with aclosing(other.feed(after=0, run_id=run_id)) as items:  # type: ignore[type-var]  # feeds are async generators
            async for item in items:
                if isinstance(item, Recorded) and isinstance(item.event, BudgetRaised):
                    arrived.put_nowait(time.perf_counter())

    watching = asyncio.create_task(watch())
    took: list[float] = []
    for number in range(acts):
        began = time.perf_counter()
        await one.raise_budget(run_id, number + 1)
        took.append((await arrived.get() - began) * 1_000)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    took.sort()
    return {
        "median_ms": round(statistics.median(took), 1),
        "p99_ms": round(took[int(len(took) * 0.99) - 1], 1),
        "worst_ms": round(took[-1], 1),
    }


async def measure(program: str, wanted: int, acts: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with sshd(program) as host:
        harness = Busy()
        with served(lambda: harness) as engine:
            found["cuts"] = await cuts(engine, harness, host, wanted)
        with served() as engine:
            ssh = connect(
                SshTarget("box"), ssh_command=bridge(engine.home), ssh_options=["-F", str(host.config)]
            )
            async with connect(engine.target) as one, connect(engine.target) as two, ssh as away:
                found["here"] = await seen_by_another(one, two, acts)
                found["over_ssh"] = await seen_by_another(one, away, acts)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cuts", type=int, default=10)
    parser.add_argument("--acts", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    program = next((path for path in SSHD if Path(path).exists()), None)
    if program is None:
        print("there is no sshd here: install OpenSSH's server", file=sys.stderr)
        return 2
    found = asyncio.run(measure(program, given.cuts, given.acts))
    met = (
        found["cuts"]["equal"]
        and found["cuts"]["cuts"] == given.cuts
        and all(found[way]["worst_ms"] < GOAL_MS for way in ("here", "over_ssh"))
    )
    if given.json:
        print(json.dumps({**found, "met": met}))
    else:
        for name, numbers in found.items():
            print(f"{name:>10}  " + "  ".join(f"{key} {value}" for key, value in numbers.items()))
        print("met" if met else "missed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
