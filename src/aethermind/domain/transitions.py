"""What each event does to its run: one handler per type, and the table that pairs them.

An event that does not fit the state raises `StateError` with the step's story.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappush
from typing import TYPE_CHECKING, Any

from aethermind.domain import calls, holding, journal, progress
from aethermind.domain import events as e
from aethermind.domain.errors import ErrorInfo, StateError
from aethermind.domain.reopen import adopt, recount, reopen
from aethermind.domain.state import (
    AgentState,
    AttemptStatus,
    Node,
    Question,
    RunStatus,
)

if TYPE_CHECKING:
    from aethermind.domain.run import Run


# --- handlers: run -------------------------------------------------------------------------


def _created(run: Run, event: e.RunCreated, at: int) -> None:
    run.created = event
    run.definition = event.definition
    run.source_hash, run.models = event.source_hash, event.models
    run.env_names = event.submitter.env_names
    run.created_at = at
    run.budget_micro_usd = event.budget_micro_usd
    run.limited = frozenset(n for n, a in event.definition.agents.items() if a.max_concurrent)
    progress.set_status(run, run.root, "running")
    if not event.adopted:
        progress.open_group(run, run.root, event.definition.steps, at)
        return
    progress.make_steps(run, run.root, event.definition.steps)
    progress.link(run.root)
    for step_id, output in event.adopted.items():
        node = run.root.by_id[step_id]
        node.output, node.reason = output, f"adopted from {event.forked_from}"
        node.status = "succeeded"
        node.started_at = node.finished_at = at
    recount(run, at)


def _go_on_after_the_end(run: Run) -> None:
    run.finished = run.settled = run.error = run.error_step = run.finished_at = None
    run.outputs = None
    run.closing = run.cancelling = run.paused = False
    run.pause = None


def _reopened(run: Run, event: e.RunReopened, at: int) -> None:
    run.generation = event.generation
    _go_on_after_the_end(run)
    reopen(run, [run.node(p) for p in event.steps], at)
    recount(run, at)
    holding.unguarded(run)


def _adopted(run: Run, event: e.DefinitionAdopted, at: int) -> None:
    if run.counts.get("running"):
        raise StateError("an edited definition can't be adopted while steps are running")
    run.generation += 1
    _go_on_after_the_end(run)
    run.source_hash, run.models = event.source_hash, {**run.models, **event.models}
    run.env_names = tuple(dict.fromkeys((*run.env_names, *event.env_names)))
    adopt(run, event.definition, set(event.kept), at)
    recount(run, at)
    holding.unguarded(run)


def _cancel_requested(run: Run, event: e.CancelRequested, at: int) -> None:
    reason = event.reason or (f"cancelled by {event.by}" if event.by else "cancelled")
    if event.step is not None:
        progress.cancel(run, run.node(event.step), at, reason)
        return
    run.cancelling = True
    run.cancel_reason = reason
    run.ready.clear()
    run.todo.clear()
    for node in list(run.root.children):
        progress.cancel(run, node, at, reason)
    progress.check(run, run.root, at)
    if run.closing:
        run.settled = "cancelled"


def _ended(run: Run, status: RunStatus, at: int) -> None:
    run.finished = status
    run.finished_at = at
    run.root.finished_at = at
    run.root.status = status  # type: ignore[assignment]  # a run's end is a step's end too
    run.ready.clear()
    run.todo.clear()
    run.timers.clear()
    run.stops.clear()


def _succeeded(run: Run, event: e.RunSucceeded, at: int) -> None:
    run.outputs = event.outputs
    _ended(run, "succeeded", at)


def _failed(run: Run, event: e.RunFailed, at: int) -> None:
    run.error, run.error_step = event.error, event.step
    _ended(run, "failed", at)


def _cancelled(run: Run, event: e.RunCancelled, at: int) -> None:
    _ended(run, "cancelled", at)
    for node in run.nodes.values():  # what is asked inside of a group that had failed before the cancel
        if node.mode == "leaf" and node.status in {"in_doubt", "waiting_answer", "waiting_budget"}:
            progress.set_status(run, node, "cancelled")
            node.finished_at = at
            if node.attempts and node.attempts[-1].status == "running":
                node.attempts[-1].status, node.attempts[-1].finished_at = "cancelled", at


# --- handlers: steps -----------------------------------------------------------------------


def _expanded(run: Run, event: e.StepExpanded, at: int) -> None:
    node = run.node(event.step)
    run.todo.pop(event.step, None)
    if node.over:
        raise StateError(f"{event.step} is {node.status} and can't be expanded")
    if event.items is not None:
        progress.open_items(run, node, event.items, event.digests, at)
    elif event.iteration is not None:
        progress.open_round(run, node, event.iteration, event.not_before, at)
    elif event.done and node.encloses:
        node.output = event.outputs
        progress.settle(run, node, "succeeded", at)
    elif event.done:
        progress.end(run, node, at)
    elif node.mode == "group":
        node.inputs = event.inputs
        progress.set_status(run, node, "running")
        progress.open_group(run, node, progress.group_steps(node.step), at)
    else:
        progress.make_ready(run, node)


def _skipped(run: Run, event: e.StepSkipped, at: int) -> None:
    node = run.node(event.step)
    node.reason = event.reason
    if node.attempts and node.attempts[-1].status == "running":  # a question that nobody answered
        _attempt_over(run, event.step, len(node.attempts), "cancelled", at)
    progress.settle(run, node, "skipped", at)


# --- handlers: attempts --------------------------------------------------------------------


def _attempt_started(run: Run, event: e.AttemptStarted, at: int) -> None:
    node = run.node(event.step)
    if (
        node.over
        or (node.status == "running" and node.mode == "leaf")
        or event.attempt != len(node.attempts) + 1
    ):
        raise StateError(f"{event.step} is {node.status}: attempt {event.attempt} can't start")
    progress.unready(run, node)
    node.due_at = None
    node.tried(event.attempt, at)
    if node.started_at is None:
        node.started_at = at
    if run.started_at is None:
        run.started_at = at
    progress.set_status(run, node, "running")
    if event.agent is not None:
        agent = run.agents.get(event.agent)
        if agent is None:
            agent = run.agents[event.agent] = AgentState(event.agent)
        agent.running += 1
        agent.attempts += 1
        agent.step = event.step


def _attempt_over(run: Run, path: str, n: int, status: AttemptStatus, at: int) -> Node:
    node = run.node(path)
    attempt = node.attempts[-1] if node.attempts else None
    if attempt is None or attempt.n != n or attempt.status != "running":
        raise StateError(f"{path} is {node.status}: attempt {n} is not running")
    attempt.status = status
    attempt.finished_at = at
    run.stops.pop(path, None)
    for call in attempt.calls:
        if call.status == "running":
            call.status = "lost"
            call.finished_at = at
            for tally in calls.tallies(run, node, call.agent):
                tally.lose(call.reserved)
    if attempt.calls or n > node.journal + 1:
        journal.lose(node)
    if node.agent is not None and node.agent in run.agents:
        run.agents[node.agent].running -= 1
    return node


def _attempt_succeeded(run: Run, event: e.AttemptSucceeded, at: int) -> None:
    node = _attempt_over(run, event.step, event.attempt, "succeeded", at)
    node.output = event.output
    node.result = event.result
    node.saved = event.saved
    node.reason = None
    progress.settle(run, node, "succeeded", at)


def _attempt_failed(run: Run, event: e.AttemptFailed, at: int) -> None:
    node = _attempt_over(run, event.step, event.attempt, "failed", at)
    attempt = node.attempts[-1]
    attempt.error = event.error
    if event.error.kind not in journal.GOES_ON:
        node.start_anew()
    if (name := node.agent) is not None and name in run.agents:
        run.agents[name].failed += 1
        run.agents[name].last_error = event.error.message
    if event.retry_at is None or run.cancelling:
        node.error = event.error
        progress.settle(run, node, "cancelled" if run.cancelling else "failed", at)
        return
    attempt.retry_at = node.due_at = event.retry_at
    progress.set_status(run, node, "retry_wait")
    heappush(run.timers, (event.retry_at, node.path))


def _attempt_cancelled(run: Run, event: e.AttemptCancelled, at: int) -> None:
    node = _attempt_over(run, event.step, event.attempt, "cancelled", at)
    node.reason = event.reason or node.reason
    progress.settle(run, node, "cancelled", at)


def _attempt_lost(run: Run, event: e.AttemptLost, at: int) -> None:
    stopped = event.step in run.stops
    node = _attempt_over(run, event.step, event.attempt, "lost", at)
    node.attempts[-1].billed_twice = event.possibly_billed_twice
    node.tries -= 1
    if stopped:  # it was to be cancelled, and nobody works at it any more
        progress.settle(run, node, "cancelled", at)
        return
    _resolve(run, node, event.resolution, at)


def _resolve(run: Run, node: Node, resolution: str, at: int) -> None:
    match resolution:
        case "retry" | "tell":
            journal.resolve(node, resolution)
            _again(run, node, at)
        case "fail":
            node.error = ErrorInfo(kind="lost", message="the process that ran this step died")
            progress.settle(run, node, "failed", at)
        case "skip":
            node.reason = "skipped: its outcome is unknown"
            progress.settle(run, node, "skipped", at)
        case _:
            progress.set_status(run, node, "in_doubt")
            progress.check(run, node.parent or run.root, at)


def _again(run: Run, node: Node, at: int) -> None:
    progress.set_status(run, node, "ready")
    progress.enqueue(run, node)
    if progress.blocked(run, node):
        progress.settle(run, node, "cancelled", at)


# --- handlers: questions and budgets -------------------------------------------------------


def _ask_opened(run: Run, event: e.AskOpened, at: int) -> None:
    node = run.node(event.step)
    node.question = Question(
        event.about,
        event.message,
        event.fields,
        at,
        show=event.show,
        expires_at=event.expires_at,
        digest=event.digest,
    )
    if event.about == "in_doubt":
        return
    if event.about == "tool":
        _attempt_over(run, event.step, event.attempt, "cancelled", at)
        node.tries -= 1
    progress.set_status(run, node, "waiting_answer")
    if event.expires_at is not None:
        node.due_at = event.expires_at
        heappush(run.timers, (event.expires_at, node.path))
    progress.check(run, node.parent or run.root, at)


def _ask_answered(run: Run, event: e.AskAnswered, at: int) -> None:
    node = run.node(event.step)
    if node.question is None or node.question.values is not None:
        raise StateError(f"{event.step} has no open question")
    node.question.values, node.question.by = event.values, event.by
    if node.question.about == "in_doubt" and node.status == "in_doubt":
        _resolve(run, node, str(event.values.get("choice")), at)
    elif node.question.about == "tool" and node.status == "waiting_answer":
        journal.decide(node, node.question.digest, event)
        _again(run, node, at)


def _ask_expired(run: Run, event: e.AskExpired, at: int) -> None:
    node = run.node(event.step)
    run.todo.pop(event.step, None)
    if node.question is None or node.question.values is not None:
        raise StateError(f"{event.step} has no open question")
    node.question.expired = True
    node.question.values, node.question.by = {}, "timeout"


def _budget_held(run: Run, event: e.BudgetHeld, at: int) -> None:
    holding.held(run, _attempt_over(run, event.step, event.attempt, "cancelled", at), event, at)


HANDLERS: dict[type, Callable[[Run, Any, int], None]] = {
    e.RunCreated: _created,
    e.RunReopened: _reopened,
    e.RunPaused: holding.paused,
    e.RunResumed: holding.resumed,
    e.DefinitionAdopted: _adopted,
    e.CancelRequested: _cancel_requested,
    e.RunSucceeded: _succeeded,
    e.RunFailed: _failed,
    e.RunCancelled: _cancelled,
    e.StepExpanded: _expanded,
    e.StepSkipped: _skipped,
    e.AttemptStarted: _attempt_started,
    e.AttemptSucceeded: _attempt_succeeded,
    e.AttemptFailed: _attempt_failed,
    e.AttemptCancelled: _attempt_cancelled,
    e.AttemptLost: _attempt_lost,
    e.CallStarted: calls.call_started,
    e.CallFinished: calls.call_finished,
    e.CallFailed: calls.call_failed,
    e.ToolStarted: journal.tool_started,
    e.ToolFinished: journal.tool_finished,
    e.ToolFailed: journal.tool_failed,
    e.AskOpened: _ask_opened,
    e.AskAnswered: _ask_answered,
    e.AskExpired: _ask_expired,
    e.BudgetHeld: _budget_held,
    e.BudgetFreed: holding.freed,
    e.BudgetRaised: holding.raised,
}
