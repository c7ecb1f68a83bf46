"""Commands, Python steps, files and functions of the user's: what they do is only that they were there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aethermind.domain.errors import CommandError, ErrorInfo
from aethermind.engine.context import StepContext
from aethermind.engine.ports import ChildOutput, CommandResult, Output

if TYPE_CHECKING:
    from tests.simulation.ledger import EffectKind
    from tests.simulation.world import Life

COUNTER = "n"
"""The key that the function `count` raises by one in its agent's state."""


class SimChildren:
    def __init__(self, life: Life) -> None:
        self._life = life
        self._faults = life.world.faults

    async def _child(self, kind: EffectKind) -> None:
        life = self._life
        seen = life.began(kind)
        life.place("child.started")
        try:
            await asyncio.sleep(self._faults.child_s())
        except asyncio.CancelledError:
            await asyncio.sleep(self._faults.stop_s())  # TERM, and the time it takes to die
            life.alive()
            raise
        life.place("child.done")
        life.ended(seen, whole=True)

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        stdin: str | None,
        on_output: Output | None = None,
    ) -> CommandResult:
        await self._child("command")
        if on_output is not None:
            on_output(ChildOutput(stream="stdout", text="a line"))
        code = 1 if self._faults.child_fails() else 0
        return CommandResult(stdout=f"{' '.join(argv)}\n", stderr="", exit_code=code)

    async def call_python(
        self,
        target: str,
        arguments: Mapping[str, Any],
        *,
        interpreter: str,
        cwd: str,
        env: Mapping[str, str],
        on_output: Output | None = None,
    ) -> Any:
        await self._child("python")
        if self._faults.child_fails():
            raise CommandError(ErrorInfo(kind="exception", message="ValueError: no", retryable=True))
        return list(range(self._faults.chosen(3)))

    async def settle(self) -> int:
        await asyncio.sleep(self._faults.read_s())
        return 0

    async def close(self) -> None:
        return None


class SimFiles:
    def __init__(self, life: Life) -> None:
        self._life = life

    async def save(self, cwd: str, path: str, text: str) -> str:
        seen = self._life.began("file")
        await asyncio.sleep(self._life.world.faults.read_s())
        self._life.alive()
        self._life.ended(seen, whole=True)
        return path


def functions(life: Life) -> dict[str, Any]:
    """Functions of the SDK, as a program registers them at its start."""
    faults = life.world.faults

    async def work(ctx: StepContext) -> Any:
        seen = life.began("function")
        await asyncio.sleep(faults.child_s())
        if faults.child_fails():
            raise ValueError("no")
        life.ended(seen, whole=True)
        return {"x": faults.chosen(9)}

    async def count(ctx: StepContext) -> Any:
        """Counts its successes in the state of its agent, in an awkward way: twice, and only one counts."""
        await ctx.state.update(COUNTER, _one_more)
        seen = life.began("function")
        await asyncio.sleep(faults.child_s())
        if faults.child_fails():
            raise ValueError("no")
        life.ended(seen, whole=True)
        return await ctx.state.get(COUNTER)

    async def chat(ctx: StepContext) -> Any:
        """Two calls in turn, then two at once."""
        seen = life.began("function")
        settings = {"max_tokens": 20}
        first = await ctx.chat("one", settings=settings, model="vendor:cheap")
        await ctx.chat(f"two {first}", settings=settings, model="vendor:cheap")
        both = [ctx.chat(text, settings=settings, model="vendor:cheap") for text in ("three", "four")]
        found = await asyncio.gather(*both, return_exceptions=True)
        ctx.log("done", calls=4)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        life.ended(seen, whole=True)
        return found

    return {"work": work, "count": count, "chat": chat}


def _one_more(value: Any) -> int:
    return (value or 0) + 1
