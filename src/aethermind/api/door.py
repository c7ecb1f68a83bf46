"""The door: what is settled about a request before any route sees it, for HTTP and WebSocket alike.

    Host ─► Origin ─► (preflight) ─► who ─► rate ─► size ─► JSON? how deep? ─► Idempotency-Key ─► route

Rules
- On TCP every request needs a token, `GET /api/health` excepted; on the unix socket the peer's uid was
  looked at when it connected.
- A WebSocket is refused before it is accepted, with the same answers.
- A body is read here, whole and bounded: routes get it in one piece or not at all.
"""

from __future__ import annotations

import asyncio
import re
import traceback
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from email.utils import formatdate
from typing import Any, Literal
from urllib.parse import parse_qs

import msgspec

from aethermind.api import problems
from aethermind.api.hosts import allowed_host, allowed_origin
from aethermind.api.idempotency import Idempotency
from aethermind.api.identity import Identity, bearer, local
from aethermind.api.problems import Refused
from aethermind.api.room import Room
from aethermind.domain.errors import AethermindError, DeniedError

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]
Kind = Literal["unix", "tcp"]

OPEN = ("GET", "/api/health")
"""The one request that needs no token."""
DEEPEST = 100
"""Levels of JSON."""
SECRETS = frozenset({"/api/tokens", "/api/ws-ticket"})
"""What is answered here is shown once, and not kept for a repetition."""
BODY_S = 30.0
"""So long the next piece of a body may take."""
SWALLOWED = 64 << 20
"""Bytes of a body that is too large which are still read and thrown away: who is still sending when the line
is closed never reads the answer."""

ALWAYS = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
}
ACTING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
METHODS = "GET, POST, PUT, DELETE"
EXPOSED = "RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After"
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


