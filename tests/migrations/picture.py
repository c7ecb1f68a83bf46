"""What a run must look like, whatever version of the program folds it: statuses, outputs, costs."""

from __future__ import annotations

from typing import Any

import msgspec

from aethermind.domain.run import Run
from aethermind.domain.state import AttemptState
from aethermind.engine.queries import RunFilter
from aethermind.infra import bundle
from aethermind.infra.bundle import Bundle
from aethermind.infra.stores.memory import InMemoryStore


async def picture(found: Bundle) -> dict[str, Any]:
    """Of a bundle: the run as it is folded, and its row in the list of runs. Plain JSON."""
    store = InMemoryStore()
    await bundle.add(store, found)
    (row,) = (await store.runs(RunFilter())).items
    shown = {"run": run_picture(found.run), "row": msgspec.to_builtins(row)}
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(shown))
    return plain


def run_picture(run: Run) -> dict[str, Any]:
    tally = run.tally
    return {
        "status": run.status,
        "generation": run.generation,
        "finished_at": run.finished_at,
        "outputs": run.outputs,
        "error": run.error.message if run.error else None,
        "usage": tally.usage,
        "cost_micro_usd": tally.cost,
        "at_most_micro_usd": tally.at_most,
        "unpriced_calls": tally.unpriced,
        "budget_micro_usd": run.budget_micro_usd,
        "ready": sorted(path for lane in run.ready.values() for path in lane),
        "steps": {
            node.path: {
                "status": node.status,
                "output": node.output,
                "error": node.error.message if node.error else None,
                "attempts": [_attempt(attempt) for attempt in node.attempts],
                "cost_micro_usd": node.tally.cost if node.tally else None,
            }
            for node in run.walk()
        },
        "agents": {
            name: [agent.attempts, agent.failed, agent.tally.cost] for name, agent in run.agents.items()
        },
    }


def _attempt(attempt: AttemptState) -> list[Any]:
    calls: list[list[Any]] = [[c.status, c.cost.micro_usd if c.cost else None] for c in attempt.calls]
    for shown, call in zip(calls, attempt.calls, strict=True):
        shown += [[tool.tool, tool.status, tool.by, tool.tries] for tool in call.tools]
    return [attempt.n, attempt.status, attempt.retry_at, attempt.billed_twice, calls]
