"""A synchronous stand-in for the shell: carries out a run's plan with outcomes drawn by the test.

Every event goes through the codec before it is applied, and the invariants are checked after each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aethermind import wire
from aethermind.domain import invariants
from aethermind.domain import retry as retrying
from aethermind.domain.commands import Expand, Expire, Finish, Room, Skip, Start, Stop, Wake
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.events import (
    AnyEvent,
    AttemptCancelled,
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    DefinitionAdopted,
    Recorded,
    RunCancelled,
    RunCreated,
    RunFailed,
    RunReopened,
    RunSucceeded,
    StepExpanded,
    StepSkipped,
    Submitter,
)
from aethermind.domain.plan import plan
from aethermind.domain.run import Run, fold
from aethermind.domain.state import Node
from aethermind.domain.workflow import WorkflowDef

ME = Submitter(user="test", cwd="/", interpreter="python")


def created(definition: WorkflowDef, **fields: Any) -> RunCreated:
    return RunCreated(
        workflow=definition.name,
        definition=definition,
        definition_hash=wire.digest(definition),
        inputs={},
        models={},
        submitter=ME,
        **fields,
    )


class Driver:
    """Drives one run. `choose(kind, node)` draws an outcome: see `_expand` and `_finish_attempt`."""

    def __init__(
        self, definition: WorkflowDef, choose: Callable[[str, Node], Any], *, limit: int = 4
    ) -> None:
        self.run = Run("r_test")
        self.history: list[Recorded] = []
        self.choose = choose
        self.limit = limit
        self.now = 1_000
        self.running: dict[str, int] = {}
        self.emit(created(definition))

    def emit(self, event: AnyEvent) -> None:
        self.now += 1
        version = len(self.history) + 1
        recorded = Recorded(version, "run/r_test", version, self.now, event)
        recorded = wire.decode_envelope(wire.encode_envelope(recorded))
        self.history.append(recorded)
        before = invariants.statuses(self.run)
        self.run.fold(recorded)
        invariants.check(self.run)
        if not isinstance(event, DefinitionAdopted | RunReopened):
            invariants.check_changes(before, self.run)

    def step(self) -> bool:
        """Carry out what is due, then end one running attempt. False when nothing is left to do."""
        for command in plan(self.run, self.now, Room(self._room())):
            match command:
                case Expand(step=path):
                    self._expand(self.run.node(path))
                case Skip(step=path, reason=reason):
                    self.emit(StepSkipped(step=path, reason=reason))
                case Start(step=path, attempt=n):
                    self._start(path, n)
                case Stop(step=path, attempt=n):
                    del self.running[path]
                    self.emit(AttemptCancelled(step=path, attempt=n))
                case Finish(status="succeeded"):
                    self.emit(RunSucceeded(outputs={}))
                case Finish(status="failed"):
                    error = self.run.root.error or ErrorInfo(kind="internal", message="?")
                    self.emit(RunFailed(error=error, step=self.run.root.reason))
                case Finish():
                    self.emit(RunCancelled())
                case Wake() | Expire():
                    pass  # the timers are looked at below, when nothing else is left
        if self.run.finished is not None:
            return False
        if self.running:
            chosen = self.choose("next", self.run.root) if len(self.running) > 1 else 0
            self._finish_attempt(list(self.running)[chosen % len(self.running)])
            return True
        if self.run.exhausted:
            return True
        if (self.run.todo or self.run.ready) and not self.run.paused:
            return True
        if self.run.timers and not self.run.paused:
            self.now = max(self.now, self.run.timers[0][0])
            return True
        return False

    def drive(self, *, steps: int = 5_000) -> Run:
        for _ in range(steps):
            if not self.step():
                return self.run
        raise AssertionError(f"the run does not end: {self.run.status} {list(self.run.nodes.values())}")

    def _room(self) -> int:
        return self.limit - sum(not self.run.nodes[p].step.inline for p in self.running)

    def _start(self, path: str, n: int) -> None:
        # an event earlier in this batch may have taken the command back
        node = self.run.node(path)
        if node.status not in {"ready", "retry_wait"} or self.run.finished:
            return
        self.emit(AttemptStarted(step=path, attempt=n, kind=node.step.kind, agent=node.agent))
        self.running[path] = n
        assert sum(not self.run.nodes[p].step.inline for p in self.running) <= self.limit

    def _expand(self, node: Node) -> None:
        if node.path not in self.run.todo:
            return
        outermost = node.index is None and node.iteration is None and not node.children
        if outermost and node.step.when is not None and not self.choose("when", node):
            self.emit(StepSkipped(step=node.path, reason="when is false"))
            return
        match node.mode:
            case "fan_out":
                items = tuple(range(self.choose("items", node)))
                self.emit(StepExpanded(step=node.path, items=items, digests=tuple(map(str, items))))
            case "loop":
                rounds = len(node.children)
                assert node.step.repeat is not None
                if rounds and (rounds >= node.step.repeat.max or self.choose("until", node)):
                    self.emit(StepExpanded(step=node.path, done=True))
                else:
                    wait = self.now + node.step.repeat.every_ms if rounds else None
                    self.emit(StepExpanded(step=node.path, iteration=rounds + 1, not_before=wait))
            case _ if node.encloses and node.status == "running":
                self.emit(StepExpanded(step=node.path, done=True, outputs={"from": node.path}))
            case _:
                self.emit(StepExpanded(step=node.path, inputs={} if node.encloses else None))

    def _finish_attempt(self, path: str) -> None:
        n = self.running.pop(path)
        node = self.run.node(path)
        outcome = self.choose("outcome", node)
        if outcome == "ok":
            self.emit(AttemptSucceeded(step=path, attempt=n, output={"path": path}))
            return
        error = ErrorInfo(kind="exception", message="boom", retryable=outcome == "retryable")
        due = retrying.retry_at(node.step.retry, node.tries, error, now=self.now, jitter=0.5)
        self.emit(AttemptFailed(step=path, attempt=n, error=error, retry_at=due))

    def replayed(self) -> Run:
        return fold(self.run.id, self.history)


def picture(run: Run) -> dict[str, Any]:
    """Everything that must be equal after a replay."""
    return {
        "status": run.status,
        "nodes": {
            p: (
                n.status,
                n.output,
                n.live,
                n.remaining,
                n.blockers,
                len(n.attempts),
                n.started_at,
                n.finished_at,
            )
            for p, n in run.nodes.items()
        },
        "ready": {lane: sorted(b) for lane, b in run.ready.items()},
        "todo": sorted(run.todo),
        "stops": sorted(run.stops),
        "counts": {k: v for k, v in run.counts.items() if v},
        "version": run.version,
        "tally": (run.tally.usage, run.tally.cost, run.tally.calls),
    }
