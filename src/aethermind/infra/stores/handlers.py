"""What each event does to the rows: one handler per type, and the table that pairs them.

An event that does not fit (an end without a start, a run that was never created) changes nothing: the
state machine of the domain has refused it before, and a projection must not stop the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aethermind.domain import events as e
from aethermind.domain.holding import GUARD
from aethermind.domain.ids import run_id_of
from aethermind.domain.usage import Cost, Usage
from aethermind.infra.stores import registers, waits
from aethermind.infra.stores.state import TOKENS, AgentSum, CallRecord, CostSum, RunState, Stream, tokens

if TYPE_CHECKING:
    from aethermind.infra.stores.projector import Projector

# --- runs --------------------------------------------------------------------------------------


def _created(p: Projector, stream: Stream, seq: int, at: int, event: e.RunCreated) -> None:
    run_id = run_id_of(stream.name)
    if run_id is None or p.run(stream) is not None:
        return
    stream.run = run = RunState(seq, run_id, event.workflow, at)
    run.priority = event.priority
    run.simulated = int(event.simulated)
    run.budget = event.budget_micro_usd
    run.source = event.source
    p.touch(run)


def _reopened(
    p: Projector, stream: Stream, seq: int, at: int, event: e.RunReopened | e.DefinitionAdopted
) -> None:
    if (run := p.run(stream)) is None:
        return
    run.status = "running"
    run.finished_at = run.error = None
    run.paused = run.stopping = False
    kept = event.kept if isinstance(event, e.DefinitionAdopted) else ()
    if isinstance(event, e.DefinitionAdopted):  # nothing runs now: what is open was asked
        gone = {step for step, _ in run.attempts if not any(waits.is_within(step, of) for of in kept)}
        waits.take_back(p, run, gone, at)
    run.asks = {step: why for step, why in run.asks.items() if any(waits.is_within(step, of) for of in kept)}
    run.held.clear()
    run.refresh()
    p.touch(run)


def _cancel_requested(p: Projector, stream: Stream, seq: int, at: int, event: e.CancelRequested) -> None:
    if (run := p.run(stream)) is None:
        return
    if event.step is None:
        run.stopping = True
    else:
        asked = {step for step in run.asks if waits.is_within(step, event.step)}
        waits.take_back(p, run, asked, at)
        for waiting in (run.asks, run.held):
            for step in [s for s in waiting if waits.is_within(s, event.step)]:
                del waiting[step]
    run.refresh()
    p.touch(run)


def _ended(
    p: Projector, stream: Stream, seq: int, at: int, event: e.RunSucceeded | e.RunFailed | e.RunCancelled
) -> None:
    if (run := p.run(stream)) is None:
        return
    match event:
        case e.RunSucceeded():
            run.status = "succeeded"
        case e.RunFailed():
            run.status = "failed"
            run.error = event.error.message
        case _:
            run.status = "cancelled"
            run.error = event.reason or None
    run.finished_at = at
    run.paused = run.stopping = False
    if run.status == "cancelled":
        waits.take_back(p, run, run.asks, at)
    run.asks.clear()
    run.held.clear()
    p.touch(run)
    p.end(stream)
    if run.settled or run.calls:
        p.changes.ops.append(("drop_partials_of_run", (run.id,)))


# --- what a run waits for ----------------------------------------------------------------------


def _held(p: Projector, stream: Stream, seq: int, at: int, event: e.BudgetHeld) -> None:
    """The attempt ends with it; its step waits."""
    why = (
        f"would exceed the budget of the {event.scope}" if event.scope != GUARD else "held back by the guard"
    )
    _attempt_over(p, stream, at, event, "cancelled", why)
    if (run := p.run(stream)) is not None:
        run.held[event.step] = event.scope
        run.refresh()
        p.touch(run)


def _ask_opened(p: Projector, stream: Stream, seq: int, at: int, event: e.AskOpened) -> None:
    if event.about == "tool":  # its attempt ends with it; another goes on after the decision
        _attempt_over(p, stream, at, event, "cancelled", "asks whether it may use a tool")
    waits.ask_opened(p, stream, seq, at, event)


# --- attempts ----------------------------------------------------------------------------------


def _attempt_started(p: Projector, stream: Stream, seq: int, at: int, event: e.AttemptStarted) -> None:
    run = stream.run if stream.known else p.run(stream)
    if run is None:
        return
    row = (
        seq,
        run.seq,
        event.step,
        event.attempt,
        event.kind,
        event.agent,
        "running",
        at,
        None,
        None,
    )
    if event.attempt > 1:  # a retry or an edit may have taken back what the one before asked
        waits.take_back(p, run, (event.step,), at)
    run.attempts[event.step, event.attempt] = row
    p.changes.attempts[seq] = row
    if event.agent is not None:
        p.changes.add_agent(event.agent, AgentSum(attempts=1, last_seen_at=at))
    if run.started_at is None:
        run.started_at = at
        run.refresh()
        p.touch(run)
    if run.held:
        waits.goes_on(p, run, event.step)
    if run.asks or run.held:
        run.refresh()
        p.touch(run)


def _attempt_over(p: Projector, stream: Stream, at: int, event: Any, status: str, error: str | None) -> None:
    run = stream.run if stream.known else p.run(stream)
    if run is None:
        return
    row = run.attempts.pop((event.step, event.attempt), None)
    if row is not None:
        p.changes.attempts[row[0]] = (*row[:6], status, row[7], at, error)
        if row[5] is not None:
            p.changes.add_agent(row[5], AgentSum(failed=int(status == "failed"), last_seen_at=at))
    if run.calls:
        for key, call in list(run.calls.items()):
            if key[:2] == (event.step, event.attempt) and call.status == "running":
                _lose(p, run, key, call, at)
    # An attempt that is lost may be what a question is about; any other end leaves nothing to ask.
    if (run.asks or run.held) and status != "lost":
        waits.no_longer(p, run, event.step)
    if run.asks or run.held:
        run.refresh()
        p.touch(run)


def _attempt_succeeded(p: Projector, stream: Stream, seq: int, at: int, event: e.AttemptSucceeded) -> None:
    run = stream.run if stream.known else p.run(stream)
    if run is None:
        return
    if run.calls or run.asks or run.held:
        _attempt_over(p, stream, at, event, "succeeded", None)
        return
    # Nothing else hangs on it: the case that has to be fast.
    row = run.attempts.pop((event.step, event.attempt), None)
    if row is not None:
        n, of, step, attempt, kind, agent, _, started_at, _, _ = row
        p.changes.attempts[n] = (n, of, step, attempt, kind, agent, "succeeded", started_at, at, None)
        if agent is not None:
            p.changes.add_agent(agent, AgentSum(last_seen_at=at))


def _attempt_failed(p: Projector, stream: Stream, seq: int, at: int, event: e.AttemptFailed) -> None:
    _attempt_over(p, stream, at, event, "failed", event.error.message)


def _attempt_cancelled(p: Projector, stream: Stream, seq: int, at: int, event: e.AttemptCancelled) -> None:
    _attempt_over(p, stream, at, event, "cancelled", event.reason or None)


def _attempt_lost(p: Projector, stream: Stream, seq: int, at: int, event: e.AttemptLost) -> None:
    _attempt_over(p, stream, at, event, "lost", None)


# --- calls and money ---------------------------------------------------------------------------


def _call_started(p: Projector, stream: Stream, seq: int, at: int, event: e.CallStarted) -> None:
    if (run := p.run(stream)) is None:
        return
    call = CallRecord(
        seq,
        run.seq,
        event.step,
        event.attempt,
        event.call,
        event.agent,
        event.provider,
        event.model,
        "running",
        run.simulated,
        at,
        reserved_micro_usd=event.reserved_micro_usd,
    )
    run.calls[event.step, event.attempt, event.call] = call
    p.changes.calls[seq] = call
    p.changes.add_cost(run, call, CostSum(calls=1, in_flight=1, reserved=event.reserved_micro_usd or 0))
    if event.agent is not None:
        model = f"{event.provider}:{event.model}"
        p.changes.add_agent(event.agent, AgentSum(seen_model=model, last_seen_at=at))
    if run.held:
        waits.goes_on(p, run, event.step)


def _call_finished(p: Projector, stream: Stream, seq: int, at: int, event: e.CallFinished) -> None:
    run = p.run(stream)
    if run is None or (event.step, event.attempt, event.call) not in run.calls:
        return
    _settle(p, stream, at, event, "succeeded", event.usage, event.cost, None)
    if event.content_key is not None and event.cached_from is None:
        p.changes.answers[event.content_key] = seq


def _call_failed(p: Projector, stream: Stream, seq: int, at: int, event: e.CallFailed) -> None:
    _settle(p, stream, at, event, "failed", event.usage, event.cost, event.error.message)


def _settle(
    p: Projector,
    stream: Stream,
    at: int,
    event: e.CallFinished | e.CallFailed,
    status: str,
    usage: Usage | None,
    cost: Cost | None,
    error: str | None,
) -> None:
    """The call's end is known. It may have been given up as lost before: then that is taken back.

    `cost` None: not billed. A cost without an amount: billed, nobody knows how much (if `bounded`, at most
    what was reserved).
    """
    if (run := p.run(stream)) is None:
        return
    call = run.calls.pop((event.step, event.attempt, event.call), None)
    if call is None:
        return
    reserved = call.reserved_micro_usd or 0
    was_lost = call.status == "lost"
    if was_lost:
        run.at_most -= reserved
    else:
        run.settled += 1
    counts = (0,) * 5 if usage is None else tokens(usage)
    micro = None if cost is None else cost.micro_usd
    priced = int(micro is not None)
    saved = cost.saved_micro_usd if cost is not None and priced else 0
    at_most = reserved if cost is not None and cost.bounded else 0
    unpriced = int(cost is not None and micro is None and not cost.bounded)
    run.unpriced += unpriced
    run.at_most += at_most
    run.saved += saved
    if micro is not None:
        run.cost = (run.cost or 0) + micro
    call = call._replace(
        status=status,
        finished_at=at,
        cost_micro_usd=micro,
        price_source=None if cost is None else cost.source,
        error=error,
        saved_micro_usd=saved,
    )
    if usage is not None:
        run.usage = run.usage + usage
        by_name: dict[str, Any] = dict(zip(TOKENS, counts, strict=True))
        call = call._replace(**by_name)
    p.changes.calls[call.seq] = call
    gone = 0 if was_lost else -1
    at_most -= reserved if was_lost else 0
    change = CostSum(0, gone, gone * reserved, unpriced, priced, micro or 0, *counts, at_most, saved)
    p.changes.add_cost(run, call, change)
    p.touch(run)
    p.changes.ops.append(("drop_partial", (run.id, call.step, call.attempt, call.call)))


def _lose(p: Projector, run: RunState, key: tuple[str, int, int], call: CallRecord, at: int) -> None:
    """The attempt is over and nobody saw how its call ended: it may have been billed."""
    reserved = call.reserved_micro_usd or 0
    call = call._replace(status="lost", finished_at=at)
    run.calls[key] = call
    run.settled += 1
    run.at_most += reserved
    p.changes.calls[call.seq] = call
    p.changes.add_cost(run, call, CostSum(in_flight=-1, reserved=-reserved, at_most=reserved))
    p.touch(run)
    p.changes.ops.append(("drop_partial", (run.id, *key)))


HANDLERS: dict[type, Callable[[Projector, Stream, int, int, Any], None]] = {
    e.RunCreated: _created,
    e.RunReopened: _reopened,
    e.RunPaused: waits.paused,
    e.RunResumed: waits.paused,
    e.DefinitionAdopted: _reopened,
    e.CancelRequested: _cancel_requested,
    e.RunSucceeded: _ended,
    e.RunFailed: _ended,
    e.RunCancelled: _ended,
    e.StepSkipped: waits.decided,
    e.AttemptStarted: _attempt_started,
    e.AttemptSucceeded: _attempt_succeeded,
    e.AttemptFailed: _attempt_failed,
    e.AttemptCancelled: _attempt_cancelled,
    e.AttemptLost: _attempt_lost,
    e.CallStarted: _call_started,
    e.CallFinished: _call_finished,
    e.CallFailed: _call_failed,
    e.AskOpened: _ask_opened,
    e.AskAnswered: waits.decided,
    e.AskExpired: waits.decided,
    e.BudgetHeld: _held,
    e.BudgetFreed: waits.budget_freed,
    e.BudgetRaised: waits.budget_raised,
    **registers.HANDLERS,
}
"""Every type that changes a projection; the others (expansions, tools, state, …) change none."""
