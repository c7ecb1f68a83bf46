"""The journal of a conversation with tools: what one attempt was answered, the next one goes on from.

Rules
- An attempt that ends without an answer (its process died, its model could not be reached, it has to ask a
  person, there is no money) is followed by one that asks the same again; what is recorded is not done again.
- A call is the same if its digest is: of the model, the settings, the tools and the whole conversation.
- What nobody saw the end of is done again only if that changes nothing (`QUIET`), or if a person or its
  step's `on_in_doubt` says so.
- A complete answer that did not fit, and code of the user's that raised, are not gone on from: the next
  attempt starts anew, else it would fail in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from aethermind.domain import events as e
from aethermind.domain.call_states import CallState, ToolState
from aethermind.domain.calls import call_of
from aethermind.domain.errors import StateError
from aethermind.domain.state import AttemptState, Decision, Node

if TYPE_CHECKING:
    from aethermind.domain.run import Run

PROGRAMS = "cli"
"""The provider whose models are agents themselves, with tools of their own: what they do is told as tools of
the call, though nobody here does it."""
QUIET: frozenset[str] = frozenset({"pure", "read"})
"""Effects of tools that may be used twice without harm, and side by side."""
GOES_ON: frozenset[str] = frozenset(
    {
        "auth",
        "circuit_open",
        "connection",
        "lost",
        "malformed",
        "missing_key",
        "not_found",
        "overloaded",
        "quota",
        "rate_limit",
        "server",
        "timeout",
        "truncated",
    }
)
"""Kinds of errors after which the next attempt goes on where the failed one was."""


def answered(node: Node) -> Iterator[tuple[AttemptState, CallState]]:
    """The calls that an attempt may go on from, oldest first."""
    for attempt in node.attempts[node.journal :]:
        for call in attempt.calls:
            if call.digest and call.status == "succeeded":
                yield attempt, call


def tools(node: Node) -> Iterator[ToolState]:
    """The tool calls of the journal."""
    for attempt in node.attempts[node.journal :]:
        for call in attempt.calls:
            yield from call.tools


def in_doubt(node: Node) -> list[ToolState]:
    """Tool calls under way that may have had an effect."""
    ours = (c for attempt in node.attempts[node.journal :] for c in attempt.calls if c.provider != PROGRAMS)
    return [t for call in ours for t in call.tools if t.status == "running" and t.effect not in QUIET]


def lose(node: Node) -> None:
    """The attempt is over: nobody will see how its tools end."""
    for tool in tools(node):
        if tool.status == "running":
            tool.status, tool.doubt = "lost", ""


def resolve(node: Node, choice: str) -> None:
    """What is to become of the lost ones."""
    for tool in tools(node):
        if tool.status == "lost" and not tool.doubt:
            tool.doubt = "tell" if choice == "tell" else "retry"


def decide(node: Node, digest: str, event: e.AskAnswered) -> None:
    """A person has said yes or no to a tool call."""
    note = event.values.get("note")
    approved = event.values.get("approved") is True
    node.decided(digest, Decision(approved, note if isinstance(note, str) else "", event.by))


# --- handlers --------------------------------------------------------------------------------------


def tool_started(run: Run, event: e.ToolStarted, at: int) -> None:
    node, call = call_of(run, event.step, event.attempt, event.call)
    tool = _find(call, event.tool_call_id)
    if tool is None:
        tool = _new(call, event.tool_call_id, event.tool, at)
    elif tool.status == "lost":
        tool.status, tool.started_at = "running", at
        tool.tries += 1
    else:
        raise StateError(f"{event.step}: the tool call {tool.id} is {tool.status} and can't start again")
    if event.arguments is not None:
        tool.arguments = event.arguments
    tool.effect, tool.digest, tool.by = event.effect, event.digest, event.approved_by
    node.decisions.pop(event.digest, None)


def tool_finished(run: Run, event: e.ToolFinished, at: int) -> None:
    _, call = call_of(run, event.step, event.attempt, event.call)
    tool = _find(call, event.tool_call_id)
    if tool is None:
        raise StateError(f"{event.step}: the tool call {event.tool_call_id} was not started")
    tool.status, tool.finished_at = "succeeded", at
    tool.result, tool.is_error, tool.truncated = event.result, event.is_error, event.truncated


def tool_failed(run: Run, event: e.ToolFailed, at: int) -> None:
    node, call = call_of(run, event.step, event.attempt, event.call)
    tool = _find(call, event.tool_call_id)
    if tool is None:  # refused before it began
        tool = _new(call, event.tool_call_id, "", at)
    tool.status, tool.finished_at, tool.error = "failed", at, event.error
    decision = node.decisions.pop(event.digest, None)
    if decision is not None:
        tool.digest, tool.by = event.digest, decision.by


def _find(call: CallState, id_: str) -> ToolState | None:
    return next((tool for tool in call.tools if tool.id == id_), None)


def _new(call: CallState, id_: str, name: str, at: int) -> ToolState:
    wanted: dict[str, Any] = next((part for part in call.tool_calls if part["id"] == id_), {})
    tool = ToolState(id_, name or str(wanted.get("name", "")), wanted.get("arguments"), at)
    call.tools.append(tool)
    return tool
