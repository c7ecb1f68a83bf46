"""What calls in flight have streamed: texts, and how many tokens that is about. Pure; O(depth) each."""

from __future__ import annotations

from collections.abc import Iterable

from aethermind.domain import events as e
from aethermind.domain.run import Run
from aethermind.engine.client import TokenDelta
from aethermind.engine.queries import Partial

CHARS_PER_TOKEN = 4
"""Near enough for a number that is shown with a `~` and replaced by the real one."""
KEEP = 200_000
"""Characters of a call's text that are held; the rest is in the store once the call is over."""


class Stream:
    __slots__ = ("chars", "parts", "reasoning_chars")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.chars = 0
        self.reasoning_chars = 0

    @property
    def text(self) -> str:
        if len(self.parts) > 1:
            self.parts = ["".join(self.parts)]
        return self.parts[0] if self.parts else ""


class Streams:
    """By (step, attempt, call). The tokens of a step include those of what is below it; "" is the run."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, int, int], Stream] = {}
        self._chars: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def text(self, step: str, attempt: int, call: int) -> str:
        stream = self._calls.get((step, attempt, call))
        return stream.text if stream is not None else ""

    def tokens(self, path: str) -> int:
        chars = self._chars.get(path, 0)
        return max(chars // CHARS_PER_TOKEN, 1) if chars else 0

    def call_tokens(self, step: str, attempt: int, call: int) -> int:
        stream = self._calls.get((step, attempt, call))
        chars = stream.chars + stream.reasoning_chars if stream is not None else 0
        return max(chars // CHARS_PER_TOKEN, 1) if chars else 0

    def add(self, run: Run, delta: TokenDelta) -> int:
        """Take in a delta; returns its characters. One of a call that is not in flight is dropped."""
        key = (delta.step, delta.attempt, delta.call)
        stream = self._calls.get(key)
        if stream is None:
            if not _in_flight(run, *key):
                return 0
            stream = self._calls[key] = Stream()
        return self._grow(run, delta.step, stream, delta.text, delta.offset, reasoning=delta.reasoning)

    def load(self, run: Run, partials: Iterable[Partial]) -> None:
        """What had streamed before somebody looked."""
        for partial in partials:
            key = (partial.step, partial.attempt, partial.call)
            if not _in_flight(run, *key):
                continue
            stream = self._calls.setdefault(key, Stream())
            self._grow(run, partial.step, stream, partial.reasoning, 0, reasoning=True)
            self._grow(run, partial.step, stream, partial.text, 0, reasoning=False)

    def _grow(self, run: Run, step: str, stream: Stream, text: str, offset: int, *, reasoning: bool) -> int:
        have = stream.reasoning_chars if reasoning else stream.chars
        fresh = text[max(have - offset, 0) :] if offset < have else text
        if not fresh:
            return 0
        if offset > have and not reasoning:
            stream.parts.append(" … ")  # signals were dropped
        gained = len(fresh) + max(offset - have, 0)
        if reasoning:
            stream.reasoning_chars += gained
        else:
            if stream.chars < KEEP:
                stream.parts.append(fresh)
            stream.chars += gained
        self._count(run, step, gained)
        return gained

    def _count(self, run: Run, step: str, chars: int) -> None:
        node = run.nodes.get(step)
        while node is not None:
            left = self._chars.get(node.path, 0) + chars
            if left > 0:
                self._chars[node.path] = left
            else:
                self._chars.pop(node.path, None)
            node = node.parent

    def close(self, run: Run, event: e.AnyEvent) -> int:
        """A call is over, or a whole attempt; returns the characters that no longer count."""
        match event:
            case e.CallFinished() | e.CallFailed():
                keys = [(event.step, event.attempt, event.call)]
            case e.AttemptSucceeded() | e.AttemptFailed() | e.AttemptCancelled() | e.AttemptLost():
                if not self._calls:
                    return 0
                keys = [key for key in self._calls if key[:2] == (event.step, event.attempt)]
            case _:
                return 0
        gone = 0
        for key in keys:
            stream = self._calls.pop(key, None)
            if stream is not None:
                chars = stream.chars + stream.reasoning_chars
                self._count(run, key[0], -chars)
                gone += chars
        return gone


def _in_flight(run: Run, step: str, attempt: int, call: int) -> bool:
    node = run.nodes.get(step)
    if node is None or not 0 < attempt <= len(node.attempts):
        return False
    calls = node.attempts[attempt - 1].calls
    return 0 < call <= len(calls) and calls[call - 1].status == "running"


class Rate:
    """Tokens that came out, by second: what the sparkline and the burn rate are made of."""

    def __init__(self) -> None:
        self._by_second: dict[int, int] = {}

    def add(self, at: int, tokens: int) -> None:
        second = at // 1000
        self._by_second[second] = self._by_second.get(second, 0) + tokens

    def spread(self, start: int, end: int, tokens: int) -> None:
        """Tokens of a call of which only begin and end are known."""
        first, last = start // 1000, max(end // 1000, start // 1000)
        step = max((last - first) // 60, 1)
        seconds = range(first, last + 1, step)
        for second in seconds:
            self._by_second[second] = self._by_second.get(second, 0) + tokens // len(seconds)

    def buckets(self, start: int, end: int, count: int) -> list[int]:
        """Sums over `count` equal stretches of [start, end]."""
        found = [0] * count
        first = start // 1000
        span = max(end // 1000 - first + 1, count)
        if span > 4 * len(self._by_second):
            for second, tokens in self._by_second.items():
                at = (second - first) * count // span
                if 0 <= at < count:
                    found[at] += tokens
            return found
        for n in range(span):
            tokens = self._by_second.get(first + n, 0)
            if tokens:
                found[n * count // span] += tokens
        return found


def rate_of(run: Run) -> Rate:
    """The rate of what is over, from its calls."""
    rate = Rate()
    for node in run.nodes.values():
        for attempt in node.attempts:
            for call in attempt.calls:
                if call.usage is not None and call.finished_at is not None:
                    rate.spread(call.started_at, call.finished_at, call.usage.output_tokens)
    return rate
