"""What people do, read from what was recorded: the acts that the audit log keeps. Pure.

Rules
- An act is an event that a person, or a program for one, brought about. What the engine does by itself is
  none.
- Everything is read from the event, which has passed the veil: no secret that was taken out of it comes back.
- Free text is not repeated: of an answer only decisions are told, of the rest the names of the fields.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from aethermind.domain import events as e
from aethermind.domain.holding import GUARD
from aethermind.domain.ids import run_id_of
from aethermind.domain.views import iso
from aethermind.domain.who import split, words

ENGINE = "engine"
"""Who pauses a run that lacks something."""
IMPORTED = "imported"
"""The tag of a run that came out of a bundle."""
IMPORTED_BY = "imported_by"
IMPORTED_EVENTS = "imported_events"
"""So many of its first events are somebody else's word: no acts of this place."""
LOCAL = "local"
"""From a program on this machine that has the engine in itself."""
DECISIONS = frozenset({"approved", "choice", "decision"})
"""Fields of an answer that are told with their value."""
LONGEST = 200
"""Characters of a text in an act."""


class Act(NamedTuple):
    """`act` as the command is called; `who` and `origin` may be ''."""

    act: str
    who: str
    origin: str
    target: str
    detail: str


def of(stream: str, event: e.AnyEvent) -> Act | None:
    """The act that this event records, if it records one."""
    reader = READERS.get(type(event))
    return None if reader is None else reader(run_id_of(stream) or "", event)


def imported(event: e.RunCreated) -> int:
    """How many of the first events of this run were taken in; 0 for a run of this place."""
    count = event.tags.get(IMPORTED_EVENTS, "") if IMPORTED in event.tags else ""
    return int(count) if count.isascii() and count.isdigit() and len(count) < 10 else 0


def _act(act: str, by: str, target: str, detail: str = "") -> Act:
    who, origin = split(by)
    return Act(act, _short(who), _short(origin or LOCAL), _short(target), _short(detail))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _created(run_id: str, event: e.RunCreated) -> Act:
    asked = event.submitter
    by = words(event.by or asked.user, asked.origin)
    if IMPORTED in event.tags and (imported(event) or event.forked_from is None):
        return _act("import", event.tags.get(IMPORTED_BY, ""), run_id, event.workflow)
    if event.forked_from is not None:
        return _act("fork", by, run_id, f"{event.workflow}, from {event.forked_from}")
    return _act("run", by, run_id, f"{event.workflow}, simulated" if event.simulated else event.workflow)


def _paused(run_id: str, event: e.RunPaused) -> Act | None:
    return None if event.by in {GUARD, ENGINE} else _act("pause", event.by, run_id, event.reason)


def _resumed(run_id: str, event: e.RunResumed) -> Act:
    return _act("resume", event.by, run_id)


def _reopened(run_id: str, event: e.RunReopened) -> Act:
    return _act("retry", event.by, run_id, ", ".join(event.steps[:20]))


def _adopted(run_id: str, event: e.DefinitionAdopted) -> Act:
    return _act("resume --edited", event.by, run_id, f"definition {event.definition_hash}")


def _cancelled(run_id: str, event: e.CancelRequested) -> Act:
    return _act("cancel", event.by, run_id if event.step is None else f"{run_id}/{event.step}", event.reason)


def _answered(run_id: str, event: e.AskAnswered) -> Act:
    values = event.values
    approved = values.get("approved")
    act = "answer" if not isinstance(approved, bool) else "approve" if approved else "reject"
    told = [f"{k}={v}" if k in DECISIONS and isinstance(v, str) else k for k, v in values.items()]
    return _act(act, event.by, f"{run_id}/{event.step}", ", ".join(t for t in told if t != "approved"))


def _budget(run_id: str, event: e.BudgetRaised) -> Act:
    detail = f"{event.micro_usd} micro-USD"
    return _act("budget", event.by, run_id or event.scope, detail)


def _trusted(_: str, event: e.TrustGranted) -> Act:
    return _act("trust", event.by, event.path, f"sha256 {event.sha256}" if event.sha256 else "the directory")


def _distrusted(_: str, event: e.TrustRevoked) -> Act:
    return _act("distrust", event.by, event.path)


def _token(_: str, event: e.TokenCreated) -> Act:
    ends = "" if event.expires_at is None else f", until {iso(event.expires_at)}"
    return _act("tokens create", event.by, event.id, f"{event.name}, {event.scope}{ends}")


def _no_token(_: str, event: e.TokenRevoked) -> Act:
    return _act("tokens revoke", event.by, event.id)


def _workflow(_: str, event: e.WorkflowRegistered) -> Act:
    detail = f"definition {event.definition_hash}" + (", trusted" if event.trusted else "")
    return _act("workflows put", event.by, event.name, detail)


def _no_workflow(_: str, event: e.WorkflowRemoved) -> Act:
    return _act("workflows remove", event.by, event.name)


def _agent(_: str, event: e.AgentRegistered) -> Act:
    return _act("agents put", event.by, event.name)


def _no_agent(_: str, event: e.AgentRemoved) -> Act:
    return _act("agents remove", event.by, event.name)


def _stopped(_: str, event: e.EngineStopped) -> Act:
    return _act("stop", event.by, "engine")


def _pruned(_: str, event: e.DatabasePruned) -> Act:
    runs = "1 run" if event.runs == 1 else f"{event.runs} runs"
    return _act("db prune", event.by, "database", f"{runs}, {event.events} events")


READERS: dict[type, Callable[[str, Any], Act | None]] = {
    e.RunCreated: _created,
    e.RunPaused: _paused,
    e.RunResumed: _resumed,
    e.RunReopened: _reopened,
    e.DefinitionAdopted: _adopted,
    e.CancelRequested: _cancelled,
    e.AskAnswered: _answered,
    e.BudgetRaised: _budget,
    e.TrustGranted: _trusted,
    e.TrustRevoked: _distrusted,
    e.TokenCreated: _token,
    e.TokenRevoked: _no_token,
    e.WorkflowRegistered: _workflow,
    e.WorkflowRemoved: _no_workflow,
    e.AgentRegistered: _agent,
    e.AgentRemoved: _no_agent,
    e.EngineStopped: _stopped,
    e.DatabasePruned: _pruned,
}
"""Every type of event that can be an act."""
