"""The closed union of recorded facts (past tense) and their envelope.

Rules
- An event is immutable and self-sufficient: ids, clock readings and jitter that were drawn in the
  shell are *in* it, so that a replay never draws again.
- Adding a field needs a default; renaming or removing one needs a higher `v` and an upcast in `wire`.
- `step` is a path (`domain.ids`), `attempt` and `call` count from 1, `*_at` are epoch milliseconds.
- Those of no run (agents, workflows, trust, tokens, the engine) are in `domain.system_events`.
"""
# ruff: noqa: PLC0414 - the facts of the system belong to this union, and are named as parts of it
# ruff: noqa: RUF012 - records: msgspec copies a default

from __future__ import annotations

from typing import Literal

import msgspec

from aethermind.domain.errors import ErrorInfo
from aethermind.domain.event import Event as Event
from aethermind.domain.event import Json
from aethermind.domain.system_events import AgentRegistered as AgentRegistered
from aethermind.domain.system_events import AgentRemoved as AgentRemoved
from aethermind.domain.system_events import DatabasePruned as DatabasePruned
from aethermind.domain.system_events import EngineStopped as EngineStopped
from aethermind.domain.system_events import StateChanged as StateChanged
from aethermind.domain.system_events import SystemEvent
from aethermind.domain.system_events import TokenCreated as TokenCreated
from aethermind.domain.system_events import TokenRevoked as TokenRevoked
from aethermind.domain.system_events import TrustGranted as TrustGranted
from aethermind.domain.system_events import TrustRevoked as TrustRevoked
from aethermind.domain.system_events import WorkflowRegistered as WorkflowRegistered
from aethermind.domain.system_events import WorkflowRemoved as WorkflowRemoved
from aethermind.domain.usage import Cost, Usage
from aethermind.domain.workflow import StepKind, WorkflowDef

# --- run ---------------------------------------------------------------------------------------


