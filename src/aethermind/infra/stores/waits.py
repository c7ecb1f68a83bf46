"""What a run waits for, as its row tells: a person, a budget, the end of a pause."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from aethermind.domain import events as e
from aethermind.domain.days import parse_one_day
from aethermind.domain.holding import GUARD
from aethermind.infra.stores.state import LedgerSum, RunState, Stream

if TYPE_CHECKING:
    from aethermind.infra.stores.projector import Projector


def paused(p: Projector, stream: Stream, seq: int, at: int, event: e.RunPaused | e.RunResumed) -> None:
    if (run := p.run(stream)) is not None:
        run.paused = isinstance(event, e.RunPaused)
        if not run.paused:
            _release(run, GUARD)
        run.refresh()
        p.touch(run)


def budget_raised(p: Projector, stream: Stream, seq: int, at: int, event: e.BudgetRaised) -> None:
    if (run := p.run(stream)) is not None:
        run.budget = event.micro_usd
        _release(run, "run")
        run.refresh()
        p.touch(run)
    elif (day := parse_one_day(event.scope)) is not None:
        p.changes.add_ledger(*day, LedgerSum(cap=event.micro_usd))


def budget_freed(p: Projector, stream: Stream, seq: int, at: int, event: e.BudgetFreed) -> None:
    if (run := p.run(stream)) is not None:
        goes_on(p, run, event.step)


def _release(run: RunState, scope: str) -> None:
    for step in [step for step, of in run.held.items() if of == scope]:
        del run.held[step]


def ask_opened(p: Projector, stream: Stream, seq: int, at: int, event: e.AskOpened) -> None:
    if (run := p.run(stream)) is not None:
        run.asks[event.step] = event.about
        run.refresh()
        p.touch(run)


def decided(
    p: Projector, stream: Stream, seq: int, at: int, event: e.AskAnswered | e.AskExpired | e.StepSkipped
) -> None:
    if (run := p.run(stream)) is None:
        return
    if isinstance(event, e.StepSkipped):
        take_back(p, run, (event.step,), at)
    if run.asks or run.held:
        no_longer(p, run, event.step)


def take_back(p: Projector, run: RunState, steps: Collection[str], at: int) -> None:
    """These ask nothing any more, and nobody answered: their attempts end without an event of their own."""
    for key in [key for key in run.attempts if key[0] in steps]:
        row = run.attempts.pop(key)
        p.changes.attempts[row[0]] = (*row[:6], "cancelled", row[7], at, None)


def no_longer(p: Projector, run: RunState, step: str) -> None:
    if step in run.asks or step in run.held:
        run.asks.pop(step, None)
        run.held.pop(step, None)
        run.refresh()
        p.touch(run)


def goes_on(p: Projector, run: RunState, step: str) -> None:
    """Something of this step starts, so no budget holds it back any more."""
    if step in run.held:
        del run.held[step]
        run.refresh()
        p.touch(run)


def is_within(path: str, step: str) -> bool:
    """Whether `path` is this step, an instance of it, or something inside it."""
    return path.startswith(step) and (len(path) == len(step) or path[len(step)] in "[#/")
