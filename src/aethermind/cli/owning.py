"""An engine that this process owns: its door for other terminals, and what becomes of it at the end.

Rules
- A command that drives runs listens, so that other terminals find its engine. What they start here must not
  end with the command: an engine that somebody still needs is left behind (`remain`).
- With a parent the shell gets its prompt and the command's exit code at once, and the engine goes on without
  a terminal until it is idle. Without one, the process stays until the others' runs are done.
"""

from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import TYPE_CHECKING

from aethermind import bootstrap
from aethermind.cli import headless, parent, streams
from aethermind.domain.run import Run
from aethermind.engine.client import Client
from aethermind.engine.hosting import EngineThread
from aethermind.engine.info import EngineInfo

if TYPE_CHECKING:
    from aethermind.api.server import Server

ASKED_S = 1.0
"""Who has attached so lately may be about to start a run, or to be told how it ended."""
_PATIENCE_S = 5.0
"""So long an engine may take to say how it is."""


class Owned:
    """An engine of this process, and who needs it."""

    def __init__(
        self, composition: bootstrap.Composition, engine: EngineThread, server: Server | None, *, origin: str
    ) -> None:
        self.composition = composition
        self.engine = engine
        self.server = server
        self._opened_at = self.used_at()
        self.serves = origin == "serve"
        """It is there for whoever looks on, and no command waits for its end."""
        self.own: set[str] = set()
        """Runs that this command drives itself."""
        self.left: set[str] = set()
        """Those of them that nobody looks after here any more: the terminal is lost, or was not wanted."""
        self.told = False
        """It was said what goes on."""
        host = composition.host
        host.origin = origin
        host.stop = lambda: os.kill(os.getpid(), signal.SIGTERM)
        if (link := parent.link()) is not None:
            link.watch()

    def info(self) -> EngineInfo:
        """Raises when the engine has died or does not answer."""
        return self.engine.call(lambda client: client.engine_info()).result(_PATIENCE_S)

    def others(self) -> list[str]:
        """Runs at work that this command does not drive itself."""
        if not self.engine.alive:
            return []
        return [run_id for run_id in self.info().at_work if run_id not in self.own]

    def at_work(self) -> int:
        return len(self.info().at_work)

    def watching(self) -> int:
        """Connections. Where a command waits for this engine's end, only while something is asked on them:
        somebody who just looks on does not hold it up."""
        if self.server is None:
            return 0
        if parent.link() is None and not self.serves:
            used_at = self.server.last_used_at
            return int(used_at > self._opened_at and time.monotonic() - used_at < ASKED_S)
        return self.server.watching

    def used_at(self) -> float:
        return self.server.last_used_at if self.server is not None else 0.0

    def is_needed(self) -> bool:
        """Whether somebody else would miss it."""
        try:
            if not self.engine.alive:
                return False
            if self.watching():
                return True
            return bool(self.others()) or self._waits()
        except Exception:  # noqa: BLE001 - one that does not answer helps nobody
            return False

    def _waits(self) -> bool:
        """Whether a run that was left waits for somebody, with the environment that it was given."""
        runs = [self.engine.call(partial(_run, run_id=run_id)).result(_PATIENCE_S) for run_id in self.left]
        return any(run.finished is None for run in runs)

    def close(self) -> None:
        """The command is done with it: it ends, or is left behind."""
        if not self.is_needed() and self.shut():
            self.end()
            return
        _LEFT.append(self)
        if not self.told and (others := [run_id for run_id in self.others() if run_id not in self.left]):
            announce(others)

    def shut(self) -> bool:
        """Close the door; False, and it is open again, if somebody's run was taken in at the last moment."""
        if self.server is None:
            return True
        bootstrap.close_door(self.composition, self.server, drain_s=ASKED_S)
        self.server = None
        try:
            if not self.engine.alive or not self.others():
                return True
        except Exception:  # noqa: BLE001 - one that does not answer helps nobody
            return True
        self.server = bootstrap.try_listen(self.composition, self.engine)
        return False

    def end(self, *, drain_s: float = 0) -> None:
        if self.server is not None:
            bootstrap.close_door(self.composition, self.server, drain_s=drain_s)
            self.server = None
        self.engine.stop(drain_s=drain_s)
        if self in _OPEN:
            _OPEN.remove(self)


async def _run(client: Client, *, run_id: str) -> Run:
    return await client.run(run_id)


_OPEN: list[Owned] = []
_LEFT: list[Owned] = []


def own(
    composition: bootstrap.Composition, engine: EngineThread, server: Server | None, *, origin: str
) -> Owned:
    """Keep this engine, which lets other terminals in; `close` it in the end."""
    owned = Owned(composition, engine, server, origin=origin)
    _OPEN.append(owned)
    return owned


def of(engine: EngineThread) -> Owned | None:
    """What is known of this engine, if it is ours and listens."""
    return next((owned for owned in _OPEN if owned.engine is engine), None)


def left() -> bool:
    """Whether an engine is left behind in this process."""
    return bool(_LEFT)


def announce(run_ids: list[str]) -> None:
    """Say that these go on, and how to see and end them."""
    what = run_ids[0] if len(run_ids) == 1 else f"{len(run_ids)} runs"
    goes, them = ("goes", "it") if len(run_ids) == 1 else ("go", "them")
    if parent.link() is None:
        streams.note(f"{what} of another terminal {goes} on in this engine, which ends with {them}")
    else:
        streams.note(
            f"{what} {goes} on in the background: aethermind shows {them}, aethermind stop ends the engine"
        )


def remain(code: int) -> int:
    """After all has been said: the life of an engine that somebody still needs. Returns the exit code."""
    while _LEFT:
        owned = _LEFT.pop()
        if owned.is_needed() or not owned.shut():
            _go_on(owned, code)
        owned.end()
    return code


def _go_on(owned: Owned, code: int) -> None:
    idle_s: float = 0
    if parent.link() is not None:
        headless.detach(code, streams=True)
        idle_s = owned.composition.config.engine.idle_ms / 1000
    home = owned.composition.home
    bootstrap.debug_log(f"engine {os.getpid()}: goes on without a terminal", home=home)
    with headless.ended_by(signal.SIGTERM, signal.SIGINT) as ended:
        linger(owned, ended, idle_s=idle_s)


def linger(owned: Owned, ended: headless.Ended, *, idle_s: float | None) -> None:
    """Until the engine is idle or told to end; what is under way then may end."""
    home = owned.composition.home
    owned.composition.host.idle_s = idle_s
    if owned.server is not None:
        owned.server.warm()
    while True:
        headless.stay(owned, idle_s=idle_s, there=owned.composition.database.exists, ended=ended)
        if ended.by or not owned.composition.database.exists() or owned.shut():
            break
    if ended.by and owned.at_work():
        streams.note("stopping: what is under way may end (at most 10 s); once more stops at once")
    owned.end(drain_s=headless.DRAIN_S)
    if home.exists():
        why = "told to" if ended.by else "idle"
        bootstrap.debug_log(f"engine {os.getpid()}: ended ({why})", home=home)