class Submitter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who asked, and where their commands run. Names of environment variables, never values."""

    user: str
    cwd: str
    interpreter: str
    env_names: tuple[str, ...] = ()
    origin: str = "cli"
    """`cli`, `tui`, `sdk`, `api`."""


class RunCreated(Event, frozen=True, kw_only=True):
    """The whole run as it was asked for: nothing outside this event is needed to resume it."""

    workflow: str
    definition: WorkflowDef
    definition_hash: str
    inputs: dict[str, Json]
    models: dict[str, tuple[str, ...]]
    """What every model name of the definition resolved to: `smart` → (`openai:gpt-…`,)."""
    submitter: Submitter
    priority: int = 0
    simulated: bool = False
    budget_micro_usd: int | None = None
    limit: int | None = None
    """Cap on the items of each fan-out (`--limit`)."""
    fresh: bool = False
    """Every call is sent, whatever `cache` says; the answers are kept for later runs."""
    source: str | None = None
    source_hash: str | None = None
    sim: dict[str, Json] = {}
    """The `.sim.yaml` beside the workflow, as read at submission."""
    tags: dict[str, str] = {}
    forked_from: str | None = None
    adopted: dict[str, Json] = {}
    """Of a fork: root steps that are taken as done, at no cost, with their outputs."""
    by: str = ""
    """Who asked for it, where that is somebody else than the submitter."""


class RunReopened(Event, frozen=True, kw_only=True):
    steps: tuple[str, ...]
    generation: int
    by: str = ""


class RunPaused(Event, frozen=True, kw_only=True):
    by: str = ""
    """A person; `guard`; or `engine`, which lacks a variable that a step takes."""
    reason: str = ""


class RunResumed(Event, frozen=True, kw_only=True):
    by: str = ""


class DefinitionAdopted(Event, frozen=True, kw_only=True):
    definition: WorkflowDef
    definition_hash: str
    kept: tuple[str, ...]
    by: str = ""
    source_hash: str | None = None
    env_names: tuple[str, ...] = ()
    """Variables that the edited definition takes besides those of before."""
    models: dict[str, tuple[str, ...]] = {}
    """What its new model names resolved to."""


class CancelRequested(Event, frozen=True, kw_only=True):
    """`step` None cancels the run, else that step or branch."""

    step: str | None = None
    by: str = ""
    reason: str = ""


class RunSucceeded(Event, frozen=True, kw_only=True):
    outputs: Json


class RunFailed(Event, frozen=True, kw_only=True):
    error: ErrorInfo
    step: str | None = None
    """The step that failed it, if one did."""


class RunCancelled(Event, frozen=True, kw_only=True):
    reason: str = ""


# --- steps -------------------------------------------------------------------------------------


class StepExpanded(Event, frozen=True, kw_only=True):
    """A step's condition held and it unfolds. Which fields are set tells into what:

    `items` a fan-out over these (with their digests) · `iteration` the next round of a repeat
    · `done` the repeat or sub-workflow ended · none of them: a group opens, or a leaf may start.
    """

    step: str
    items: tuple[Json, ...] | None = None
    digests: tuple[str, ...] = ()
    iteration: int | None = None
    not_before: int | None = None
    """The round may not start earlier (epoch ms; `every` of a repeat)."""
    done: bool = False
    inputs: dict[str, Json] | None = None
    """A sub-workflow opens with these."""
    outputs: Json = None
    """With `done`: what a sub-workflow gives."""


class StepSkipped(Event, frozen=True, kw_only=True):
    step: str
    reason: str


# --- attempts ----------------------------------------------------------------------------------


class AttemptStarted(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    kind: StepKind
    agent: str | None = None


class AttemptSucceeded(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    output: Json
    result: Json = None
    """Side facts shown as `steps.X.result` (a command's stdout, stderr, exit_code)."""
    saved: str | None = None
    """The file that `save` wrote, relative to the cwd."""


class AttemptFailed(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    error: ErrorInfo
    retry_at: int | None = None
    """When the next attempt is due (epoch ms); None: the step has failed."""


class AttemptCancelled(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    reason: str = ""


class AttemptLost(Event, frozen=True, kw_only=True):
    """The process that ran it died. `resolution` says what follows."""

    step: str
    attempt: int
    resolution: Literal["retry", "ask", "fail", "skip"]
    possibly_billed_twice: bool = False


# --- calls of models and tools -----------------------------------------------------------------


class CallStarted(Event, frozen=True, kw_only=True):
    """The intent, committed before a byte leaves, with its reservation."""

    step: str
    attempt: int
    call: int
    key: str
    """hash(run, step, iteration, call number): the same for every attempt at the same call."""
    provider: str
    model: str
    request: Json
    """What is sent: {"system": str, "messages": [{"role", "content"}], "settings": {…}, "tools": […]}. With
    `continues: {"attempt", "call"}` it has only the messages that come after that call and its answer."""
    agent: str | None = None
    reserved_micro_usd: int | None = None
    digest: str = ""
    """Of all that was asked, whom, and how, in a conversation with tools: a later attempt that asks the same
    takes the recorded answer."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The call that an answer was taken from: the seq of its `CallFinished`."""

    run: str
    seq: int


class CallFinished(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    call: int
    usage: Usage | None
    """None when the provider did not say."""
    cost: Cost
    text: str
    finish: str
    reasoning: str = ""
    response_id: str | None = None
    response_model: str | None = None
    first_token_ms: int | None = None
    content_key: str | None = None
    """Under this digest of what was sent the answer may be used again (`cache`)."""
    cached_from: Origin | None = None
    """Nothing was sent: this is that call's answer, at no cost."""
    tool_calls: tuple[Json, ...] = ()
    """What the model wants done before it goes on: `{"id", "name", "arguments"}` each, ids unique. Arguments
    that were no JSON are the text as it came."""
    carry: Json = None
    """What the provider wants back with this answer (`engine.ports.Finished`)."""


class CallFailed(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    call: int
    error: ErrorInfo
    usage: Usage | None = None
    cost: Cost | None = None
    """None: refused before anything was generated, so not billed. A Cost without an amount: it may have
    been billed, nobody knows how much."""
    text: str = ""
    """What had streamed before it failed, for display only."""


class ToolStarted(Event, frozen=True, kw_only=True):
    """The intent, committed before anything is done. `attempt` and `call` are those of the model call that
    asked for it, which may be of an earlier attempt; its `tool_calls` hold the arguments."""

    step: str
    attempt: int
    call: int
    tool_call_id: str
    tool: str
    arguments: Json = None
    """None: as the call has them."""
    effect: str = ""
    """`pure`, `read`, `write`, `command`, `network`: what it means if nobody sees how it ended."""
    pin: str = ""
    """Digest of the tool: name, description, schema, effect."""
    digest: str = ""
    """SHA-256 of tool, pin, exact arguments, directory, and what they rest on."""
    approved_by: str | None = None
    """Who was asked about exactly this. None: nobody, its agent may use it so."""


class ToolFinished(Event, frozen=True, kw_only=True):
    step: str
    attempt: int
    call: int
    tool_call_id: str
    result: Json
    """The text that goes back to the model: harmless, cut, without secrets; never to be trusted."""
    is_error: bool = False
    """It says what went wrong."""
    truncated: bool = False


class ToolFailed(Event, frozen=True, kw_only=True):
    """It could not be done, or must not be (then it was never started). The model is told."""

    step: str
    attempt: int
    call: int
    tool_call_id: str
    error: ErrorInfo
    digest: str = ""
    """Of a call that a person rejected."""


# --- questions and budgets ---------------------------------------------------------------------


class AskOpened(Event, frozen=True, kw_only=True):
    """A question to a person. `about` tells why: the step's own `ask`, an attempt in doubt, or a tool that is
    not to be used unasked. The last ends its attempt; the next one goes on from what is recorded."""

    step: str
    attempt: int
    about: Literal["ask", "in_doubt", "tool"]
    message: str
    fields: dict[str, dict[str, Json]] = {}
    show: str | None = None
    """What the decision is about, for reading."""
    expires_at: int | None = None
    digest: str = ""
    """Of the tool call (`ToolStarted.digest`): the decision is about just this, once."""


class AskAnswered(Event, frozen=True, kw_only=True):
    step: str
    values: dict[str, Json]
    by: str


class AskExpired(Event, frozen=True, kw_only=True):
    """Nobody answered in time. What `policy` (fail, skip, default) means is recorded with it."""

    step: str
    policy: str


class BudgetHeld(Event, frozen=True, kw_only=True):
    """A call was refused because it could overshoot; its attempt ends and the step waits.

    `scope`: `run` until the run's budget is raised or has room again · `day` likewise, or until the next UTC
    day · `guard` until the run, paused by the guard or for want of a variable, is resumed (no amounts).
    """

    step: str
    attempt: int
    scope: str
    needed_micro_usd: int
    available_micro_usd: int


class BudgetFreed(Event, frozen=True, kw_only=True):
    """A step that the budget of `scope` held goes on: there is room for it now."""

    step: str
    scope: str


class BudgetRaised(Event, frozen=True, kw_only=True):
    """A budget was set. In a run's stream its own (`run`); in the stream `system` that of all real or all
    simulated runs on one UTC day (`day/2026-11-22`, `day:sim/2026-11-22`), instead of the configured one."""

    scope: str
    micro_usd: int
    by: str = ""


# --- logs: recorded, but never folded by the state machine --------------------------------------

LogLevel = Literal["debug", "info", "warning", "error"]


class LogWritten(Event, frozen=True, kw_only=True):
    """A log record. It takes a global seq but no stream version."""

    level: LogLevel
    message: str
    step: str | None = None
    attempt: int | None = None
    agent: str | None = None
    metadata: dict[str, Json] = {}


RunEvent = (
    RunCreated
    | RunReopened
    | RunPaused
    | RunResumed
    | DefinitionAdopted
    | CancelRequested
    | RunSucceeded
    | RunFailed
    | RunCancelled
    | StepExpanded
    | StepSkipped
    | AttemptStarted
    | AttemptSucceeded
    | AttemptFailed
    | AttemptCancelled
    | AttemptLost
    | CallStarted
    | CallFinished
    | CallFailed
    | ToolStarted
    | ToolFinished
    | ToolFailed
    | AskOpened
    | AskAnswered
    | AskExpired
    | BudgetHeld
    | BudgetFreed
    | BudgetRaised
)
AnyEvent = RunEvent | SystemEvent | LogWritten


class Reserve(msgspec.Struct, frozen=True):
    """A condition on a draft: it is recorded only if so much more fits into the ledger `scope` (`day` or
    `day:sim`) of the UTC day of its `at`: spent + at most + reserved + `micro_usd` ≤ the day's cap, which is
    `cap` unless another one was set for that day."""

    scope: str
    micro_usd: int
    cap: int


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An event about to be appended. Events of `LogWritten` carry no stream version."""

    stream: str
    at: int
    event: AnyEvent
    reserve: Reserve | None = None


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """The envelope of a committed event. `seq` is global and never reused.

    `version` counts from 1 in its stream; 0 for logs. `at` is epoch milliseconds.
    """

    seq: int
    stream: str
    version: int
    at: int
    event: AnyEvent

    @property
    def type(self) -> str:
        return type(self.event).__name__
