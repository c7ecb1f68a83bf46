"""What `run` and `resume` show while a run goes on: nothing, JSON lines, or plain lines (the live tree is in
`live`). A trace only ever writes from the main thread, to streams that cannot raise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, assert_never

from aethermind import wire
from aethermind.cli import streams, text
from aethermind.domain import events as e
from aethermind.domain.call_states import ToolState
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.domain.tool_views import tool_said, tool_title
from aethermind.engine.client import TokenDelta
from aethermind.infra.sanitize import clean_line

LOGS_A_TURN = 100
"""Log lines printed each time events are fetched; what a flood brings beyond is counted."""
SHOWN_LEVELS = frozenset({"info", "warning", "error"})
SILENCE_S = 10.0
"""After so long without a line, plain mode says how far the run is."""
SPOKEN = {
    "succeeded": "succeeded",
    "failed": "failed",
    "retry_wait": "failed, to be tried again",
    "waiting_answer": "question",
    "waiting_budget": "out of budget",
    "cancelled": "cancelled",
    "lost": "lost",
}
"""Statuses that a line does not name by itself."""
NAMED = 4
"""Steps at work that are named."""


class Trace(Protocol):
    """Shows one run. `run` is always folded up to and including the event."""

    def event(self, recorded: e.Recorded, run: Run) -> None: ...

    def signal(self, delta: TokenDelta) -> None: ...

    def turn(self, run: Run) -> None:
        """After a batch of events, and about four times a second when there are none."""
        ...

    def say(self, message: str) -> None:
        """A remark about the run, for a person."""
        ...

    def notice(self, message: str) -> None:
        """What a person must hear however little is shown: the disk is full, say."""
        ...

    def pause(self, run: Run) -> None:
        """A person is asked now: the terminal belongs to the prompt until the next call."""
        ...

    def close(self, run: Run) -> None:
        """No more events come."""
        ...


class Quiet:
    """`-q`: outputs only."""

    def event(self, recorded: e.Recorded, run: Run) -> None: ...

    def signal(self, delta: TokenDelta) -> None: ...

    def turn(self, run: Run) -> None: ...

    def say(self, message: str) -> None: ...

    def notice(self, message: str) -> None:
        streams.note(clean_line(message))

    def pause(self, run: Run) -> None: ...

    def close(self, run: Run) -> None: ...


class JsonLines(Quiet):
    """`--json`: each newly committed event as one flushed line on stdout."""

    def event(self, recorded: e.Recorded, run: Run) -> None:
        streams.OUT.write(wire.encode_envelope(recorded).decode() + "\n")


class Plain(Quiet):
    """Lines on stderr: when, which step, what happened."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._told_at = now()
        self._unicode = streams.unicode_fits(streams.ERR)
        self._logs = 0
        self._start: int | None = None

    def event(self, recorded: e.Recorded, run: Run) -> None:
        if self._start is None:
            self._start = recorded.at
            if not isinstance(recorded.event, e.RunCreated):
                self.say(f"          {heading(run)}")
        if isinstance(recorded.event, e.LogWritten):
            if recorded.event.level not in SHOWN_LEVELS:
                return
            self._logs += 1
            if self._logs > LOGS_A_TURN:
                return
        told = tell(recorded, run)
        if told is None:
            return
        status, what = told
        if streams.PLAIN.is_set() and (word := SPOKEN.get(status)):
            what = f"{word}: {what}"
        mark = text.glyph(status, unicode=self._unicode) if status else " "
        gap = f" {text.paint(mark, status, streams.ERR)} " if mark and not streams.WORDS.is_set() else "  "
        line = f"{text.took(recorded.at - self._start):>7}{gap}{what}"
        streams.ERR.write(line.rstrip() + "\n", flush=False)
        self._told_at = self._now()

    def turn(self, run: Run) -> None:
        if streams.PLAIN.is_set() and run.version and self._now() - self._told_at >= SILENCE_S:
            self._told_at = self._now()
            self.say(so_far(run))
        if self._logs > LOGS_A_TURN:
            self.say(f"        … {self._logs - LOGS_A_TURN} more log lines: aethermind logs {run.id}")
        self._logs = 0
        streams.ERR.flush()

    def say(self, message: str) -> None:
        streams.note(clean_line(message))

    def pause(self, run: Run) -> None:
        self.turn(run)

    def close(self, run: Run) -> None:
        self.turn(run)


