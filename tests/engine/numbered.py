"""A provider of one's own, on real money."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from aethermind.domain.usage import Cost, Usage
from aethermind.engine.ports import ChatEvent, ChatRequest, Finished, TextDelta


class Numbered:
    """Numbers its answers, so that one that was sent is told from one that was not.

    `reasons`, `texts`: of its answers, in order; the last one is repeated.
    """

    name = "paid"
    simulated = False

    def __init__(self, *, reasons: tuple[Any, ...] = ("stop",), texts: tuple[str, ...] = ()) -> None:
        self.requests: list[ChatRequest] = []
        self._reasons = reasons
        self._texts = texts
        self.meet: asyncio.Barrier | None = None

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        self.requests.append(request)
        n = len(self.requests)
        if self.meet is not None:
            await self.meet.wait()
        yield TextDelta(self._texts[min(n, len(self._texts)) - 1] if self._texts else f"answer {n}")
        yield Finished(
            reason=self._reasons[min(n, len(self._reasons)) - 1],
            usage=Usage(input_tokens=10, output_tokens=5),
            model="m-2026",
            response_id=f"resp-{n}",
            cost=Cost(micro_usd=1_200, source="reported"),
        )

    async def close(self) -> None:
        return None


class Owned(Numbered):
    def __init__(self, account: str) -> None:
        super().__init__()
        self.account = account
