"""What a workflow's steps used when they ran before: it narrows what the next run may cost."""

from __future__ import annotations

import math
from collections.abc import Mapping

from aethermind.domain.ids import static_path
from aethermind.domain.usage import NO_USAGE, Usage
from aethermind.engine.client import Client
from aethermind.engine.ports import Prices
from aethermind.engine.queries import RunFilter

History = Mapping[tuple[str, str], tuple[Usage, ...]]
"""(path of a step in its definition, `provider:model`) → what each of its attempts used, all calls of one
together (a conversation with tools makes several)."""

NO_HISTORY: History = {}
RUNS = 20
"""The newest so many are looked at."""
MARGINS = ((1, 2.0), (4, 1.5))
"""Up to so many attempts → the factor by which the spread is widened, both ways."""
SURE = 1.25
"""With more than those."""


async def history_of(client: Client, workflow: str) -> History:
    """Of real runs of this workflow, whatever their inputs were; attempts whose calls all succeeded."""
    found: dict[tuple[str, str], list[Usage]] = {}
    page = await client.runs(RunFilter(workflow=workflow), limit=RUNS)
    for run in page.items:
        if run.simulated:
            continue
        attempts: dict[tuple[str, int, str], Usage | None] = {}
        for call in (await client.calls(run.id)).items:
            key = (call.step, call.attempt, f"{call.provider}:{call.model}")
            known = attempts.get(key, NO_USAGE)
            whole = call.status == "succeeded" and known is not None and call.usage is not None
            attempts[key] = known + call.usage if whole else None  # type: ignore[operator]  # `whole` says so
        for (step, _, model), usage in attempts.items():
            if usage:
                found.setdefault((static_path(step), model), []).append(usage)
    return {key: tuple(usages) for key, usages in found.items()}


def narrowed(
    prices: Prices, full: str, seen: tuple[Usage, ...], low: int, high: int, *, at: int
) -> tuple[int, int]:
    """The range of one attempt (micro-USD), as far as what was seen makes it smaller. `at`: epoch ms."""
    provider, _, model = full.partition(":")
    costs = [prices.cost(provider, model, usage, at=at).micro_usd for usage in seen]
    uncached = [
        prices.cost(
            provider,
            model,
            Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens),
            at=at,
        ).micro_usd
        for usage in seen
    ]
    known = [cost for cost in (*costs, *uncached) if cost is not None]
    if not known:
        return low, high
    margin = next((factor for most, factor in MARGINS if len(seen) <= most), SURE)
    least, most = int(min(known) / margin), math.ceil(max(known) * margin)
    if least > high or most < low:  # a conversation with tools costs more than its prompt: it was seen
        return least, most
    return max(low, least), min(high, most)
