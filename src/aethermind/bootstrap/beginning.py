"""An engine without a terminal, begun where none lives: for who comes from elsewhere, or leaves at once."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import AsyncExitStack

from aethermind.bootstrap.attaching import Waiting, attach_here
from aethermind.bootstrap.composition import DATABASE, Composition
from aethermind.domain.errors import BusyError

BEGIN_S = 20.0
"""So long may an engine take that has to open its database first."""


async def begun(composition: Composition) -> None:
    """An engine of this data directory answers: one that lives, else one that is started now and ends by
    itself when nothing goes on (`[engine] idle`). Raises `BusyError` if none comes to answer."""
    from aethermind.infra.stores.lease import Lease

    composition.config.make_home()
    started: subprocess.Popen[bytes] | None = None
    waiting = Waiting(BEGIN_S)
    while True:
        async with AsyncExitStack() as stack:
            if await attach_here(composition, stack) is not None:
                return
        owner = Lease.owner(composition.home, f"{DATABASE}.lease")
        if started is not None and started.poll() is not None and owner is None:
            raise BusyError(
                f"an engine could not be started (exit {started.returncode})",
                hint=f"see {composition.home / 'debug.log'}",
            )
        if owner is None and started is None:
            started = spawn(composition)
        await waiting.turn(BusyError(owner or "the engine that was started"))


def spawn(composition: Composition) -> subprocess.Popen[bytes]:
    """Start `aethermind serve` in a session of its own; what it says goes to the debug log."""
    from aethermind.infra import debug_log

    argv = [sys.executable, "-m", "aethermind", "--home", str(composition.home)]
    if composition.options.env_file is not None:
        argv += ["--env-file", str(composition.options.env_file)]
    argv += ["serve", "--idle", f"{max(composition.config.engine.idle_ms // 1000, 1)}s", "--no-resume"]
    place = debug_log.write(f"$ {' '.join(argv)}", home=composition.home)
    said = os.open(place or os.devnull, os.O_WRONLY | os.O_APPEND)
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=composition.home,
            start_new_session=True,
        )
    finally:
        os.close(said)


async def bridge(composition: Composition, *, stdin: int, stdout: int) -> None:
    """Relay the engine of this data directory over these two descriptors until the first one ends; if no
    engine runs, one is begun first. Raises `BusyError` if that does not come to answer."""
    from aethermind.infra import sockets
    from aethermind.infra.remote.bridge import relay

    if not sockets.listening(composition.home):  # whether it answers, the other side will see
        await begun(composition)
    await relay(lambda: sockets.locate(composition.home), stdin=stdin, stdout=stdout)
