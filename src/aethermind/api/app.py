"""The application behind the door: Starlette's router over our routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Match
from starlette.routing import Route as Path

from aethermind.api.problems import Refused
from aethermind.api.route import Answer, Route, Routes
from aethermind.api.routes import NOUNS

if TYPE_CHECKING:
    from aethermind.api.door import Receive, Scope, Send
    from aethermind.api.room import Room


class App:
    """All routes of a room. Raises what they raise: the door tells it."""

    def __init__(self, room: Room) -> None:
        self.routes = [route for noun in NOUNS for route in noun.routes(room).found]
        document = Routes("engine")

        @document.get("/openapi.json", dict[str, Any], "This document.")
        async def openapi() -> Answer:
            """The OpenAPI document."""
            from aethermind.api.document import written

            return Answer(written(self.routes))

        self.routes += document.found
        self._paths = [(Path(route.path, _nothing, methods=[route.method]), route) for route in self.routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, path = self._find(scope)
        message = await receive()
        state = scope.get("state") or {}
        query = scope["query_string"].decode("latin-1")
        found = await route.answer(
            state.get("identity"), state.get("mark"), path, query, message.get("body", b"")
        )
        headers = [
            (b"content-type", found.media_type.encode()),
            (b"content-length", str(len(found.body)).encode()),
        ]
        await send({"type": "http.response.start", "status": found.status, "headers": headers})
        await send({"type": "http.response.body", "body": found.body})

    def _find(self, scope: Scope) -> tuple[Route, dict[str, str]]:
        """Raises `Refused`."""
        others: list[str] = []
        for path, route in self._paths:
            match, child = path.matches(scope)
            if match is Match.FULL:
                return route, child["path_params"]
            if match is Match.PARTIAL:
                others.append(route.method)
        if others:
            allowed = ", ".join(others)
            raise Refused(
                405, f"{scope['path']} takes {allowed}, not {scope['method']}", headers={"allow": allowed}
            )
        raise Refused(
            404, f"there is nothing at {scope['path']}", hint="GET /openapi.json says what is where"
        )


def _nothing() -> None:
    """Paths are only matched here."""
