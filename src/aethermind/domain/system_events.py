"""Recorded facts of no run: definitions that are kept, trust, tokens, agents' state, the engine itself.

`by` is who did it, as "WHO" or "WHO via WHERE". The rules of `domain.events` hold here, too.
"""

from __future__ import annotations

from typing import Literal

from aethermind.domain.event import Event, Json
from aethermind.domain.workflow import WorkflowDef

Scope = Literal["viewer", "operator", "admin"]
"""What a token allows: to look · to act on runs and start what is registered · everything."""


class WorkflowRegistered(Event, frozen=True, kw_only=True):
    name: str
    definition: WorkflowDef
    definition_hash: str
    by: str = ""
    text: str | None = None
    """The file it was made from, as it was given."""
    env_names: tuple[str, ...] = ()
    """Variables that it takes from the submitter's environment."""
    sim: dict[str, Json] = {}  # noqa: RUF012 - a record: msgspec copies it
    """The `.sim.yaml` that belongs to it."""
    trusted: bool = False
    """Whether it may start programs without another question."""


class WorkflowRemoved(Event, frozen=True, kw_only=True):
    name: str
    by: str = ""


class AgentRegistered(Event, frozen=True, kw_only=True):
    name: str
    definition: Json
    """The AgentDef as JSON; `{"logic": true}` added for an agent of the SDK."""
    by: str = ""
    env_names: tuple[str, ...] = ()
    """Variables that its tools take from the submitter's environment."""


class AgentRemoved(Event, frozen=True, kw_only=True):
    name: str
    by: str = ""


class TrustGranted(Event, frozen=True, kw_only=True):
    """Trust in a file by content hash, or in a directory of one's own (`sha256` None)."""

    path: str
    sha256: str | None
    by: str = ""


class TrustRevoked(Event, frozen=True, kw_only=True):
    path: str
    by: str = ""


class TokenCreated(Event, frozen=True, kw_only=True):
    """A token of the API. The token itself is nowhere: only its hash is."""

    id: str
    name: str
    sha256: str
    """Of the whole token, in hex."""
    scope: Scope
    expires_at: int | None = None
    by: str = ""


class TokenRevoked(Event, frozen=True, kw_only=True):
    id: str
    by: str = ""


class EngineStopped(Event, frozen=True, kw_only=True):
    """Somebody asked the engine to end."""

    by: str = ""


class DatabasePruned(Event, frozen=True, kw_only=True):
    """Finished runs that ended before `before` (epoch ms) were removed, with all that was theirs."""

    before: int
    runs: int
    events: int
    by: str = ""


class StateChanged(Event, frozen=True, kw_only=True):
    """Per-agent key-value state: keys set and keys deleted by one attempt."""

    agent: str
    values: dict[str, Json]
    deleted: tuple[str, ...] = ()


SystemEvent = (
    WorkflowRegistered
    | WorkflowRemoved
    | AgentRegistered
    | AgentRemoved
    | TrustGranted
    | TrustRevoked
    | TokenCreated
    | TokenRevoked
    | EngineStopped
    | DatabasePruned
    | StateChanged
)
