"""Where the tools of an attempt act, and what may be given as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from aethermind import wire
from aethermind.domain.errors import ErrorInfo, ToolError
from aethermind.domain.events import LogWritten
from aethermind.domain.state import Node
from aethermind.engine.live import LiveRun, Note
from aethermind.engine.toolbox import Toolbox, ToolPlace, Tools

Json = Any
ToolLike = Callable[..., Any] | Mapping[str, Any]
"""A function, or `{"function": f, "approve": "always" | "ask", "effect": "pure" | "read" | …}`, or the entry
of a tool as a definition holds it."""


async def open_toolbox(
    tools: Tools | None, configs: Sequence[Json], live: LiveRun, node: Node, attempt: int
) -> Toolbox | None:
    """The tools of this attempt; None if it has none. Raises `ToolError`."""
    if not configs:
        return None
    if tools is None:
        raise ToolError(ErrorInfo(kind="not_found", message="this engine has no tools"))
    submitter = live.run.created.submitter
    place = ToolPlace(
        run_id=live.run.id,
        cwd=submitter.cwd,
        interpreter=submitter.interpreter,
        env=live.env,
        log=partial(_log, live, node, attempt),
    )
    return await tools.open(configs, place)


def tool_configs(tools: Tools | None, given: Sequence[ToolLike], *, owner: str) -> tuple[Json, ...]:
    """Entries for a definition; functions become known under their owner. Raises `ToolError`."""
    found: list[Json] = []
    for item in given:
        options: dict[str, Any] = dict(item) if isinstance(item, Mapping) else {"function": item}
        if not callable(options.get("function")):
            found.append(options)
        elif tools is None:
            raise ToolError(ErrorInfo(kind="not_found", message="this engine has no tools"))
        else:
            found.append(tools.register(options.pop("function"), owner=owner, **options))
    return tuple(found)


def _log(live: LiveRun, node: Node, attempt: int, line: str) -> None:
    event = LogWritten(
        level="info", message=wire.recordable(line), step=node.path, attempt=attempt, agent=node.agent
    )
    live.post(Note((event,)))
