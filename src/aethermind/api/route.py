"""A route: a method and a path, what a token needs for it, what it takes and gives; read off its handler.

A handler is `async def handler(asked: Asked, RUN_ID: str, data: Body, *, limit: int = 50, …) -> Answer`:
`asked` and `data` by their names, those that stand in the path as text, and the rest from the query. All but
the path is checked by msgspec, which also writes the schemas of the OpenAPI document from the same types.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from aethermind import wire
from aethermind.api.identity import Identity
from aethermind.api.problems import Refused
from aethermind.domain.system_events import Scope
from aethermind.engine.access import allows

Json = Any
Method = Literal["GET", "POST", "PUT", "DELETE"]
JSON = "application/json"
MOST_PARAMETERS = 50


class Answer(msgspec.Struct, frozen=True):
    body: bytes
    status: int = 200
    media_type: str = JSON


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a request besides its parameters."""

    identity: Identity
    mark: str | None = None
    """Of its Idempotency-Key."""

    @property
    def by(self) -> str:
        return self.identity.by


Handler = Callable[..., Awaitable[Answer]]


class Route:
    def __init__(
        self,
        method: Method,
        path: str,
        handler: Handler,
        *,
        gives: Any,
        said: str,
        status: int,
        needs: Scope | None,
        tag: str,
        media_type: str = JSON,
    ) -> None:
        self.method = method
        self.path = path
        self.handler = handler
        self.gives = gives
        self.said = said
        self.status = status
        self.needs = needs
        """None: nothing, not even a token."""
        self.tag = tag
        self.media_type = media_type
        hints = get_type_hints(handler, include_extras=True)
        names = inspect.signature(handler).parameters
        self.takes_asked = "asked" in names
        self.in_path = [name for name in names if f"{{{name}}}" in path]
        self.body: Any = hints.get("data")
        self._decoder: msgspec.json.Decoder[Any] | None = (
            msgspec.json.Decoder(self.body) if self.body is not None else None
        )
        rest = [
            parameter
            for name, parameter in names.items()
            if name not in {"asked", "data"} and name not in self.in_path
        ]
        self.query: type[msgspec.Struct] = msgspec.defstruct(
            f"{handler.__name__}_query",
            [
                (p.name, hints[p.name]) if p.default is p.empty else (p.name, hints[p.name], p.default)
                for p in rest
            ],
            kw_only=True,
            forbid_unknown_fields=True,
        )

    async def answer(
        self, identity: Identity | None, mark: str | None, path: dict[str, str], query: str, body: bytes
    ) -> Answer:
        """Raises `Refused` and what the handler raises."""
        given: dict[str, Any] = {name: path[name] for name in self.in_path}
        if self.needs is not None:
            if identity is None:
                raise Refused(401, "a token is needed")
            if not allows(identity.scope, self.needs):
                raise Refused(403, f"the scope {identity.scope} does not go so far: this needs {self.needs}")
            if self.takes_asked:
                given["asked"] = Asked(identity=identity, mark=mark)
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="strict")
            asked = msgspec.convert(dict(pairs), self.query, strict=False)
            if self._decoder is not None:
                given["data"] = self._decoder.decode(body or b"{}")
        except (msgspec.DecodeError, ValueError) as error:  # not UTF-8, too many, or not what is taken
            raise Refused(400, str(error).replace("`$`", "the body").replace("`$.", "`")) from None
        except RecursionError:
            raise Refused(400, "this is nested too deep") from None
        given |= {name: getattr(asked, name) for name in self.query.__struct_fields__}
        return await self.handler(**given)


class Routes:
    """The routes of one noun, in the order in which they are tried."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.found: list[Route] = []

    def get(
        self,
        path: str,
        gives: Any,
        said: str,
        *,
        needs: Scope | None = "viewer",
        media_type: str = JSON,
    ) -> Callable[[Handler], Handler]:
        return self._add("GET", path, gives, said, 200, needs, media_type)

    def post(
        self, path: str, gives: Any, said: str, *, status: int = 200, needs: Scope = "admin"
    ) -> Callable[[Handler], Handler]:
        return self._add("POST", path, gives, said, status, needs)

    def put(self, path: str, gives: Any, said: str) -> Callable[[Handler], Handler]:
        return self._add("PUT", path, gives, said, 200, "admin")

    def delete(self, path: str, gives: Any, said: str) -> Callable[[Handler], Handler]:
        return self._add("DELETE", path, gives, said, 200, "admin")

    def _add(
        self,
        method: Method,
        path: str,
        gives: Any,
        said: str,
        status: int,
        needs: Scope | None,
        media_type: str = JSON,
    ) -> Callable[[Handler], Handler]:
        def keep(handler: Handler) -> Handler:
            self.found.append(
                Route(
                    method,
                    path,
                    handler,
                    gives=gives,
                    said=said,
                    status=status,
                    needs=needs,
                    tag=self.tag,
                    media_type=media_type,
                )
            )
            return handler

        return keep


DONE: dict[str, Json] = {}


def json(value: Json, status: int = 200) -> Answer:
    return Answer(wire.encode_json(value), status)


def page(items: Iterable[Json], next_: str | int | None = None) -> Answer:
    """`{"items": […], "next": cursor | null}`."""
    return json({"items": list(items), "next": next_})
