"""Carries out the tool calls that a model asks for, one answer at a time.

Rules
- What is recorded as done is not done again: its recorded result is what the model is told.
- `ToolStarted` is on disk before anything happens; how it ended is recorded at once.
- A tool that is not to be used unasked ends the attempt with a question, bound to a digest of the tool, its
  exact arguments, the directory and what they rest on (the file that would be replaced). A decision is good
  for just that, once.
- Calls that change nothing run side by side; others one after the other, in the order of the answer.
- A tool that goes wrong is told to the model, which may try something else. Only a tool that is not what it
  was any more fails the attempt.
"""

from __future__ import annotations

import asyncio
import hashlib
from itertools import groupby
from typing import Any

from aethermind import failpoints, wire
from aethermind.domain.call_states import ToolState
from aethermind.domain.errors import AethermindError, ErrorInfo, ToolError, ToolRefused
from aethermind.domain.events import (
    AnyEvent,
    AskOpened,
    LogWritten,
    ToolFailed,
    ToolFinished,
    ToolStarted,
)
from aethermind.domain.journal import QUIET
from aethermind.domain.run import Run
from aethermind.engine.calls import Calls
from aethermind.engine.live import Note
from aethermind.engine.ports import Message
from aethermind.engine.reply import Reply
from aethermind.engine.toolbox import Toolbox, ToolSpec

Json = Any
FIELDS: dict[str, dict[str, Json]] = {
    "approved": {"type": "boolean"},
    "note": {"type": ["string", "null"], "description": "what the model is told with a no"},
}
LOST = ErrorInfo(
    kind="lost", message="the engine stopped while this was under way: whether it was done is not known"
)
LINE_CHARS = 4_000


class NeedsApproval(AethermindError):
    """A person has to decide first: the attempt ends with this question."""

    def __init__(self, question: AskOpened) -> None:
        super().__init__(question.message)
        self.question = question


class ToolLoop:
    """The tools of one conversation."""

    def __init__(self, calls: Calls, toolbox: Toolbox) -> None:
        self._calls = calls
        self._toolbox = toolbox
        self._specs = {spec.name: spec for spec in toolbox.specs}

    async def carry_out(self, reply: Reply) -> list[Message]:
        """What the model is told, in the order in which it asked. Raises `NeedsApproval`, `ToolError`."""
        told: list[Message] = []
        for quiet, group in groupby(reply.tool_calls, key=self._is_quiet):
            if quiet:
                told += await _side_by_side([self._one(reply, wanted) for wanted in group])
            else:
                for wanted in group:
                    told.append(await self._one(reply, wanted))
        return told

    def _is_quiet(self, wanted: Json) -> bool:
        spec = self._specs.get(wanted["name"])
        return spec is not None and spec.effect in QUIET and spec.approve == "always"

    async def _one(self, reply: Reply, wanted: Json) -> Message:
        before = self._recorded(reply, wanted["id"])
        if before is not None and before.status in {"succeeded", "failed"}:
            error = before.error
            return (
                _told(wanted, str(before.result), before.is_error)
                if error is None
                else _failed(wanted, error)
            )
        call = _ToolCall(self._calls, reply, wanted)
        if before is not None and before.effect not in QUIET and before.doubt != "retry":
            return call.failed(LOST)
        name, arguments = wanted["name"], wanted["arguments"]
        spec = self._specs.get(name)
        basis, approved_by = "", None
        digest = self._digest(call, spec, "") if spec is not None else ""
        if spec is None or spec.approve != "always":
            try:
                preview = await self._toolbox.preview(name, arguments)
            except ToolRefused as refusal:
                return call.failed(refusal.info)
            assert spec is not None, "a tool that is not there is refused"
            basis = preview.basis
            digest = self._digest(call, spec, basis)
            decision = self._calls.node.decisions.get(digest)
            if decision is not None and not decision.approved:
                note = f": {decision.note}" if decision.note else ""
                text = f"{decision.by or 'a person'} did not allow this{note}"
                return call.failed(ErrorInfo(kind="rejected", message=text), digest=digest)
            if decision is not None:
                approved_by = decision.by
            elif before is None or before.doubt != "retry":
                raise NeedsApproval(call.question(preview.title, preview.text, digest))
            else:  # who said that it is to be run again was shown it
                approved_by = before.by
        await call.start(spec, digest, approved_by)
        return await self._act(call, name, arguments, basis)

    async def _act(self, call: _ToolCall, name: str, arguments: Json, basis: str) -> Message:
        live = self._calls.live
        try:
            output = await self._toolbox.call(name, arguments, basis=basis, on_output=call.wrote)
        except asyncio.CancelledError:
            # If the engine leaves, it is as if it had died: whoever resumes the run decides.
            if not live.interrupted and not live.dropped:
                call.failed(ErrorInfo(kind="cancelled", message="stopped before it had ended"))
            raise
        except ToolRefused as refusal:
            return call.failed(refusal.info)
        except ToolError as error:
            message = call.failed(error.info)
            if error.info.kind == "bad_request":  # it is not the tool that was agreed to
                raise
            return message
        if failpoints.armed:
            failpoints.reached("tool.result")
        return await call.finished(output.text, is_error=output.is_error, truncated=output.truncated)

    def _recorded(self, reply: Reply, tool_call_id: str) -> ToolState | None:
        attempts = self._calls.node.attempts
        calls = attempts[reply.attempt - 1].calls
        if len(calls) < reply.call:
            return None
        return next((t for t in calls[reply.call - 1].tools if t.id == tool_call_id), None)

    def _digest(self, call: _ToolCall, spec: ToolSpec, basis: str) -> str:
        """SHA-256 of what a decision is about."""
        cwd = self._calls.live.run.created.submitter.cwd
        exact = [spec.name, spec.pin, call.wanted["arguments"], cwd, basis, call.place]
        return hashlib.sha256(wire.canonical(exact)).hexdigest()


