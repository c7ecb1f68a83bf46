"""What events of no run do to the rows: workflows, agents, trust, tokens. Part of `handlers`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aethermind.domain import events as e
from aethermind.infra.stores.state import AgentSum, Stream

if TYPE_CHECKING:
    from aethermind.infra.stores.projector import Projector


def _workflow_registered(
    p: Projector, stream: Stream, seq: int, at: int, event: e.WorkflowRegistered
) -> None:
    d = event.definition
    row = (event.name, d.description, event.definition_hash, at, d.source, seq)
    p.changes.ops.append(("put_workflow", row))


def _workflow_removed(p: Projector, stream: Stream, seq: int, at: int, event: e.WorkflowRemoved) -> None:
    p.changes.ops.append(("drop_workflow", (event.name,)))


def _agent_registered(p: Projector, stream: Stream, seq: int, at: int, event: e.AgentRegistered) -> None:
    models = event.definition.get("models") if isinstance(event.definition, dict) else None
    model = str(models[0]) if models else None
    p.changes.add_agent(event.name, AgentSum(registered=1, model=model, seq=seq))


def _agent_removed(p: Projector, stream: Stream, seq: int, at: int, event: e.AgentRemoved) -> None:
    p.changes.add_agent(event.name, AgentSum(registered=0))


def _trust_granted(p: Projector, stream: Stream, seq: int, at: int, event: e.TrustGranted) -> None:
    p.changes.ops.append(("put_trust", (event.path, event.sha256 or "", at)))


def _trust_revoked(p: Projector, stream: Stream, seq: int, at: int, event: e.TrustRevoked) -> None:
    p.changes.ops.append(("drop_trust", (event.path,)))


def _token_created(p: Projector, stream: Stream, seq: int, at: int, event: e.TokenCreated) -> None:
    row = (event.id, event.name, event.sha256, event.scope, at, event.expires_at, None, event.by, seq)
    p.changes.ops.append(("put_token", row))


def _token_revoked(p: Projector, stream: Stream, seq: int, at: int, event: e.TokenRevoked) -> None:
    p.changes.ops.append(("revoke_token", (at, event.id)))


HANDLERS: dict[type, Callable[[Projector, Stream, int, int, Any], None]] = {
    e.WorkflowRegistered: _workflow_registered,
    e.WorkflowRemoved: _workflow_removed,
    e.AgentRegistered: _agent_registered,
    e.AgentRemoved: _agent_removed,
    e.TrustGranted: _trust_granted,
    e.TrustRevoked: _trust_revoked,
    e.TokenCreated: _token_created,
    e.TokenRevoked: _token_revoked,
}
