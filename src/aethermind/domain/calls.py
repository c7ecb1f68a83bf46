"""What model calls do to their run: tokens and money count for the step, for all that is above it,
for its agent and for the run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.domain import events as e
from aethermind.domain import holding
from aethermind.domain.call_states import CallState, CallStatus
from aethermind.domain.errors import StateError
from aethermind.domain.state import Node, Tally
from aethermind.domain.usage import Cost, Usage

if TYPE_CHECKING:
    from aethermind.domain.run import Run


def tallies(run: Run, node: Node, agent: str | None) -> list[Tally]:
    """Everything a call of this node counts for: the node, what is above it, its agent, the run."""
    found = [run.tally]
    if agent is not None and agent in run.agents:
        found.append(run.agents[agent].tally)
    up: Node | None = node
    while up is not None and up.parent is not None:
        if up.tally is None:
            up.tally = Tally()
        found.append(up.tally)
        up = up.parent
    return found


def call_of(run: Run, path: str, attempt: int, call: int) -> tuple[Node, CallState]:
    node = run.node(path)
    try:
        found = node.attempts[attempt - 1].calls[call - 1]
    except IndexError:
        raise StateError(f"{path} has no call {call} in attempt {attempt}") from None
    return node, found


def call_started(run: Run, event: e.CallStarted, at: int) -> None:
    node = run.node(event.step)
    call = CallState(event.call, event.provider, event.model, event.request, at)
    call.reserved = event.reserved_micro_usd
    call.agent, call.digest = event.agent, event.digest
    attempt = node.attempts[event.attempt - 1]
    attempt.calls = (*attempt.calls, call)
    if event.agent is not None and event.agent in run.agents:
        run.agents[event.agent].model = f"{event.provider}:{event.model}"
    for tally in tallies(run, node, event.agent):
        tally.open(event.reserved_micro_usd)


def _settle_call(
    run: Run, node: Node, call: CallState, usage: Usage | None, cost: Cost | None, status: CallStatus, at: int
) -> None:
    call.status = status
    call.usage, call.cost, call.finished_at = usage, cost, at
    for tally in tallies(run, node, call.agent):
        tally.settle(call.reserved, usage, cost)
    if run.held:
        holding.room_again(run)


def call_finished(run: Run, event: e.CallFinished, at: int) -> None:
    node, call = call_of(run, event.step, event.attempt, event.call)
    call.text, call.reasoning, call.finish = event.text, event.reasoning, event.finish
    call.first_token_ms, call.cached_from = event.first_token_ms, event.cached_from
    call.tool_calls, call.carry = event.tool_calls, event.carry
    _settle_call(run, node, call, event.usage, event.cost, "succeeded", at)


def call_failed(run: Run, event: e.CallFailed, at: int) -> None:
    node, call = call_of(run, event.step, event.attempt, event.call)
    call.error, call.text = event.error, event.text
    _settle_call(run, node, call, event.usage, event.cost, "failed", at)
