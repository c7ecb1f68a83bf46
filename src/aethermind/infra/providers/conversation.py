"""The one loop that reads a model's stream.

Rules
- An adapter gives two things: a coroutine that opens the stream (and refuses, before any byte is sent,
  what the API cannot take), and a `Reader` that turns the vendor's
  events into ours. The reader does no I/O and knows no time, so that each wire format can be tested alone.
- A call succeeds only if the reader saw the terminal marker: a clean end of the connection proves nothing,
  both vendors' SDKs end a truncated stream without an error.
- Once the marker was seen the answer is complete and paid for. What goes wrong afterwards (a drop, garbage,
  a peer that keeps the line open) costs at most the usage, never the answer.
- Deadlines are not held across a `yield`: a slow consumer is not the peer's fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Protocol

from aethermind.domain.errors import ProviderError
from aethermind.domain.usage import Usage
from aethermind.engine.ports import ChatEvent, Finished, ToolCallRequested
from aethermind.infra.providers.deadlines import Deadlines
from aethermind.infra.providers.failures import (
    Deadline,
    Peer,
    Wall,
    WireError,
    explain,
    malformed,
    missed_deadline,
    no_stream,
    truncated,
)


class Reader(Protocol):
    """One wire format. `feed` may raise anything on garbage, and `WireError` for what the peer reports."""

    @property
    def ended(self) -> bool:
        """The terminal marker was seen."""
        ...

    @property
    def begun(self) -> bool:
        """The peer answers, though no event may have come of it yet: a tool's arguments come in pieces."""
        ...

    def feed(self, event: Any) -> Iterable[ChatEvent]: ...

    def requested(self) -> list[ToolCallRequested]:
        """The calls of tools, in order. Called once, after the marker."""
        ...

    def finish(self, calls: list[ToolCallRequested]) -> Finished:
        """Called once, after `requested`, with what it gave."""
        ...


class Stream(Protocol):
    """What the SDKs return, and what `ollama.py` builds: an iterator over a response."""

    @property
    def response(self) -> Any: ...

    def __aiter__(self) -> AsyncIterator[Any]: ...

    async def close(self) -> None: ...


async def converse(
    connect: Callable[[], Awaitable[Stream]],
    reader: Reader,
    peer: Peer,
    deadlines: Deadlines,
    *,
    wall: Wall = time.time,
) -> AsyncGenerator[ChatEvent]:
    """Open, read, close. Yields deltas and last `Finished`, or raises `ProviderError`."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    total = start + deadlines.total_ms / 1_000
    first = start + deadlines.first_token_ms / 1_000
    which: Deadline = "first_token" if first < total else "total"
    stream: Stream | None = None
    document = ""
    seen = 0
    answered = False

    def blame(error: Exception, scope: asyncio.Timeout, which: Deadline, *, opening: bool) -> ProviderError:
        if isinstance(error, TimeoutError) and scope.expired():
            limit: int = getattr(deadlines, f"{which}_ms")
            return missed_deadline(peer, which, limit)
        if document and not answered and not isinstance(error, WireError | ProviderError):
            return no_stream(peer, document)
        return explain(peer, error, opening=opening, wall=wall)

    try:
        scope = asyncio.timeout_at(min(first, total))
        try:
            async with scope:
                stream = await connect()
        except ProviderError:
            raise
        except Exception as error:
            raise blame(error, scope, which, opening=stream is None) from error
        document = _document(stream)
        events = aiter(stream)
        while True:
            limit, which = min(first, total), "first_token" if first < total else "total"
            if reader.ended:
                limit = loop.time() + deadlines.tail_ms / 1_000
            elif answered:
                idle = loop.time() + deadlines.idle_ms / 1_000
                limit, which = min(idle, total), "idle" if idle < total else "total"
            scope = asyncio.timeout_at(limit)
            try:
                async with scope:
                    event = await anext(events)
                fresh = list(reader.feed(event))
            except StopAsyncIteration:
                break
            except Exception as error:
                if reader.ended:
                    break
                raise blame(error, scope, which, opening=stream is None) from error
            seen += 1
            answered = answered or bool(fresh) or reader.begun
            for item in fresh:
                yield item
        if not reader.ended and document and not answered:
            raise no_stream(peer, document)
        if not reader.ended:
            raise truncated(peer, events=seen)
        calls = reader.requested()
        finished = reader.finish(calls)
        if finished.reason == "tool_calls" and not calls:
            raise malformed(peer, "it says that it calls a tool, and calls none")
        for call in calls:
            yield call
        yield finished
    finally:
        if stream is not None:
            # The answer or its error is what counts; a close that fails changes neither.
            with contextlib.suppress(Exception):
                await stream.close()


def usage_of(
    *,
    input_tokens: object,
    cached: object = 0,
    written: object = 0,
    output_tokens: object,
    reasoning: object = 0,
) -> Usage | None:
    """Inclusive totals as a vendor gave them → `Usage`, or None if it did not say. Subsets never exceed
    their total, whatever a compatible server makes up."""
    whole_input, whole_output = _count(input_tokens), _count(output_tokens)
    if whole_input is None or whole_output is None:
        return None
    from_cache = min(_count(cached) or 0, whole_input)
    return Usage(
        input_tokens=whole_input,
        cached_input_tokens=from_cache,
        cache_write_tokens=min(_count(written) or 0, whole_input - from_cache),
        output_tokens=whole_output,
        reasoning_tokens=min(_count(reasoning) or 0, whole_output),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def text_or_none(value: object) -> str | None:
    """A field that should be text. Raises `TypeError` for anything else but null."""
    if value is None or isinstance(value, str):
        return value
    raise TypeError(f"text expected, got {type(value).__name__}")


def _document(stream: Stream) -> str:
    """The content type of a response that is probably a page or a document; `""` for what may be a stream.
    Some servers send a good stream under a wrong name, so it is read all the same."""
    headers = getattr(stream.response, "headers", {})
    content_type = str(headers.get("content-type") or "").lower()
    documents = ("text/html", "application/json", "application/xhtml")
    return content_type if content_type.startswith(documents) else ""
