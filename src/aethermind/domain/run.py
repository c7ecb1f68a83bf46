"""A run as a pure state machine: events in, state out.

    apply(event, at)      change the state by one recorded fact
    plan(run, now, room)  what is due now (module `plan`), a function of the state alone

Rules
- One owner: `apply` changes its run in place. Clients fold copies of their own from the same events.
- Nothing here draws a clock, a random number or an id: all of it is in the events.
- Crash recovery is "fold the log, plan": there is no other path.
- `apply` and `plan` are O(changed), never O(steps) (reopening a finished run excepted).
- An event that does not fit the state is a defect of the caller and raises `StateError` with the
  step's story.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from aethermind.domain import events as e
from aethermind.domain import progress
from aethermind.domain.commands import Command
from aethermind.domain.errors import ErrorInfo, StateError
from aethermind.domain.state import AgentState, AttemptState, Holding, Node, RunStatus, Tally
from aethermind.domain.transitions import HANDLERS
from aethermind.domain.workflow import Group, StepDef, SubWorkflow, WorkflowDef

Json = Any
_ROOT = StepDef(id="run", action=Group(steps=()))
"""Of every run's root: what is in it is in the definition."""


class Run:
    """The state of one run. Made by `RunCreated`; see `domain.state` for the tree."""

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self.created: e.RunCreated = None  # type: ignore[assignment]  # set by the first event
        self.definition: WorkflowDef = None  # type: ignore[assignment]  # set by the first event
        self.source_hash: str | None = None
        """Of the file that the definition came from, as it was read last."""
        self.models: dict[str, tuple[str, ...]] = {}
        """What every model name resolved to, those of an edited definition included."""
        self.env_names: tuple[str, ...] = ()
        """Environment variables that its steps take."""
        self.created_at = 0
        self.started_at: int | None = None
        self.finished_at: int | None = None
        self.seq = 0
        """The seq of the last recorded event folded (`fold`)."""
        self.version = 0
        """How many events of the stream were applied."""
        self.generation = 1
        self.root = Node("", _ROOT, None, "group")
        self.nodes: dict[str, Node] = {}
        self.retired: dict[str, tuple[list[AttemptState], Tally | None]] = {}
        """Path → attempts and costs of a node that a retry took out of the tree."""
        self.always: list[Node] = []
        self.always_open = 0
        self.limited: frozenset[str] = frozenset()
        """Agents that have a limit of their own."""
        self.counts: dict[str, int] = {}
        """Leaves by status."""
        self.ready: dict[str, dict[str, Node]] = {}
        """Lane (a limited agent's name, else "") → path → ready leaf, in order."""
        self.todo: dict[str, Command] = {}
        """Expand and Skip commands that are due."""
        self.stops: dict[str, Node] = {}
        """Running leaves that were asked to stop."""
        self.timers: list[tuple[int, str]] = []
        """Heap of (due at, path): retries and rounds that wait for their time."""
        self.paused = False
        self.cancelling = False
        self.closing = False
        """The ordinary steps are over; `always` steps run now."""
        self.settled: Literal["succeeded", "failed", "cancelled"] | None = None
        """How it will end, once nothing is left to do."""
        self.finished: RunStatus | None = None
        self.outputs: Json = None
        self.error: ErrorInfo | None = None
        self.error_step: str | None = None
        self.tally = Tally()
        self.agents: dict[str, AgentState] = {}
        self.budget_micro_usd: int | None = None
        self.held: dict[str, Holding] = {}
        """Path → what it waits for, of steps that a budget (or the guard) holds back. An entry whose node is
        not `waiting_budget` any more means nothing."""
        self.pause: e.RunPaused | None = None
        """Who paused it and why, while it is paused."""
        self.guarded = 0
        """How often the guard paused it."""
        self.cancel_reason = ""

    # --- questions -----------------------------------------------------------------------------

    @property
    def status(self) -> RunStatus:
        """What the run is doing, seen from inside (`interrupted` is for who knows that no engine lives)."""
        if self.finished is not None:
            return self.finished
        if self.cancelling:
            return "stopping"
        if self.paused:
            return "paused"
        counts = self.counts
        if self.root.live or self.ready or self.todo:
            return "running" if self.started_at is not None else "queued"
        if counts.get("in_doubt"):
            return "parked"
        if counts.get("waiting_budget"):
            return "waiting_budget"
        if counts.get("waiting_answer"):
            return "waiting_answer"
        return "running" if self.started_at is not None else "queued"

    @property
    def outcome(self) -> Literal["running", "succeeded", "failed", "cancelled"]:
        """`run.status` as an `always` step sees it."""
        if self.settled is not None:
            return self.settled
        return "failed" if self.root.failing else "running"

    def node(self, path: str) -> Node:
        try:
            return self.nodes[path]
        except KeyError:
            raise StateError(f"run {self.id} has no step {path!r}") from None

    def definition_for(self, node: Node) -> WorkflowDef:
        """The workflow that this step belongs to: the sub-workflow around it, or the run's own."""
        up = node.parent
        while up is not None:
            if up.encloses and isinstance(up.step.action, SubWorkflow):
                return up.step.action.workflow
            up = up.parent
        return self.definition

    def walk(self) -> Iterable[Node]:
        """All nodes, parents before children, in the order of their making."""
        stack = list(reversed(self.root.children))
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    # --- folding -------------------------------------------------------------------------------

    def fold(self, recorded: e.Recorded) -> None:
        """Apply a committed event (a client's copy). Logs only move `seq`."""
        self.seq = recorded.seq
        if not isinstance(recorded.event, e.LogWritten):
            self.apply(recorded.event, recorded.at)

    def apply(self, event: e.AnyEvent, at: int) -> None:
        handler = HANDLERS.get(type(event))
        if handler is None:
            raise StateError(f"{type(event).__name__} is no event of a run")
        handler(self, event, at)
        self.version += 1

    def close(self, at: int) -> None:
        """The ordinary steps are over: start the `always` steps, or be ready to finish."""
        if self.finished is not None:
            return
        if not self.closing:
            self.closing = True
            self.settled = self.verdict()
            if not self.cancelling:
                for node in self.always:
                    if not node.blockers and not node.over:
                        progress.release(self, node, at)

    def verdict(self) -> Literal["succeeded", "failed", "cancelled"]:
        if self.cancelling:
            return "cancelled"
        return "failed" if self.root.failing else "succeeded"

    @property
    def exhausted(self) -> bool:
        """Nothing is left but to record how it ended."""
        if self.finished is not None or not self.closing or self.root.live:
            return False
        return self.cancelling or not self.always_open or self._always_stuck()

    def _always_stuck(self) -> bool:
        """An `always` step failed and what waited for it can't start any more."""
        return not self.ready and not self.todo and not self.timers and not self._asks_open()

    def _asks_open(self) -> bool:
        counts = self.counts
        return bool(counts.get("in_doubt") or counts.get("waiting_answer") or counts.get("waiting_budget"))


def fold(run_id: str, history: Iterable[e.Recorded]) -> Run:
    """The run that these recorded events (one stream, in order) tell of."""
    run = Run(run_id)
    for recorded in history:
        run.fold(recorded)
    return run
