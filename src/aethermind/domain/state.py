"""The state of a run: a tree of nodes, their attempts and calls. Data and small questions, no rules.

A *node* is one step in one place: the static step, an item of a fan-out, a round of a repeat. A
*container* is a node with children. `mode` says what a node is:

    leaf      runs attempts
    fan_out   children are items                 sections → sections[0], sections[1]
    loop      children are rounds                polish → polish#1, polish#2
    group     children are the steps of a group  polish#1 → polish#1/text, polish#1/judge

The root of a run is a group with the path "".
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from aethermind.domain.call_states import CallState
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.usage import NO_USAGE, Cost, Usage
from aethermind.domain.workflow import Group, StepDef, SubWorkflow

Json = Any
Mode = Literal["leaf", "fan_out", "loop", "group"]
StepStatus = Literal[
    "pending",
    "ready",
    "running",
    "retry_wait",
    "waiting_answer",
    "waiting_budget",
    "in_doubt",
    "succeeded",
    "failed",
    "skipped",
    "cancelled",
]
RunStatus = Literal[
    "queued",
    "running",
    "paused",
    "waiting_answer",
    "waiting_budget",
    "parked",
    "interrupted",
    "stopping",
    "succeeded",
    "failed",
    "cancelled",
]
AttemptStatus = Literal["running", "succeeded", "failed", "cancelled", "lost"]

FREE = "="
"""The lane of steps that are evaluated on the spot and need no slot; no agent can have this name."""
TERMINAL: frozenset[str] = frozenset({"succeeded", "failed", "skipped", "cancelled"})
LIVE: frozenset[str] = frozenset({"running", "retry_wait"})
"""A leaf in one of these still has work of its own ahead, even in a run that is failing."""
WAITING: frozenset[str] = frozenset({"in_doubt", "waiting_answer", "retry_wait"})
"""What these wait for decides when they go on; nothing else does."""
FINISHED_RUN: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})

TRANSITIONS: dict[str, frozenset[str]] = {
    "pending": frozenset({"ready", "running", "skipped", "failed", "cancelled"}),
    "ready": frozenset({"pending", "running", "skipped", "failed", "cancelled"}),
    "running": frozenset(
        {"succeeded", "failed", "cancelled", "retry_wait", "waiting_answer", "waiting_budget"}
        | {"in_doubt", "ready", "skipped"}
    ),
    "retry_wait": frozenset({"ready", "running", "failed", "cancelled"}),
    "waiting_answer": frozenset({"ready", "succeeded", "failed", "skipped", "cancelled"}),
    "waiting_budget": frozenset({"ready", "failed", "cancelled"}),
    "in_doubt": frozenset({"ready", "failed", "skipped", "cancelled"}),
    "succeeded": frozenset(),
    "failed": frozenset(),
    "skipped": frozenset(),
    "cancelled": frozenset(),
}
"""Allowed changes of a leaf's status within one generation (`invariants.check_changes` looks at each); a
retry of a finished run starts anew."""


class Tally:
    """Tokens and money of a node, an agent or a run, its sub-tree included.

    `cost` is the sum of priced calls in micro-USD, None while there is none. `at_most` is what calls may have
    cost on top whose end nobody saw, or whose amount nobody knows: their reservations.
    """

    __slots__ = ("at_most", "calls", "cost", "in_flight", "reserved", "saved", "unpriced", "usage")

    def __init__(self) -> None:
        self.usage: Usage = NO_USAGE
        self.cost: int | None = None
        self.calls = 0
        self.unpriced = 0
        self.in_flight = 0
        self.reserved = 0
        self.at_most = 0
        self.saved = 0

    def open(self, reserved: int | None) -> None:
        self.calls += 1
        self.in_flight += 1
        self.reserved += reserved or 0

    def settle(self, reserved: int | None, usage: Usage | None, cost: Cost | None) -> None:
        """Close a call; `cost` None means that it cost nothing that we know of and was not billed."""
        self.in_flight -= 1
        self.reserved -= reserved or 0
        if usage is not None:
            self.usage = self.usage + usage
        if cost is None:
            return
        if cost.bounded:
            self.at_most += reserved or 0
        elif cost.micro_usd is None:
            self.unpriced += 1
        else:
            self.cost = (self.cost or 0) + cost.micro_usd
            self.saved += cost.saved_micro_usd

    def lose(self, reserved: int | None) -> None:
        """A call whose end nobody saw: it may have been billed."""
        self.in_flight -= 1
        self.reserved -= reserved or 0
        self.at_most += reserved or 0


class Holding(msgspec.Struct, frozen=True):
    """What a step that waits for a budget waits for: `needed` micro-USD in `scope`, since (epoch ms)."""

    scope: str
    needed: int
    since: int


class AttemptState(msgspec.Struct, eq=False, gc=False):
    """One try at a leaf. There are as many as steps, so it is a record that the garbage collector does not
    look at (nothing below it refers back to it)."""

    n: int
    started_at: int
    status: AttemptStatus = "running"
    finished_at: int | None = None
    error: ErrorInfo | None = None
    retry_at: int | None = None
    billed_twice: bool = False
    calls: tuple[CallState, ...] = ()


_NO_NODES: list[Node] = []
"""Shared by all that have none (leaves have no children, most nodes no attempt yet): never changed. A run
has mostly leaves, and what it allocates is what the garbage collector has to look at."""
_NO_NAMES: dict[str, Node] = {}
_NO_ATTEMPTS: list[AttemptState] = []


class Decision(msgspec.Struct, frozen=True):
    """What a person said to one tool call."""

    approved: bool
    note: str
    by: str


_NO_DECISIONS: dict[str, Decision] = {}


class Node:
    """One step in one place. See the module's docstring for `mode`."""

    __slots__ = (
        "agent",
        "always",
        "attempts",
        "blockers",
        "by_id",
        "cancelled",
        "children",
        "decisions",
        "dependents",
        "digest",
        "due_at",
        "error",
        "failing",
        "finished_at",
        "index",
        "inputs",
        "item",
        "iteration",
        "journal",
        "lane",
        "live",
        "mode",
        "output",
        "parent",
        "path",
        "question",
        "reason",
        "remaining",
        "result",
        "saved",
        "started_at",
        "status",
        "step",
        "tally",
        "tries",
        "waiting",
    )

    def __init__(self, path: str, step: StepDef, parent: Node | None, mode: Mode) -> None:
        self.path = path
        self.step = step
        self.parent = parent
        self.mode: Mode = mode
        self.status: StepStatus = "pending"
        self.agent: str | None = None
        self.lane = ""
        """The agent's name if that agent has a limit of its own; FREE if it needs no slot."""
        self.always = False
        """Runs at the end, whatever happened; only steps of the root can."""
        self.blockers = 0
        """Dependencies that are not over yet."""
        self.dependents: list[Node] = _NO_NODES
        leaf = mode == "leaf"
        self.children: list[Node] = _NO_NODES if leaf else []
        self.by_id: dict[str, Node] = _NO_NAMES if leaf else {}
        """A group's steps by id."""
        self.waiting: list[Node] = _NO_NODES if leaf else []
        """A fan-out's items that `max_parallel` holds back, last one first."""
        self.remaining = 0
        """Children that are not over."""
        self.live = 0
        """Leaves below (or this one) that are LIVE."""
        self.failing = False
        """Nothing new starts in here; what runs may finish."""
        self.cancelled = False
        self.item: Json = None
        self.index: int | None = None
        self.inputs: dict[str, Json] | None = None
        """Of a sub-workflow that is open."""
        self.iteration: int | None = None
        self.digest: str | None = None
        self.attempts: list[AttemptState] = _NO_ATTEMPTS
        self.tries = 0
        """Attempts of this generation that count against `max_attempts`."""
        self.journal = 0
        """So many attempts are past: what the later ones were answered, the next one goes on from."""
        self.decisions: dict[str, Decision] = _NO_DECISIONS
        """By the digest of a tool call: what was decided about it and not carried out yet."""
        self.due_at: int | None = None
        self.output: Json = None
        self.result: Json = None
        self.error: ErrorInfo | None = None
        self.reason: str | None = None
        self.saved: str | None = None
        self.started_at: int | None = None
        self.finished_at: int | None = None
        self.tally: Tally | None = None
        self.question: Question | None = None

    @property
    def encloses(self) -> bool:
        """A sub-workflow: its steps see its inputs and each other, and nothing outside."""
        return self.mode == "group" and isinstance(self.step.action, SubWorkflow)

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    def followed_by(self, other: Node) -> None:
        """`other` depends on this one."""
        if self.dependents is _NO_NODES:
            self.dependents = []
        self.dependents.append(other)

    def tried(self, n: int, at: int) -> None:
        """Attempt `n` starts."""
        if self.attempts is _NO_ATTEMPTS:
            self.attempts = []
        self.attempts.append(AttemptState(n, at))
        self.tries += 1

    def decided(self, digest: str, decision: Decision) -> None:
        if self.decisions is _NO_DECISIONS:
            self.decisions = {}
        self.decisions[digest] = decision

    def start_anew(self) -> None:
        """The next attempt begins from nothing."""
        self.journal = len(self.attempts)
        self.decisions = _NO_DECISIONS

    def __repr__(self) -> str:
        return f"<{self.path or 'run'} {self.mode} {self.status}>"


