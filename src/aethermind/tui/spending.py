"""What a run would cost on the models that its names mean here, in words for a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aethermind.domain.errors import AethermindError
from aethermind.domain.workflow import WorkflowDef
from aethermind.engine.consent import model_names
from aethermind.engine.costing import ASSUMED_ITEMS, CostRange, estimate
from aethermind.tui import format as fmt

if TYPE_CHECKING:
    from aethermind.tui.context import Context

Json = Any


def estimate_of(
    context: Context, definition: WorkflowDef, inputs: Mapping[str, Json], *, model: str, sim: bool
) -> CostRange | None:
    """The range of real money; None if all is simulated, there are no prompts, or a name means nothing.
    `model`: one for all steps, "" for what the file says.
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
    return estimate(definition, meanings, models.prices, inputs) if meanings else None


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
