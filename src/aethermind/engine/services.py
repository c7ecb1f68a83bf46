"""What the attempts of an engine share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from aethermind.engine.agent_state import AgentStates
from aethermind.engine.answers import Answers
from aethermind.engine.concealing import NO_VEIL, Veil
from aethermind.engine.day_budget import DayBudget
from aethermind.engine.feed import Feed
from aethermind.engine.governor import Governor
from aethermind.engine.guard import Limits
from aethermind.engine.partials import Partials
from aethermind.engine.ports import Clock, Models, Prices, Schemas
from aethermind.engine.toolbox import Tools


class Services:
    """What model calls need, shared by all attempts of an engine."""

    def __init__(
        self,
        *,
        clock: Clock,
        feed: Feed,
        models: Models,
        prices: Prices,
        governor: Governor,
        schemas: Schemas,
        partials: Partials,
        states: AgentStates,
        answers: Answers,
        days: DayBudget,
        limits: Limits,
        scrub: Callable[[str], str],
        veil: Veil = NO_VEIL,
        tools: Tools | None = None,
    ) -> None:
        self.tools = tools
        self.states = states
        self.days = days
        self.limits = limits
        self.answers = answers
        self.clock = clock
        self.feed = feed
        self.models = models
        self.prices = prices
        self.governor = governor
        self.schemas = schemas
        self.partials = partials
        self.scrub = scrub
        self.veil = veil
        self._warm: dict[str, asyncio.Task[None]] = {}

    def begin_warming(self, providers: Iterable[str]) -> None:
        """Have their SDKs and prices imported on a worker thread, once: an import may take seconds, and the
        loop must not stop for it."""
        for provider in sorted(providers):
            if provider not in self._warm:
                loop = asyncio.get_running_loop()
                self._warm[provider] = loop.create_task(self.models.warm([provider]))

    async def warm(self, provider: str) -> None:
        """Until it is imported. What goes wrong there is told by the call itself."""
        self.begin_warming((provider,))
        task = self._warm[provider]
        if not task.done():
            await asyncio.wait({task})