class Question:
    """What a node asks a person: its own `ask`, what to do with an attempt in doubt, or whether a tool may be
    used just so."""

    __slots__ = (
        "about",
        "asked_at",
        "by",
        "digest",
        "expired",
        "expires_at",
        "fields",
        "message",
        "show",
        "values",
    )

    def __init__(
        self,
        about: str,
        message: str,
        fields: dict[str, dict[str, Json]],
        at: int,
        *,
        show: str | None = None,
        expires_at: int | None = None,
        digest: str = "",
    ) -> None:
        self.about = about
        self.digest = digest
        """Of the tool call that is asked about."""
        self.message = message
        self.fields = fields
        self.show = show
        self.asked_at = at
        self.expires_at = expires_at
        self.expired = False
        self.values: dict[str, Json] | None = None
        self.by: str | None = None


class AgentState:
    """What one agent is doing in one run."""

    __slots__ = ("attempts", "failed", "last_error", "model", "name", "running", "step", "tally")

    def __init__(self, name: str) -> None:
        self.name = name
        self.model: str | None = None
        self.running = 0
        self.attempts = 0
        self.failed = 0
        self.step: str | None = None
        """The step it started last."""
        self.last_error: str | None = None
        self.tally = Tally()


def mode_of(step: StepDef, *, item: bool = False, round_: bool = False) -> Mode:
    """What a node of this step unfolds into next: fan-out, then repeat, then group or leaf."""
    if step.for_each is not None and not item and not round_:
        return "fan_out"
    if step.repeat is not None and not round_:
        return "loop"
    return "group" if isinstance(step.action, (Group, SubWorkflow)) else "leaf"
