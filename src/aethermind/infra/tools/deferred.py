"""Tools that are imported when the first agent has some: most runs have none, and every start would wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aethermind.engine.toolbox import Approval, Effect, Toolbox, ToolPlace

if TYPE_CHECKING:
    from aethermind.engine.ports import Schemas
    from aethermind.infra.tools.toolbox import LocalTools, ToolChildren

Json = Any


class DeferredTools:
    """`LocalTools`, of this version of the product, when they are needed. See `Tools`."""

    def __init__(
        self,
        *,
        children: ToolChildren,
        schemas: Schemas,
        scrub: Callable[[str], str],
        guarded: Sequence[str] = (),
    ) -> None:
        self._children = children
        self._schemas = schemas
        self._scrub = scrub
        self._guarded = guarded
        self._used = False

    @cached_property
    def _tools(self) -> LocalTools:
        from aethermind import __version__
        from aethermind.infra.tools.toolbox import LocalTools

        self._used = True
        return LocalTools(
            children=self._children,
            schemas=self._schemas,
            scrub=self._scrub,
            guarded=self._guarded,
            version=__version__,
        )

    async def open(self, configs: Sequence[Json], place: ToolPlace) -> Toolbox:
        return await self._tools.open(configs, place)

    def register(
        self,
        function: Callable[..., Any],
        *,
        owner: str,
        approve: Approval = "always",
        effect: Effect = "command",
    ) -> Json:
        return self._tools.register(function, owner=owner, approve=approve, effect=effect)

    def leave(self, run_id: str) -> Awaitable[None] | None:
        return self._tools.leave(run_id) if self._used else None

    async def close(self) -> None:
        if self._used:
            await self._tools.close()
