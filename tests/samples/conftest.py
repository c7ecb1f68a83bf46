"""Plays a sample to its end on its own script, without waiting, and keeps what can be asked about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aethermind import AgentRuntime, InMemoryStore, SimulatedProvider
from aethermind.domain.events import AnyEvent
from aethermind.domain.views import open_questions
from aethermind.engine import scripted
from aethermind.engine.local import LocalClient
from aethermind.engine.ports import ChatEvent, ChatRequest
from aethermind.engine.results import RunResult
from aethermind.infra.chance import SystemChance
from aethermind.infra.providers.sim_script import turn_of

SAMPLES = Path(__file__).parents[2] / "sample_workflows"


class Script(SimulatedProvider):
    """Answers at once, and notes what was asked and how long each answer would have taken."""

    def __init__(self) -> None:
        super().__init__(sleep=self._instead_of_sleeping)
        self.requests: list[ChatRequest] = []
        self.invented: list[str] = []
        """Steps that the script says nothing about."""
        self.seconds: dict[str, float] = defaultdict(float)
        """Step → seconds that its calls would have taken, all attempts together."""
        self._slept = 0.0

    async def _instead_of_sleeping(self, seconds: float) -> None:
        self._slept += seconds

    async def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]:
        self.requests.append(request)
        if not turn_of(request).scripted:
            self.invented.append(request.context.step)
        stream = super().stream(request)
        try:
            while True:
                self._slept = 0.0  # nothing else runs until the next event is there: no sleep is real
                event = await anext(stream, None)
                self.seconds[request.context.step] += self._slept
                if event is None:
                    return
                yield event
        except BaseException:
            self.seconds[request.context.step] += self._slept
            raise

    def asked(self, step: str) -> ChatRequest:
        """The last request of this step."""
        return next(r for r in reversed(self.requests) if r.context.step == step)

    @property
    def steps(self) -> set[str]:
        return {request.context.step for request in self.requests}


@dataclass
class Played:
    """A finished run of a sample."""

    result: RunResult
    script: Script
    events: list[AnyEvent] = field(default_factory=list)

    def output(self, step: str) -> Any:
        return self.result.steps[step].output

    def status(self, step: str) -> str:
        return self.result.steps[step].status


async def answered(runtime: AgentRuntime, result: RunResult) -> RunResult:
    """On with a run that asks, on its script's answers; tools may do what they want to."""
    client = LocalClient(runtime.engine)
    while result.status == "waiting_answer":
        run = await client.run(result.run_id)
        for node in open_questions(run):
            asks_for_tool = node.question is not None and node.question.about == "tool"
            values = {"approved": True} if asks_for_tool else scripted.answer(run, node)
            assert values is not None, f"the script has no answer to {node.path}"
            await client.answer(run.id, node.path, values, by="script")
        result = RunResult(await client.wait(run.id))
    return result


Play = Callable[..., Awaitable[Played]]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Play:
    """`await play(name, inputs, store=…)` runs the sample in an empty directory; retries come at once."""
    monkeypatch.setattr(SystemChance, "jitter", lambda _self: 0.0)
    monkeypatch.chdir(tmp_path)

    async def play(name: str, inputs: dict[str, Any] | None = None, **where: Any) -> Played:
        script = Script()
        async with AgentRuntime(**(where or {"store": InMemoryStore()})) as runtime:
            runtime.register_provider("sim", script)
            result = await runtime.execute_workflow(SAMPLES / f"{name}.yaml", inputs or {}, sim=True)
            result = await answered(runtime, result)
            history = await runtime.engine.store.read_stream(f"run/{result.run_id}")
        return Played(result, script, [recorded.event for recorded in history])

    return play