def tell(recorded: e.Recorded, run: Run) -> tuple[str, str] | None:
    """An event as (status for the glyph, harmless text), or None if a person need not hear of it."""
    told = _tell(recorded, run)
    return (told[0], clean_line(told[1])) if told is not None else None


def _tell(recorded: e.Recorded, run: Run) -> tuple[str, str] | None:  # noqa: C901 - one case for each type
    event = recorded.event
    match event:
        case e.RunCreated():
            return "", heading(run)
        case e.RunReopened(steps=steps):
            return "running", f"again from {', '.join(steps)}"
        case e.RunPaused(reason=str(reason)) if reason:
            return "paused", f"paused: {reason}"
        case e.RunPaused():
            return "paused", "paused: nothing new starts"
        case e.RunResumed():
            return "running", "resumed"
        case e.DefinitionAdopted():
            return "running", "the edited definition is used from here on"
        case e.CancelRequested(step=step, reason=reason):
            return "stopping", f"cancelling {step or 'the run'}" + (f": {reason}" if reason else "")
        case e.RunSucceeded() | e.RunFailed() | e.RunCancelled():
            return None  # the closing lines say it
        case e.StepExpanded(step=step, items=items, iteration=iteration):
            if items is not None:
                return "running", f"{step}  {len(items)} items"
            return ("running", f"{step}  round {iteration}") if iteration else None
        case e.StepSkipped(step=step, reason=reason):
            return "skipped", f"{step}  skipped: {reason}"
        case e.AttemptStarted(step=step, attempt=attempt, agent=agent):
            again = f", try {attempt}" if attempt > 1 else ""
            return "running", f"{step}  started{again}" + (f"  {agent}" if agent else "")
        case e.AttemptSucceeded(step=step, saved=saved):
            parts = [step, *_figures(run.nodes[step]), *([f"saved {saved}"] if saved else [])]
            return "succeeded", "  ".join(parts)
        case e.AttemptFailed(step=step, error=error, retry_at=retry_at):
            if retry_at is not None:
                soon = text.took(max(retry_at - recorded.at, 0))
                return "retry_wait", f"{step}  {error.message}; again in {soon}"
            tries = run.nodes[step].tries
            gave_up = f"gave up after {tries} tries: " if tries > 1 else ""
            hint = f" ({error.hint})" if error.hint else ""
            return "failed", f"{step}  {gave_up}{error.message}{hint}"
        case e.AttemptCancelled(step=step, reason=reason):
            return "cancelled", f"{step}  {reason or 'cancelled'}"
        case e.AttemptLost(step=step, resolution=resolution, possibly_billed_twice=twice):
            follows = {"retry": "it is run again", "ask": "somebody has to decide"}.get(
                resolution, resolution
            )
            billed = "; a model call was possibly billed twice" if twice else ""
            return "lost", f"{step}  was under way when the engine stopped: {follows}{billed}"
        case e.CallStarted() | e.CallFinished() | e.CallFailed():
            return None  # the attempt's line sums them up
        case e.ToolStarted(step=step, approved_by=by):
            allowed = f"  allowed by {by}" if by else ""
            return "running", f"{step}  uses {tool_title(_tool_of(event, run))}{allowed}"
        case e.ToolFinished(step=step, is_error=True):
            tool = _tool_of(event, run)
            return "failed", f"{step}  {tool_title(tool)}: {tool_said(tool)}"
        case e.ToolFinished():
            return None
        case e.ToolFailed(step=step, error=error):
            return "failed", f"{step}  {tool_title(_tool_of(event, run))}: {error.message}"
        case e.AskOpened(step=step, message=message):
            return "waiting_answer", f"{step}  asks: {message}"
        case e.AskAnswered(step=step, by=by):
            return "running", f"{step}  answered by {by}"
        case e.AskExpired(step=step, policy=policy):
            return "waiting_answer", f"{step}  was not answered in time: {policy}"
        case e.BudgetHeld(step=step, scope="guard"):
            return "waiting_budget", f"{step}  is held back until the run is resumed"
        case e.BudgetHeld(step=step, scope=scope, needed_micro_usd=needed, available_micro_usd=left):
            whose = "the day's budget" if scope == "day" else "the budget"
            money = text.money(max(left, 0))
            return "waiting_budget", f"{step}  needs {text.money(needed)}, {whose} has {money} left"
        case e.BudgetFreed(step=step, scope=scope):
            return "running", f"{step}  goes on: the budget of the {scope} has room again"
        case e.BudgetRaised(micro_usd=amount):
            return "running", f"the budget is {text.money(amount)} now"
        case e.LogWritten(level=level, message=message, step=step):
            if _is_told(event, run):
                return None
            return "", f"{step or 'run'}  {'' if level == 'info' else level + ': '}{message}"
        case (
            e.WorkflowRegistered()
            | e.WorkflowRemoved()
            | e.AgentRegistered()
            | e.AgentRemoved()
            | e.TrustGranted()
            | e.TrustRevoked()
            | e.TokenCreated()
            | e.TokenRevoked()
            | e.EngineStopped()
            | e.DatabasePruned()
            | e.StateChanged()
        ):
            return None  # of the system, not of a run
        case _:
            assert_never(event)


