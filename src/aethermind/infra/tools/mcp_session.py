"""One warm connection to one MCP server, for one run. Imports the MCP SDK, which takes seconds: only `mcp.py`
imports this, on a thread, when a server is wanted.

Rules
- The connection lives in a task of its own: the SDK's scopes have to be left in the task that entered them.
- Before each call the server is asked for its tools. That finds a connection that has died (it is made anew,
  once) and a tool that has changed while nothing has been done yet. Not so while another call is under way:
  the connection lives then, and a server that does one thing at a time would not answer.
- A connection that breaks while a tool works leaves open what was done: that is an error, never a retry.
- A server may ask the client for nothing: neither for a model's words nor for a person's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import mcp_types
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from pydantic import ValidationError

from aethermind.domain.errors import CommandError, ToolError
from aethermind.infra.children.dialog import Dialog
from aethermind.infra.secrets import redact
from aethermind.infra.tools.mcp_stdio import MAX_MESSAGE, streams_over
from aethermind.infra.tools.tool import Output, unavailable
from aethermind.infra.tools.waiting import TimedOut, within

Json = Any
T = TypeVar("T")
Open = Callable[[], AbstractAsyncContextManager[Dialog]]

# The SDK logs at the error level what becomes a typed error here; without a handler Python would write that
# on the terminal.
logging.getLogger("mcp").addHandler(logging.NullHandler())

START_SECONDS = 60.0
"""Until a server has said what it is. Some are downloaded first."""
_LIST_SECONDS = 30.0
_LEAVE_SECONDS = 5.0
"""For a server to hear that it is left. One that was started here is then ended."""
_PAGES = 50


@dataclass(frozen=True, slots=True)
class Listed:
    """A tool as its server describes it."""

    name: str
    description: str
    schema: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Answer:
    blocks: list[Any]
    data: Json
    is_error: bool


class Session:
    """`label` names the server for people. Exactly one of `open_dialog` (how its process is started) and
    `url` (with `headers`) is given."""

    def __init__(
        self,
        label: str,
        *,
        version: str,
        open_dialog: Open | None = None,
        url: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._label = label
        self._version = version
        self._open_dialog = open_dialog
        self._url = url
        self._headers = dict(headers or {})
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._leave = asyncio.Event()
        self._status = 0
        """The last HTTP status that was an error."""
        self._closed = False
        self._calls = 0
        """Under way."""
        self._offered: list[Listed] | None = None

    async def tools(self) -> list[Listed]:
        """What the server offers now. Raises `ToolError`."""
        if self._calls and self._offered is not None:
            return self._offered
        self._offered = await self._asked()
        return self._offered

    async def _asked(self) -> list[Listed]:
        client, is_new = await self._connected()
        try:
            return await self._while_alive(within(_LIST_SECONDS, _list(client)))
        except (_Lost, TimedOut, MCPError, ValidationError) as problem:
            await self._drop(client)
            if is_new:
                raise self._unavailable(problem) from problem
        client, _ = await self._connected()
        try:
            return await self._while_alive(within(_LIST_SECONDS, _list(client)))
        except (_Lost, TimedOut, MCPError, ValidationError) as problem:
            await self._drop(client)
            raise self._unavailable(problem) from problem

    async def call(
        self, name: str, arguments: dict[str, Json], seconds: float, on_output: Output | None
    ) -> Answer:
        """Raises `TimedOut` (the server was told to stop) and `ToolError` (what was done is not known)."""
        client, _ = await self._connected()
        request = mcp_types.CallToolRequest(
            params=mcp_types.CallToolRequestParams(name=name, arguments=arguments)
        )

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            if on_output is not None and message:
                on_output(message)

        # Not `client.call_tool`, which matches the answer against patterns of the server's, in this thread.
        work = client.session.send_request(
            request,
            mcp_types.CallToolResult,
            request_read_timeout_seconds=seconds + 5,
            progress_callback=hear,
        )
        self._calls += 1
        try:
            result = await self._while_alive(within(seconds, work))
        except MCPError as problem:
            if self._is_lost(problem):
                await self._drop(client)
                raise self._broken(name) from problem
            return Answer([], None, is_error=True) if not problem.message else _said(problem.message)
        except ValidationError:
            return _said("the server's answer cannot be read")
        except _Lost as problem:
            await self._drop(client)
            raise self._broken(name) from problem
        finally:
            self._calls -= 1
        return Answer(list(result.content), result.structured_content, bool(result.is_error))

    async def close(self) -> None:
        """End the connection, and the server if it was started here. Idempotent."""
        self._closed = True
        async with self._lock:
            await self._end()

    # --- the connection ------------------------------------------------------------------------

    async def _connected(self) -> tuple[Client, bool]:
        """The client, and whether it was connected only now. Raises `ToolError`."""
        async with self._lock:
            if self._closed:
                raise unavailable("cancelled", f"the MCP server {self._label} has been left")
            if self._owner is not None and not self._owner.done() and self._client is not None:
                return self._client, False
            await self._end()
            return await self._connect(), True

    async def _connect(self) -> Client:
        ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._leave = asyncio.Event()
        self._status = 0
        self._owner = asyncio.create_task(self._own(ready, self._leave), name=f"mcp {self._label}")
        try:
            either: set[asyncio.Future[Any]] = {ready, self._owner}
            await asyncio.wait(either, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._owner.cancel()
            await asyncio.wait({self._owner})
            raise
        if ready.done() and not ready.cancelled():
            self._client = ready.result()
            return self._client
        owner = self._owner
        if not owner.done():
            owner.cancel()
            await asyncio.wait({owner})
            raise self._unavailable(TimedOut(START_SECONDS))
        problem = None if owner.cancelled() else owner.exception()
        if isinstance(problem, ToolError):
            raise problem
        raise self._unavailable(problem) from problem

    async def _own(self, ready: asyncio.Future[Client], leave: asyncio.Event) -> None:
        async with self._transport() as transport:
            client = Client(
                transport,
                cache=None,
                read_timeout_seconds=START_SECONDS,
                client_info=mcp_types.Implementation(name="aethermind", version=self._version),
            )
            async with client:
                ready.set_result(client)
                await leave.wait()

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Any]:
        if self._open_dialog is not None:
            try:
                async with self._open_dialog() as dialog:
                    yield streams_over(dialog)
            except CommandError as problem:
                raise unavailable(problem.info.kind, f"MCP: {problem.message}", problem.hint) from problem
            return
        async with httpx2.AsyncClient(
            headers=self._headers,
            timeout=httpx2.Timeout(30.0, read=None),  # how long an answer may take is said for each call
            event_hooks={"response": [self._received]},
        ) as http:
            yield streamable_http_client(self._url, http_client=http)

    async def _received(self, response: httpx2.Response) -> None:
        if response.status_code >= 400:
            self._status = response.status_code
        if isinstance(response.stream, httpx2.AsyncByteStream) and not _is_events(response):
            response.stream = _Limited(response.stream)

    async def _drop(self, client: Client) -> None:
        """This connection is of no use any more; another may have been made meanwhile."""
        async with self._lock:
            if self._client is client:
                await self._end()

    async def _end(self) -> None:
        owner, self._owner, self._client = self._owner, None, None
        if owner is None:
            return
        self._leave.set()
        cancelled = None
        try:
            await asyncio.wait({owner}, timeout=_LEAVE_SECONDS)
        except asyncio.CancelledError as error:
            cancelled = error
        owner.cancel()
        while not owner.done():
            try:
                await asyncio.wait({owner})
            except asyncio.CancelledError as error:
                cancelled = error
        if not owner.cancelled():
            owner.exception()  # it was told, or nobody waits for it
        if cancelled:
            raise cancelled

    async def _while_alive(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`. Raises `_Lost` if the connection ends before; nobody else may notice."""
        owner = self._owner
        task = asyncio.ensure_future(work)
        if owner is None:
            task.cancel()
            raise _Lost
        try:
            either: set[asyncio.Future[Any]] = {task, owner}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await _ended(task)
        if task.cancelled():
            raise _Lost
        error = task.exception()
        if error is not None and not isinstance(error, MCPError | ValidationError | TimedOut):
            raise _Lost from error
        return task.result()

    # --- words ---------------------------------------------------------------------------------

    def _is_lost(self, problem: MCPError) -> bool:
        """Whether this is no answer of the server's. Servers use the SDK's number for a closed connection
        for errors of their own as well."""
        if problem.code != mcp_types.CONNECTION_CLOSED:
            return False
        return bool(self._url) or problem.message == "Connection closed"

    def _unavailable(self, problem: BaseException | None) -> ToolError:
        what = f"the MCP server {self._label}"
        if isinstance(problem, TimedOut):
            return unavailable(
                "timeout", f"{what} did not answer within {problem.seconds:g} s", retryable=True
            )
        if self._status in {401, 403}:
            hint = "is the variable of its `headers` set, and still right?"
            return unavailable("auth", f"{what} refused: {self._status}", hint)
        if self._status:
            return unavailable("server", f"{what} answered {self._status}", retryable=self._status >= 500)
        found = _innermost(problem)
        if isinstance(found, MCPError) and not self._is_lost(found):
            return unavailable("server", f"{what} answered: {found.message}")
        if isinstance(found, ValidationError):
            return unavailable("malformed", f"{what} answered what is not in the protocol")
        if self._open_dialog is not None:
            return unavailable("connection", f"{what} ended", "its last words are in the log", retryable=True)
        reason = redact(str(found)) if found is not None and str(found) else "the connection was lost"
        return unavailable("connection", f"{what} cannot be reached: {reason}", retryable=True)

    def _broken(self, tool: str) -> ToolError:
        message = f"the MCP server {self._label} was lost while {tool} worked: what it did is not known"
        return unavailable("connection", message)


class _Lost(Exception):
    """The connection ended."""


class _Limited(httpx2.AsyncByteStream):
    """A body that may not be larger than a message."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for data in self._stream:
            size += len(data)
            if size > MAX_MESSAGE:
                raise httpx2.StreamError(f"more than {MAX_MESSAGE // 1024 // 1024} MiB")
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _list(client: Client) -> list[Listed]:
    found: list[Listed] = []
    cursor = None
    for _ in range(_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += [Listed(tool.name, tool.description or "", tool.input_schema) for tool in page.tools]
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


def _said(text: str) -> Answer:
    return Answer([mcp_types.TextContent(type="text", text=text)], None, is_error=True)


def _is_events(response: httpx2.Response) -> bool:
    return bool(response.headers.get("content-type", "").lower().startswith("text/event-stream"))


def _innermost(problem: BaseException | None) -> BaseException | None:
    """The first error that is no group of others."""
    while isinstance(problem, BaseExceptionGroup) and problem.exceptions:
        problem = problem.exceptions[0]
    return problem


async def _ended(task: asyncio.Task[Any]) -> None:
    cancelled = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled():
        task.exception()
    if cancelled:
        raise cancelled
