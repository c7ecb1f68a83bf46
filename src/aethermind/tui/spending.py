"""What a run would cost on the models that its names mean here, in words for a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aethermind.domain.errors import AethermindError
from aethermind.domain.workflow import WorkflowDef
from aethermind.engine.consent import model_names
from aethermind.engine.costing import ASSUMED_ITEMS, CostRange, estimate
from aethermind.engine.history import NO_HISTORY, History, history_of
from aethermind.tui import format as fmt

if TYPE_CHECKING:
    from aethermind.tui.context import Context

Json = Any


async def used_before(context: Context, workflow: str) -> History:
    """What the steps of this workflow used when they ran before; nothing if that can't be read: an estimate
    without it is wider, not wrong.
    """
    try:
        return await context.engine.ask(lambda client: history_of(client, workflow))
    except AethermindError:
        return NO_HISTORY


def estimate_of(
    context: Context,
    definition: WorkflowDef,
    inputs: Mapping[str, Json],
    *,
    model: str,
    sim: bool,
    history: History = NO_HISTORY,
) -> CostRange | None:
    """The range of real money; None if all is simulated, there are no prompts, or a name means nothing.
    `model`: one for all steps, "" for what the file says. `history`: see `used_before`.
    """
    models = context.composition.models
    meanings: dict[str, tuple[str, ...]] = {}
    for name in model_names(definition):
        try:
            meant = models.resolve(model or name, sim=sim)
        except AethermindError:
            return None
        if not meant.startswith("sim:"):
            meanings[name] = (meant,)
    if not meanings:
        return None
    return estimate(definition, meanings, models.prices, inputs, history=history, now=context.now())


def range_text(costs: CostRange) -> str:
    """`estimated $0.0040–0.0300`, and what it leaves open; `no cost` for models on this machine."""
    parts = []
    if costs.unpriced < costs.prompts:
        high = fmt.usd(costs.high).removeprefix("$")
        parts.append(f"estimated {fmt.usd(costs.low)}–{high}" if costs.high else "no cost")
    if costs.unpriced:
        parts.append(f"{costs.unpriced} of {costs.prompts} prompts on models whose price is unknown")
    if costs.assumed:
        parts.append(f"fan-outs counted as up to {ASSUMED_ITEMS} items")
    return ", ".join(parts)
