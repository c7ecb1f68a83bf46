"""Variables that a run takes from its terminal's environment, in an engine that never had that terminal.

Their names are recorded, their values are not: they die with the engine. A run that is taken up again may so
lack one. The step that needs it is held back and the run is paused, saying what it needs; resuming it from a
terminal that has the variable gives it. In the terminal that starts a run, a variable that is not there fails
the step that takes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aethermind.domain.acts import ENGINE
from aethermind.domain.errors import ErrorInfo, StepFailure
from aethermind.domain.events import AnyEvent, RunPaused
from aethermind.domain.holding import GUARD
from aethermind.domain.state import Node
from aethermind.engine.live import LiveRun
from aethermind.engine.reserving import HeldByBudget

Json = Any


def check(live: LiveRun, node: Node, names: Iterable[str], facts: list[AnyEvent]) -> None:
    """Raise `StepFailure`, or hold the step back (`HeldByBudget`, with what is to be recorded in `facts`), if
    one of these is not there."""
    missing = [name for name in names if name not in live.env]
    if not missing:
        return
    if not live.taken_up:
        raise StepFailure(
            ErrorInfo(
                kind="not_found",
                message=f"the environment has no {missing[0]}",
                hint=f"export {missing[0]} and resume",
            )
        )
    if not live.run.paused and not live.lacked.issuperset(missing):
        what = ", ".join(f"${name}" for name in missing)
        reason = f"{node.path} takes {what} from the environment: resume it from a terminal that has it"
        facts.append(RunPaused(by=ENGINE, reason=reason))
    live.lacked.update(missing)
    raise HeldByBudget(GUARD)


def fill(live: LiveRun, env: Mapping[str, str]) -> None:
    """Somebody resumes the run from a terminal that has these. What the run has stays as it is: nobody
    changes another one's keys by going on with his run."""
    live.env = {**env, **live.env}
    live.lacked.clear()


def taken(env: Mapping[str, str]) -> list[str]:
    """The variables that an `env:` or `headers:` takes (`$NAME`)."""
    return [value[1:] for value in env.values() if value.startswith("$")]


def taken_by(tools: Sequence[Json]) -> list[str]:
    """The same of all tools of an agent."""
    found: dict[str, None] = {}
    for tool in tools:
        server = tool.get("mcp") if isinstance(tool, Mapping) else None
        for key in ("env", "headers"):
            values = server.get(key) if isinstance(server, Mapping) else None
            if isinstance(values, Mapping):
                texts = {name: value for name, value in values.items() if isinstance(value, str)}
                found.update(dict.fromkeys(taken(texts)))
    return list(found)