def _is_told(log: e.LogWritten, run: Run) -> bool:
    """Whether this is a line of the engine's own about what another line of the trace says: a call, or an
    attempt that failed.
    """
    if log.level == "info" and "call" in log.metadata:
        return True
    node = run.nodes.get(log.step or "")
    if node is None or log.attempt is None or "kind" not in log.metadata or log.attempt > len(node.attempts):
        return False
    return node.attempts[log.attempt - 1].error is not None


def so_far(run: Run) -> str:
    """`so far: 3 of 6 steps, 41.2k tokens, $0.4127; running: gather, scrape`."""
    leaves = [node for node in run.walk() if node.mode == "leaf"]
    parts = [f"{sum(node.over for node in leaves)} of {len(leaves)} steps"]
    if run.tally.calls:
        parts.append(f"{text.tokens(run.tally.usage.total_tokens)} tokens")
        parts.append(text.money(run.tally.cost, unpriced=run.tally.unpriced))
    busy = [node.path for node in leaves if node.status == "running"]
    more = f" and {len(busy) - NAMED} more" if len(busy) > NAMED else ""
    at_work = f"; running: {', '.join(busy[:NAMED])}{more}" if busy else ""
    return f"so far: {', '.join(parts)}{at_work}"


def heading(run: Run) -> str:
    """`research-brief  r_8f21  sim  smart → sim:smart`."""
    created = run.created
    models = [f"{name} → {' | '.join(found)}" for name, found in created.models.items() if (name,) != found]
    return "  ".join([created.workflow, run.id, *(["sim"] if created.simulated else []), *models])


def _tool_of(event: e.ToolStarted | e.ToolFinished | e.ToolFailed, run: Run) -> ToolState:
    call = run.nodes[event.step].attempts[event.attempt - 1].calls[event.call - 1]
    return next(tool for tool in call.tools if tool.id == event.tool_call_id)


def _figures(node: Node) -> list[str]:
    attempt = node.attempts[-1]
    found = [text.took((attempt.finished_at or attempt.started_at) - attempt.started_at)]
    if node.tally is not None and node.tally.calls:
        cached = [call for call in attempt.calls if call.cached_from is not None]
        if cached and len(cached) == node.tally.calls:
            return [*found, text.cached(cached)]
        found.append(f"{text.tokens(node.tally.usage.total_tokens)} tok")
        found.append(text.money(node.tally.cost, unpriced=node.tally.unpriced))
        if cached:
            found.append(f"{len(cached)} of {len(attempt.calls)} {text.cached(cached)}")
    return found