class Door:
    """The application of one listener."""

    def __init__(self, room: Room, kind: Kind, app: App, stream: App, *, secure: bool = False) -> None:
        self._room = room
        self._kind = kind
        self._app = app
        self._stream = stream
        """`/ws`."""
        self._idempotency = Idempotency(room)
        self._always = dict(ALWAYS)
        if secure:
            self._always["strict-transport-security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)

    # --- HTTP ----------------------------------------------------------------------------------

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        use, extra, began = self._room.use, dict(self._always), False
        health, known = (scope["method"], scope["path"]) == OPEN, False
        use.requests += 1

        async def answer(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                use.count(scope["method"], message["status"])
                extra["date"] = formatdate(usegmt=True)
                message["headers"] = [*_without(message.get("headers", ()), extra), *_raw(extra)]
            await send(message)

        try:
            headers = _headers(scope)
            self._check_place(scope, headers, extra)
            if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
                await _plain(answer, 204)
                return
            if not (health and self._kind == "tcp"):
                identity = await self._identify(scope, headers)
                scope.setdefault("state", {})["identity"] = identity
                known = not health
                self._pace(identity, extra)
            body = await self._body(scope, headers, receive)
            whole = _once(body, receive)
            if scope["method"] in ACTING and "idempotency-key" in headers and scope["path"] not in SECRETS:
                key = headers["idempotency-key"]
                await self._idempotency.answer(self._routed, key, body, scope, whole, answer)
            else:
                await self._routed(scope, whole, answer)
        except Exception as error:  # noqa: BLE001 - the last place that can answer at all
            if not began:
                await self._fail(scope, answer, error)
        except asyncio.CancelledError:
            return  # the server ends
        finally:
            use.requests -= 1
            if known:  # who is not let in keeps no engine from its rest
                use.touch()

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application; what it raises is an answer, too."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            await self._fail(scope, send, error)

    async def _fail(self, scope: Scope, send: Send, error: Exception) -> None:
        if not isinstance(error, (Refused, AethermindError)):
            told = "".join(traceback.format_exception(error))
            self._room.complain(f"{scope['method']} {scope['path']}\n{told}")
        headers = error.headers if isinstance(error, Refused) else {}
        found = problems.problem_of(error)
        await _plain(send, found["status"], problems.encoded(found), headers)

    def _check_place(self, scope: Scope, headers: dict[str, str], extra: dict[str, str]) -> None:
        """Whether it was sent to us, and from where a page may. Raises `Refused`."""
        secure = scope["scheme"] in {"https", "wss"}
        if self._kind == "tcp" and not allowed_host(
            headers.get("host", ""), scope.get("server"), self._room.settings.hosts
        ):
            raise Refused(
                421,
                f"this server is not {headers.get('host', '')!r}",
                hint="[server] hosts in config.toml names those that it answers for",
            )
        origin = headers.get("origin")
        if origin is None:
            return
        foreign = origin in self._room.settings.origins
        own = self._kind == "tcp" and allowed_origin(origin, headers.get("host", ""), secure=secure)
        if not (foreign or own):
            raise Refused(
                403,
                f"pages of {origin} may not call this API",
                hint="[server] origins in config.toml names those that may",
            )
        if foreign:
            extra |= {
                "access-control-allow-origin": origin,
                "access-control-allow-methods": METHODS,
                "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key",
                "access-control-expose-headers": EXPOSED,
                "access-control-max-age": "600",
                "cross-origin-resource-policy": "cross-origin",
                "vary": "Origin",
            }

    async def _identify(self, scope: Scope, headers: dict[str, str]) -> Identity:
        """Raises `Refused`."""
        if self._kind == "unix":
            return local(self._room.user, headers.get("x-aethermind-by", ""))
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorized("a token is needed: Authorization: Bearer …")
        try:
            row = await self._room.ask(lambda client: client.authenticate(token.strip()))
        except DeniedError as error:
            raise _unauthorized(error.message) from None
        address = scope["client"][0] if scope.get("client") else "?"
        return bearer(row.name, row.scope, row.id, address)

    def _pace(self, identity: Identity, extra: dict[str, str]) -> None:
        if identity.token_id is None or not self._room.settings.rate_limit:
            return
        room = self._room
        rate = room.attached_rate if room.attached[identity.token_id] else room.rate
        verdict = rate.ask(identity.token_id)
        extra |= verdict.headers()
        if not verdict.allowed:
            raise Refused(429, f"more than {verdict.limit} requests", hint=f"again in {verdict.reset_s} s")

    async def _body(self, scope: Scope, headers: dict[str, str], receive: Receive) -> bytes:
        """Raises `Refused`."""
        local_ = self._kind == "unix"
        most = self._room.settings.max_local_body if local_ else self._room.settings.max_body
        pieces: list[bytes] = []
        size, more = 0, True
        while more:
            try:
                message = await asyncio.wait_for(receive(), BODY_S)
            except TimeoutError:
                raise Refused(408, "the rest of the body did not come") from None
            if message["type"] == "http.disconnect":
                raise Refused(400, "the line was closed within the body")
            piece = message.get("body", b"")
            size += len(piece)
            more = message.get("more_body", False)
            if size <= most:
                pieces.append(piece)
            elif size > SWALLOWED:
                break
            else:
                pieces.clear()
        if size > most:
            raise Refused(413, f"more than {most} bytes", headers={"connection": "close"})
        body = b"".join(pieces)
        if scope["method"] in ACTING:
            _check_json(headers, body)
        return body

    # --- WebSocket -----------------------------------------------------------------------------

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        room, extra = self._room, dict(self._always)
        try:
            await receive()  # the request to connect
            headers = _headers(scope)
            self._check_place(scope, headers, extra)
            if scope["path"] != "/ws":
                raise Refused(404, f"there is no WebSocket at {scope['path']}", hint="/ws")
            identity = await self._invited(scope, headers)
            self._pace(identity, extra)
            scope.setdefault("state", {})["identity"] = identity
        except Exception as error:  # noqa: BLE001 - whatever it is: it is not let in
            if not isinstance(error, (Refused, AethermindError)):
                room.complain(f"WebSocket {scope['path']}\n{traceback.format_exc()}")
            elif isinstance(error, Refused):
                extra |= error.headers
            await _refuse(send, error, extra)
            return
        room.use.touch()
        room.use.watchers += 1
        try:
            await self._stream(scope, receive, send)
        except Exception:  # noqa: BLE001 - one connection ends; the server goes on
            room.complain(f"WebSocket {scope['path']}\n{traceback.format_exc()}")
        except asyncio.CancelledError:
            return  # the server ends
        finally:
            room.use.watchers -= 1
            room.use.touch()

    async def _invited(self, scope: Scope, headers: dict[str, str]) -> Identity:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("ticket")
        if given is None:
            return await self._identify(scope, headers)
        identity = self._room.tickets.take(given[0])
        if identity is None:
            raise _unauthorized("the ticket is used, too old or unknown")
        return identity


def _check_json(headers: dict[str, str], body: bytes) -> None:
    """Raises `Refused` for what is no JSON by its name or is nested too deep to be meant."""
    if not body:
        return
    kind, _, options = headers.get("content-type", "").partition(";")
    charset = re.search(r"charset=\"?([\w-]+)", options)
    if kind.strip().lower() != "application/json" or (
        charset and charset[1].lower() not in {"utf-8", "utf8"}
    ):
        raise Refused(415, "a body is JSON", hint="Content-Type: application/json")
    if body.count(b"[") + body.count(b"{") > DEEPEST:
        depth = 0
        for found in _BRACKETS.finditer(body):
            first = body[found.start()]
            if first in b"[{":
                depth += 1
                if depth > DEEPEST:
                    raise Refused(400, f"JSON of more than {DEEPEST} levels")
            elif first in b"]}":
                depth -= 1
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        raise Refused(400, str(error)) from None


def _unauthorized(detail: str) -> Refused:
    return Refused(
        401,
        detail,
        hint="aethermind tokens create NAME",
        headers={"www-authenticate": 'Bearer realm="aethermind"'},
    )


def _headers(scope: Scope) -> dict[str, str]:
    """By lower-case name. Raises `Refused` for two of those that decide anything."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1")
        if name in found and name in {"host", "origin", "authorization", "content-type", "idempotency-key"}:
            raise Refused(400, f"two {name} headers")
        found[name] = value.decode("latin-1")
    return found


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]


def _without(headers: Iterable[tuple[bytes, bytes]], extra: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in headers if name.decode("latin-1").lower() not in extra]


def _once(body: bytes, receive: Receive) -> Receive:
    """The body in one message; then what else comes."""
    given = False

    async def whole() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return whole


async def _plain(send: Send, status: int, body: bytes = b"", further: dict[str, str] | None = None) -> None:
    headers = [(b"content-length", str(len(body)).encode()), *_raw(further or {})]
    if body:
        headers.append((b"content-type", problems.MEDIA_TYPE.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse(send: Send, error: Exception, extra: dict[str, str]) -> None:
    found = problems.problem_of(error)
    body = problems.encoded(found)
    told = {**extra, "content-type": problems.MEDIA_TYPE, "content-length": str(len(body))}
    await send(
        {"type": "websocket.http.response.start", "status": found["status"], "headers": _raw(told)},
    )
    await send({"type": "websocket.http.response.body", "body": body})