class _ToolCall:
    """One tool call: what of it is recorded, and how it is told to the model."""

    __slots__ = ("_calls", "_lines", "_reply", "wanted")

    def __init__(self, calls: Calls, reply: Reply, wanted: Json) -> None:
        self._calls = calls
        self._reply = reply
        self.wanted = wanted

    @property
    def place(self) -> list[Json]:
        return [self._calls.node.path, self._reply.attempt, self._reply.call, self.wanted["id"]]

    @property
    def _where(self) -> dict[str, Json]:
        step, attempt, call, id_ = self.place
        return {"step": step, "attempt": attempt, "call": call, "tool_call_id": id_}

    def question(self, title: str, text: str, digest: str) -> AskOpened:
        node = self._calls.node
        return AskOpened(
            step=node.path,
            attempt=self._calls.attempt,
            about="tool",
            message=f"{node.agent or node.path} wants to {title}",
            fields=FIELDS,
            show=text or None,
            digest=digest,
        )

    async def start(self, spec: ToolSpec, digest: str, approved_by: str | None) -> None:
        """Record the intent. Raises `ProviderError` if the attempt is over."""
        event = ToolStarted(
            **self._where,
            tool=spec.name,
            effect=spec.effect,
            pin=spec.pin,
            digest=digest,
            approved_by=approved_by,
        )

        def decide(run: Run) -> list[AnyEvent]:
            self._calls.check_running(run)
            return [event]

        await self._calls.record(decide)

    async def finished(self, text: str, *, is_error: bool, truncated: bool) -> Message:
        """Record the end, on disk when this returns: were it one commit with the next tool's intent, a death
        between the two would leave that one in doubt."""
        event = self._calls.services.veil.conceal(
            ToolFinished(**self._where, result=wire.recordable(text), is_error=is_error, truncated=truncated)
        )
        assert isinstance(event, ToolFinished)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._calls.live.post(Note((event,), done))
        await done
        return _told(self.wanted, event.result, is_error)

    def failed(self, error: ErrorInfo, *, digest: str = "") -> Message:
        scrub = self._calls.scrub
        told = ErrorInfo(
            kind=error.kind,
            message=scrub(error.message),
            hint=scrub(error.hint) if error.hint else None,
            detail=scrub(error.detail) if error.detail else None,
        )
        event = self._calls.services.veil.conceal(ToolFailed(**self._where, error=told, digest=digest))
        assert isinstance(event, ToolFailed)
        self._calls.live.post(Note((event,)))
        return _failed(self.wanted, event.error)

    def wrote(self, line: str) -> None:
        """What a program says while it runs, for the log."""
        calls = self._calls
        for part in line.splitlines():
            event = LogWritten(
                level="info",
                message=wire.recordable(part[:LINE_CHARS]),
                step=calls.node.path,
                attempt=calls.attempt,
                agent=calls.node.agent,
                metadata={"tool": self.wanted["name"]},
            )
            calls.live.post(Note((event,)))


def _failed(wanted: Json, error: ErrorInfo) -> Message:
    return _told(wanted, f"{error.message} ({error.hint})" if error.hint else error.message, is_error=True)


def _told(wanted: Json, text: str, is_error: bool) -> Message:
    return Message(role="tool", content=text, tool_call_id=wanted["id"], is_error=is_error)


async def _side_by_side(work: list[Any]) -> list[Message]:
    """All of it, in order. If one fails, the others are stopped first."""
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
