"""The application: all routes, who may take them, how errors are told."""

from __future__ import annotations

import traceback
from typing import Any

from litestar import Litestar, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers.base import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from aethermind import __version__
from aethermind.api import problems
from aethermind.api.answers import Asked
from aethermind.api.identity import Identity
from aethermind.api.problems import Refused
from aethermind.api.room import Room
from aethermind.api.routes import acts, engine, runs
from aethermind.domain.errors import AethermindError
from aethermind.engine.access import allows

NOUNS = (engine, runs, acts)


def build(room: Room) -> Litestar:
    """The application behind the door."""
    return Litestar(
        [handler for noun in NOUNS for handler in noun.routes(room)],
        guards=[check_scope],
        exception_handlers={
            AethermindError: _problem,
            Refused: _problem,
            HTTPException: _refusal,
            RuntimeError: _gone(room),
            Exception: _inside(room),
        },
        openapi_config=_document(),
        logging_config=None,
        request_max_body_size=None,
        debug=False,
    )


def check_scope(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Raises `Refused` for a token that does not go so far."""
    state = connection.scope.get("state") or {}
    identity: Identity | None = state.get("identity")
    if identity is None:
        return  # health, which needs nobody
    needed = handler.opt.get("scope") or ("viewer" if connection.scope.get("method") == "GET" else "admin")
    if not allows(identity.scope, needed):
        raise Refused(403, f"the scope {identity.scope} does not go so far: this needs {needed}")


def _told(found: dict[str, Any], headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(
        problems.encoded(found), status_code=found["status"], media_type=problems.MEDIA_TYPE, headers=headers
    )


def _problem(_: Asked, error: Exception) -> Response[bytes]:
    return _told(problems.problem_of(error))


def _refusal(request: Asked, error: HTTPException) -> Response[bytes]:
    """What the framework refuses: no such path, a wrong method, a body or parameter that does not fit."""
    detail = error.detail
    places = error.extra if isinstance(error.extra, list) else []
    said = [f"{place.get('key')}: {place.get('message')}" for place in places if isinstance(place, dict)]
    if said:
        detail = "; ".join(said)
    elif error.status_code == 404:
        detail = f"there is nothing at {request.scope['path']}"
    elif error.status_code == 405:
        detail = f"{request.scope['path']} does not take {request.scope['method']}"
    return _told(problems.problem(error.status_code, detail), dict(error.headers or {}))


def _gone(room: Room) -> Any:
    def gone(request: Asked, error: Exception) -> Response[bytes]:
        if str(error) == "the engine is not running":
            return _told(problems.problem(503, "the engine is ending", code="BusyError"))
        return _inside(room)(request, error)

    return gone


def _inside(room: Room) -> Any:
    def inside(request: Asked, error: Exception) -> Response[bytes]:
        told = "".join(traceback.format_exception(error))
        room.complain(f"{request.scope['method']} {request.scope['path']}\n{told}")
        return _told(problems.problem_of(error))

    return inside


def _document() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Aethermind AgentOS",
        version=__version__,
        description="Runs, agents and workflows of one engine. Live events come over the WebSocket /ws.",
        path="/",
        render_plugins=[JsonRenderPlugin(path="/openapi.json", media_type="application/json")],
        use_handler_docstrings=True,
        security=[{"token": []}],
        components=Components(
            security_schemes={"token": SecurityScheme(type="http", scheme="bearer", bearer_format="aeth_ID_SECRET")}
        ),
    )


