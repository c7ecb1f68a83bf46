"""Steps that wait for money, or for a person's word that going on is meant: who goes on, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.domain import events as e
from aethermind.domain import progress
from aethermind.domain.errors import StateError
from aethermind.domain.state import Holding, Node

if TYPE_CHECKING:
    from aethermind.domain.run import Run

GUARD = "guard"
"""The scope of steps that wait for a run to be resumed, and who paused it then."""

_REASONS = {
    "run": "would exceed the budget of the run",
    "day": "would exceed the budget of the day",
    GUARD: "held back by the guard",
}


def held(run: Run, node: Node, event: e.BudgetHeld, at: int) -> None:
    """The attempt is over already: the step waits from now on."""
    node.tries -= 1
    node.reason = _REASONS.get(event.scope, f"would exceed the budget of the {event.scope}")
    progress.set_status(run, node, "waiting_budget")
    run.held.pop(node.path, None)  # it stands at the end now
    run.held[node.path] = Holding(event.scope, event.needed_micro_usd, at)
    progress.check(run, node.parent or run.root, at)


def waits(run: Run, path: str) -> Node | None:
    """The node, if it still waits; what has gone on otherwise is forgotten."""
    node = run.nodes.get(path)
    if node is None or node.status != "waiting_budget":
        run.held.pop(path, None)
        return None
    return node


def freed(run: Run, event: e.BudgetFreed, at: int) -> None:
    node = run.node(event.step)
    if node.status != "waiting_budget":
        raise StateError(f"{event.step} is {node.status} and waits for no budget")
    go_on(run, node)


def raised(run: Run, event: e.BudgetRaised, at: int) -> None:
    run.budget_micro_usd = event.micro_usd
    _release(run, "run")


def resumed(run: Run, event: e.RunResumed, at: int) -> None:
    run.paused = False
    run.pause = None
    unguarded(run)


def unguarded(run: Run) -> None:
    """A person has gone on with the run: what the guard held back goes on, too."""
    if run.held:
        _release(run, GUARD)


def paused(run: Run, event: e.RunPaused, at: int) -> None:
    run.paused = True
    run.pause = event
    run.guarded += event.by == GUARD


def go_on(run: Run, node: Node) -> None:
    run.held.pop(node.path, None)
    node.reason = None
    progress.make_ready(run, node)


def _release(run: Run, scope: str) -> None:
    for path, holding in list(run.held.items()):
        if holding.scope == scope and (node := waits(run, path)) is not None:
            go_on(run, node)


def room_again(run: Run) -> None:
    """What a call did not need of its reservation lets those go on that were held for it, in their order."""
    tally = run.tally
    left = (run.budget_micro_usd or 0) - (tally.cost or 0) - tally.at_most - tally.reserved
    for path, holding in list(run.held.items()):
        if holding.scope == "run" and (node := waits(run, path)) is not None and holding.needed <= left:
            left -= holding.needed
            go_on(run, node)
