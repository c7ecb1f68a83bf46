"""Bodies of requests. Unknown fields are refused; times are ISO 8601, money is as the field is named."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec

from aethermind.domain.system_events import Scope
from aethermind.domain.workflow import WorkflowDef

Json = Any
Text = Annotated[str, msgspec.Meta(max_length=4_096)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Micro = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Dollars = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Priority = Annotated[int, msgspec.Meta(ge=-1_000, le=1_000)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Cancel(Body, frozen=True, kw_only=True):
    step: Text | None = None
    reason: Text = ""


class Pause(Body, frozen=True, kw_only=True):
    pass


class Resume(Body, frozen=True, kw_only=True):
    """`env`: values of the variables that the run takes; held in memory only."""

    env: dict[str, str] | None = None


class Retry(Body, frozen=True, kw_only=True):
    steps: list[Text] = []
    env: dict[str, str] | None = None


class Edited(Body, frozen=True, kw_only=True):
    definition: WorkflowDef


class ResumeEdited(Body, frozen=True, kw_only=True):
    definition: WorkflowDef
    env: dict[str, str] | None = None
    source_hash: str | None = None
    env_names: list[str] = []


class Fork(Body, frozen=True, kw_only=True):
    at: Text
    definition: WorkflowDef | None = None
    inputs: dict[str, Json] | None = None
    outputs: dict[str, Json] | None = None
    model: Text | None = None
    budget_micro_usd: Micro | None = None
    env: dict[str, str] | None = None


class Answer(Body, frozen=True, kw_only=True):
    """`values`: the question's fields; of an approval `{"approved": true}`."""

    step: Text
    values: dict[str, Json]


class Budget(Body, frozen=True, kw_only=True):
    micro_usd: Micro


class DayBudget(Body, frozen=True, kw_only=True):
    micro_usd: Micro
    simulated: bool = False


class Trust(Body, frozen=True, kw_only=True):
    path: Text
    sha256: str | None = None


class Execute(Body, frozen=True, kw_only=True):
    """A run of a workflow that the engine knows. `cwd`: where its commands run; only an admin chooses."""

    cwd: Text | None = None
    inputs: dict[str, Json] = {}
    sim: bool = False
    model: Text | None = None
    budget_usd: Dollars | None = None
    priority: Priority | None = None
    limit: Count | None = None


class ExecuteAgent(Body, frozen=True, kw_only=True):
    """A run of one agent: it is prompted with a text, with `inputs.prompt`, or with the JSON of `inputs`."""

    inputs: Json = None
    sim: bool = False
    model: Text | None = None
    budget_usd: Dollars | None = None
    priority: Priority | None = None


class RunText(Body, frozen=True, kw_only=True):
    """A run of a workflow that is sent along, as the text of its file."""

    text: str
    name: Name = "workflow"
    cwd: Text | None = None
    """Where on the engine's machine its commands run; null: in the home of its user."""
    inputs: dict[str, Json] = {}
    sim: bool = False
    model: Text | None = None
    budget_usd: Dollars | None = None
    priority: Priority | None = None
    limit: Count | None = None


class WorkflowText(Body, frozen=True, kw_only=True):
    """A workflow as the text of its file."""

    text: str


class NewToken(Body, frozen=True, kw_only=True):
    name: Name
    scope: Scope = "viewer"
    expires_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """With its offset from UTC: nobody is to guess whose midnight is meant."""
