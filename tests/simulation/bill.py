"""What the vendor asks for, against what the journal says was spent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from aethermind.domain.call_states import CallState
from aethermind.domain.run import Run
from tests.simulation.ledger import Effect

Difference = tuple[str, str]
"""The promise that is broken, and how."""


def differences(
    run: Run, effects: Sequence[Effect], *, budget: int | None, cut: bool
) -> Iterator[Difference]:
    """`budget`: the highest that the run ever had. `cut`: something that was in hand may have been lost."""
    calls = {
        (path, attempt.n, call.n): call
        for path, tries in attempts(run)
        for attempt in tries
        for call in attempt.calls
    }
    for effect in effects:
        if effect.kind != "request":
            continue
        call = calls.get((effect.step, effect.attempt, effect.call))
        name = f"{run.id} {effect.step} attempt {effect.attempt} call {effect.call}"
        if call is None:
            yield "no effect without a committed intent", name
            continue
        if effect.whole and not cut and call.status != "succeeded":
            yield "what was paid for is recorded", f"{name} is {call.status}"
        settled = call.status == "succeeded" and call.cost is not None and call.usage is not None
        if settled and call.cost is not None and call.cost.micro_usd != effect.billed:
            yield "the bill is right", f"{name}: {call.cost}, not {effect.billed}"
    billed = sum(effect.billed or 0 for effect in effects)
    if budget is not None and billed > budget:
        yield "spent + reserved ≤ cap", f"{run.id} was billed {billed}"
    known = (run.tally.cost or 0) + run.tally.at_most
    if billed > known:
        yield "the bill is right", f"{run.id} was billed {billed}, {known} is known"


def attempts(run: Run) -> list[tuple[str, Any]]:
    """Path → attempts, those that a retry or an edit took out of the tree included."""
    found: list[tuple[str, Any]] = [(path, node.attempts) for path, node in run.nodes.items()]
    return found + [(path, tries) for path, (tries, _) in run.retired.items()]


def most(call: CallState) -> int:
    """micro-USD that a call cost, or may cost or have cost."""
    if call.cost is not None and call.cost.micro_usd is not None:
        return call.cost.micro_usd
    refused = call.status == "failed" and call.cost is None
    return 0 if refused else call.reserved or 0
