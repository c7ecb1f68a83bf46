"""The application behind `serve --web`: log in with a token, then the terminal UI in the page.

Rules
- A terminal here can do what one on the engine's machine can (write files, start programs), so it takes a
  token of scope admin; nothing less opens one.
- The token comes in the body of a form and is never in an address. After that a cookie stands for it, and the
  token is looked at again for each terminal, and as long as one is open.
- `Host` is checked on everything, `Origin` on what acts and on the WebSocket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from importlib import resources
from typing import Any
from urllib.parse import parse_qs

from aethermind.api.hosting import Hosting
from aethermind.api.hosts import allowed_host, allowed_origin
from aethermind.api.settings import ServerSettings
from aethermind.api.web import pages
from aethermind.api.web.sessions import Session, Sessions, cookie
from aethermind.api.web.terminals import Terminals
from aethermind.domain.errors import AethermindError, DeniedError
from aethermind.engine.access import TokenRow

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST_FORM = 4_096
WRONG_S = 0.5
"""So long a wrong token waits for its answer."""
AGAIN_S = 15.0
"""So often the token of an open terminal is looked at."""
STATIC = {"/static/js/textual.js": "text/javascript", "/static/css/xterm.css": "text/css"}
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": pages.CONTENT_SECURITY,
}


class Refused(Exception):
    """Answered with this status and nothing more than its line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class Web:
    """An ASGI application."""

    def __init__(
        self,
        engine: Hosting,
        terminals: Terminals,
        *,
        settings: ServerSettings,
        secure: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._terminals = terminals
        self._settings = settings
        self._secure = secure
        self._sessions = Sessions(clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["type"] == "websocket":
            with suppress(asyncio.CancelledError):  # the server ends
                await self._socket(scope, headers, receive, send)
            return
        if scope["type"] != "http":
            return
        try:
            await self._page(scope, headers, receive, send)
        except Refused as refused:
            await _answer(send, refused.status, "text/plain", f"{refused}\n".encode())

    # --- pages ---------------------------------------------------------------------------------

    async def _page(self, scope: Scope, headers: dict[str, str], receive: Receive, send: Send) -> None:
        self._check(scope, headers, acts=scope["method"] != "GET")
        match scope["method"], scope["path"]:
            case "GET", "/":
                await self._begin(headers, send)
            case "GET", path if path in STATIC:
                await _answer(send, 200, STATIC[path], _static(path), {"cache-control": "max-age=3600"})
            case "POST", "/login":
                await self._login(scope, headers, await _form(receive), send)
            case "POST", "/logout":
                self._sessions.close(headers.get("cookie", ""))
                await _see(send, {"set-cookie": cookie("", secure=self._secure, lasts_s=0)})
            case "GET" | "POST", _:
                raise Refused(404, "there is nothing here")
            case _:
                raise Refused(405, "GET and POST only")

    async def _begin(self, headers: dict[str, str], send: Send) -> None:
        session = self._sessions.find(headers.get("cookie", ""))
        if session is None:
            page = pages.login()
        else:
            host = headers["host"]
            page = pages.terminal(f"{'wss' if self._is_secure(host) else 'ws'}://{host}/ws")
        await _answer(send, 200, "text/html; charset=utf-8", page.encode(), {"cache-control": "no-store"})

    async def _login(self, scope: Scope, headers: dict[str, str], form: dict[str, str], send: Send) -> None:
        token = form.get("token", "").strip()
        try:
            row = await self._holder(token)
        except AethermindError as error:
            await asyncio.sleep(WRONG_S)
            await _answer(
                send,
                403,
                "text/html; charset=utf-8",
                pages.login(wrong=error.line()).encode(),
                {"cache-control": "no-store"},
            )
            return
        key = self._sessions.open(token, row.name)
        await _see(send, {"set-cookie": cookie(key, secure=self._is_secure(headers["host"]))})

    def _is_secure(self, host: str) -> bool:
        """Whether the page comes over TLS: ours, or a proxy's that the operator named (`--allow-origin`)."""
        return self._secure or f"https://{host.lower()}" in self._settings.origins

    async def _holder(self, token: str) -> TokenRow:
        """Raises `DeniedError` for a token that is no good, or not good enough."""
        row = await self._engine.ask(lambda client: client.authenticate(token))
        if row.scope != "admin":
            raise DeniedError(f"this token is of scope {row.scope}; a terminal takes one of scope admin")
        return row

    # --- terminals -----------------------------------------------------------------------------

    async def _socket(self, scope: Scope, headers: dict[str, str], receive: Receive, send: Send) -> None:
        await receive()  # the request to connect
        try:
            session = await self._invited(scope, headers)
        except Refused:
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: 403
            return
        await send({"type": "websocket.accept"})
        query = parse_qs(scope["query_string"].decode("latin-1"))
        address = scope["client"][0] if scope.get("client") else "?"
        size = _number(query, "width", 80), _number(query, "height", 24)
        by = f"token {session.name} via {address}"
        serving = asyncio.ensure_future(self._terminals.serve(receive, send, size=size, by=by))
        try:
            while not (await asyncio.wait({serving}, timeout=AGAIN_S))[0]:
                if not await self._still_welcome(session):
                    break
            else:
                serving.result()
                return
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        await send({"type": "websocket.close", "code": 1008, "reason": "the token is not valid any more"})

    async def _still_welcome(self, session: Session) -> bool:
        """Whether its token is good. An engine that is ending says nothing about that."""
        try:
            await self._holder(session.token)
        except DeniedError:
            return False
        except (AethermindError, RuntimeError):
            return True
        return True

    async def _invited(self, scope: Scope, headers: dict[str, str]) -> Session:
        """Raises `Refused`."""
        self._check(scope, headers, acts=True)
        session = self._sessions.find(headers.get("cookie", ""))
        if scope["path"] != "/ws" or session is None:
            raise Refused(403, "log in first")
        try:
            await self._holder(session.token)
        except AethermindError as error:
            self._sessions.close(headers.get("cookie", ""))
            raise Refused(403, error.line()) from None
        return session

    def _check(self, scope: Scope, headers: dict[str, str], *, acts: bool) -> None:
        host = headers.get("host", "")
        if not allowed_host(host, scope.get("server"), self._settings.hosts):
            raise Refused(421, "this server has another name")
        origin = headers.get("origin")
        own = allowed_origin(origin or "", host, secure=self._is_secure(host))
        if (acts or origin is not None) and not own:
            raise Refused(403, "pages of other origins may not do that")


def _static(path: str) -> bytes:
    return (resources.files("textual_serve") / path.lstrip("/")).read_bytes()


def _number(query: dict[str, list[str]], name: str, usual: int) -> int:
    text = query.get(name, [""])[0]
    return min(max(int(text), 1), 1_000) if text.isascii() and text.isdigit() and len(text) < 6 else usual


async def _form(receive: Receive) -> dict[str, str]:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST_FORM or message["type"] == "http.disconnect":
            raise Refused(413, "this is no form of ours")
    return {name: values[0] for name, values in parse_qs(body.decode("latin-1")).items()}


async def _see(send: Send, headers: dict[str, str]) -> None:
    await _answer(send, 303, "text/plain", b"", {"location": "/", "cache-control": "no-store", **headers})


async def _answer(
    send: Send, status: int, media_type: str, body: bytes, further: dict[str, str] | None = None
) -> None:
    told = {
        **ALWAYS,
        "content-type": media_type,
        "content-length": str(len(body)),
        **(further or {}),
    }
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in told.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
