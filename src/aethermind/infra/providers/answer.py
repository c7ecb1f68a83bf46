"""What a reader gathers of one answer, whatever its wire format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from aethermind.domain.usage import Usage
from aethermind.engine.ports import Finished, ToolCallRequested
from aethermind.infra.providers.toolwire import Block, Call, Said, Talk, carry_of, settle

Reason = Literal["stop", "length", "tool_calls", "content_filter", "refusal"]


class Answer:
    """The state of a reader (`conversation.Reader`), and how it ends. `order` holds what came, in order; it
    is told as a carry if anything in it can be read by the vendor alone."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.reason: Reason | None = None
        """Set by the terminal marker."""
        self.refused = False
        self.usage: Usage | None = None
        self.id: str | None = None
        self.model: str | None = None
        self.begun = False
        """Something of the answer has come, though nothing may be complete yet."""
        self.order: list[Call | Said | Block] = []
        self.fields: dict[str, str] = {}
        self.warnings: list[str] = []

    @property
    def ended(self) -> bool:
        return self.reason is not None

    def call(self, call: Call) -> Call:
        """One more call has begun."""
        self.begun = True
        self.order.append(call)
        return call

    def said(self, text: str) -> None:
        """One more piece of text."""
        if not self.order or not isinstance(self.order[-1], Said):
            self.order.append(Said())
        last = self.order[-1]
        assert isinstance(last, Said)
        last.size += len(text)

    def requested(self) -> list[ToolCallRequested]:
        """The calls, once the answer has ended. Of an answer that was cut the readable ones: the last may
        have been cut within its arguments."""
        calls = [part for part in self.order if isinstance(part, Call)]
        if self.reason not in {"stop", "tool_calls"}:
            whole = [call for call in calls if isinstance(call.arguments, dict)]
            self.order = [part for part in self.order if not isinstance(part, Call) or part in whole]
            calls = whole
        return list(settle(calls, self._talk))

    def finish(self, calls: Iterable[Any] = ()) -> Finished:
        """`calls`: what `requested` gave."""
        reason: Reason = self.reason or "stop"
        carry = None
        if list(calls):
            reason = "tool_calls" if reason == "stop" else reason
            carry = carry_of(self._talk, self.order, self.fields)
        elif self.refused and reason == "stop":
            reason = "refusal"
        return Finished(
            reason=reason,
            usage=self.usage,
            response_id=self.id,
            model=self.model,
            warnings=tuple(self.warnings),
            carry=carry,
        )
