"""`run --dry-run`: what would happen, in which order, at what cost, and what would be asked."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from aethermind import bootstrap
from aethermind.cli import streams, text
from aethermind.cli.consent import range_text
from aethermind.cli.session import engine_of
from aethermind.definitions.loader import LoadedWorkflow
from aethermind.domain.errors import AethermindError
from aethermind.domain.workflow import Ask, Command, Group, Prompt, PythonCall, StepDef
from aethermind.engine.client import RunRequest
from aethermind.engine.consent import model_names
from aethermind.engine.costing import CostRange, estimate
from aethermind.engine.history import NO_HISTORY, History, history_of
from aethermind.engine.hosting import EngineThread
from aethermind.infra.sanitize import clean_line

Json = Any


def steps_of(steps: tuple[StepDef, ...], depth: int = 0) -> Iterator[tuple[StepDef, int]]:
    """All steps in the order of the file, with their depth."""
    for step in steps:
        yield step, depth
        if isinstance(step.action, Group):
            yield from steps_of(step.action.steps, depth + 1)


def meanings(composition: bootstrap.Composition, request: RunRequest) -> dict[str, tuple[str, ...]]:
    """Every model name that a prompt of the run uses → what it means here and now."""
    names = model_names(request.definition)
    resolve = composition.models.resolve
    if request.model is not None:
        meant = resolve(request.model, sim=request.simulated)
        return dict.fromkeys(names, (meant,))
    return {name: (resolve(name, sim=request.simulated),) for name in names}


def price(
    composition: bootstrap.Composition,
    request: RunRequest,
    models: dict[str, tuple[str, ...]],
    engine: EngineThread | None = None,
) -> CostRange:
    """The range of real money; nothing for what is simulated. `engine`: whom to ask what was used before."""
    real = {name: tuple(m for m in meant if not m.startswith("sim:")) for name, meant in models.items()}
    history = _history(composition, request.definition.name, engine) if any(real.values()) else NO_HISTORY
    return estimate(
        request.definition,
        real,
        composition.models.prices,
        request.inputs,
        limit=request.limit,
        history=history,
        now=int(time.time() * 1000),
    )


def _history(composition: bootstrap.Composition, workflow: str, engine: EngineThread | None) -> History:
    if engine is not None:
        return engine.call(lambda client: history_of(client, workflow)).result()
    if not composition.database.exists():
        return NO_HISTORY
    try:
        with engine_of(composition, look=True) as looking:
            return _history(composition, workflow, looking)
    except AethermindError:  # an estimate without it is wider, not wrong
        return NO_HISTORY


def explain(
    composition: bootstrap.Composition, loaded: LoadedWorkflow, request: RunRequest, *, as_json: bool
) -> int:
    """Print the plan; nothing is started and nothing recorded."""
    models = meanings(composition, request)
    costs = price(composition, request, models)
    rows = list(steps_of(request.definition.steps))
    asks = [step.id for step, _ in rows if isinstance(step.action, Ask)]
    if as_json:
        plan: dict[str, Json] = {
            "workflow": request.definition.name,
            "source": request.source,
            "inputs": request.inputs,
            "models": models,
            "steps": [_step_object(step, depth) for step, depth in rows],
            "estimate": {
                "low_micro_usd": costs.low,
                "high_micro_usd": costs.high,
                "prompts": costs.prompts,
                "unpriced_prompts": costs.unpriced,
                "items_assumed": costs.assumed,
                "prompts_seen_before": costs.seen,
            },
            "asks": asks,
            "needs_trust": list(loaded.needs_trust),
        }
        streams.say(text.json_line({"plan": plan}))
        return 0
    streams.say(f"{clean_line(request.definition.name)}: {len(rows)} step{'' if len(rows) == 1 else 's'}")
    text.show_table(
        ["STEP", "KIND", "AFTER", "", "WHAT"],
        [
            ["  " * depth + step.id, step.kind, ", ".join(step.needs), _how(step), _what(step)]
            for step, depth in rows
        ],
    )
    for name, meant in models.items():
        streams.say(clean_line(f"model  {name} → {' | '.join(meant)}"))
    simulated = bool(models) and all(m.startswith("sim:") for meant in models.values() for m in meant)
    streams.say(f"cost   {'simulated: nothing' if simulated else range_text(costs)}")
    if asks:
        streams.say(clean_line(f"asks   {', '.join(asks)}"))
    for line in loaded.needs_trust:
        streams.say(clean_line(f"starts {line}"))
    return 0


def _step_object(step: StepDef, depth: int) -> dict[str, Json]:
    return {
        "id": step.id,
        "depth": depth,
        "kind": step.kind,
        "depends_on": list(step.needs),
        "when": step.when,
        "for_each": step.for_each,
        "max_parallel": step.max_parallel,
        "repeat_max": step.repeat.max if step.repeat is not None else None,
        "max_attempts": step.retry.max_attempts,
        "timeout_ms": step.timeout_ms,
        "on_error": step.on_error,
        "always": step.always,
    }


def _how(step: StepDef) -> str:
    parts = []
    if step.when is not None:
        parts.append("if")
    if step.for_each is not None:
        parts.append("for each" + (f", {step.max_parallel} at once" if step.max_parallel else ""))
    if step.repeat is not None:
        parts.append(f"up to {step.repeat.max} times")
    if step.always:
        parts.append("always")
    return ", ".join(parts)


def _what(step: StepDef) -> str:
    match step.action:
        case Prompt(template=template, agent=agent):
            first = " ".join(template.split())
            return text.shorten(f"{agent}: {first}" if agent else first, 60)
        case Command(argv=argv):
            return text.shorten(" ".join(argv), 60)
        case PythonCall(target=target):
            return target
        case _:
            return ""
