"""What `doctor` says of the engine that owns the data, and what is wrong with it."""

from __future__ import annotations

from typing import Any

from aethermind import __version__, bootstrap
from aethermind.cli import text
from aethermind.cli.session import engine_of
from aethermind.domain.errors import AethermindError, BusyError
from aethermind.engine.info import PROTOCOL, EngineInfo

Json = Any
Problem = tuple[str, str | None]


def facts_of(composition: bootstrap.Composition) -> tuple[dict[str, Json], Problem | None]:
    """Facts by name, empty where no engine runs; and a problem with its repair."""
    pid = bootstrap.holder(composition)
    if pid is None:
        return {}, None
    try:
        with engine_of(composition) as engine:
            if engine.attached is None:  # the other one has just ended
                return {}, None
            info = engine.call(lambda client: client.engine_info()).result()
    except BusyError as error:
        return {"pid": pid}, (error.message, f"aethermind stop, else kill -9 {pid}: no run is lost")
    except AethermindError as error:
        return {"pid": pid}, (error.line(), None)
    return told(info, composition), _unlike(info)


def told(info: EngineInfo, composition: bootstrap.Composition) -> dict[str, Json]:
    """What an engine says of itself, as facts by name."""
    age = max(bootstrap.wall_clock()() - info.started_at, 0)
    ends = "with its command" if info.idle_s is None else f"after {text.took(round(info.idle_s * 1000))} idle"
    if info.origin == "serve" and info.idle_s is None:
        ends = "when it is told to (aethermind stop)"
    return {
        "pid": info.pid,
        "started_for": info.origin or "unknown",
        "age": text.took(age),
        "version": info.version,
        "keys": ", ".join(info.keys) or "none",
        "socket": bootstrap.place(composition),
        "live_runs": info.live,
        "attached": info.watching,
        "ends": ends,
    }


def _unlike(info: EngineInfo) -> Problem | None:
    if info.version == __version__ and info.protocol == PROTOCOL:
        return None
    return (
        f"the engine with pid {info.pid} is version {info.version}, and this is {__version__}",
        "aethermind stop, and start it anew",
    )
