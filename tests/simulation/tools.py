"""Tools that a model may call: one only looks, one acts unasked, one is asked about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from aethermind.domain.errors import ErrorInfo, ToolError
from aethermind.engine.toolbox import Preview, ToolOutput, ToolPlace, ToolSpec

if TYPE_CHECKING:
    from tests.simulation.world import Life

SCHEMA = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
SPECS = (
    ToolSpec(name="look", description="", input_schema=SCHEMA, effect="read", approve="always", pin="1"),
    ToolSpec(name="act", description="", input_schema=SCHEMA, effect="command", approve="always", pin="1"),
    ToolSpec(name="change", description="", input_schema=SCHEMA, effect="write", approve="ask", pin="1"),
)
CONFIGS = ({"sim": "all"},)


class SimToolbox:
    specs = SPECS

    def __init__(self, life: Life, run_id: str) -> None:
        self._life = life
        self._run_id = run_id

    async def preview(self, name: str, arguments: Any) -> Preview:
        await asyncio.sleep(self._life.world.faults.read_s())
        return Preview(title=f"{name} {arguments['id']}", basis="as it was")

    async def call(
        self,
        name: str,
        arguments: Any,
        *,
        basis: str = "",
        on_output: Callable[[str], None] | None = None,
    ) -> ToolOutput:
        life, faults = self._life, self._life.world.faults
        seen = life.began("tool", tool=arguments["id"])
        life.place("tool.called")
        await asyncio.sleep(faults.child_s())
        if faults.child_fails():
            raise ToolError(ErrorInfo(kind="connection", message="the server is gone", retryable=True))
        if on_output is not None:
            on_output("a line of a tool")
        life.ended(seen, whole=True)
        return ToolOutput(text=f"{name} is done", is_error=faults.child_fails())


class SimTools:
    def __init__(self, life: Life) -> None:
        self._life = life

    async def open(self, configs: Sequence[Any], place: ToolPlace) -> SimToolbox:
        self._life.owner()
        await asyncio.sleep(self._life.world.faults.read_s())
        return SimToolbox(self._life, place.run_id)

    def register(self, function: Callable[..., Any], **_: Any) -> Any:
        raise ToolError(ErrorInfo(kind="not_found", message="there are no functions here"))

    async def leave(self, run_id: str) -> None:
        await asyncio.sleep(self._life.world.faults.read_s())

    async def close(self) -> None:
        return None
