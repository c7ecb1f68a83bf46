"""The OpenAPI document, from the same types that requests are checked with."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from aethermind import __version__, wire
from aethermind.api.problems import MEDIA_TYPE
from aethermind.api.route import Route
from aethermind.api.shapes import Problem

Json = Any
WORDS = {
    400: "The request can't be read.",
    401: "No token, or one that is not valid.",
    403: "Not allowed, or not trusted.",
    404: "There is no such thing.",
    405: "Not with this method.",
    409: "It conflicts with what was recorded, or is under way.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    421: "This is not the server that Host names.",
    422: "It can be read, but it can't be done.",
    429: "Too many requests of this token.",
    502: "A provider failed.",
    503: "The engine or its store can't, just now.",
}
BODILESS = frozenset({413, 415})


def written(routes: list[Route]) -> bytes:
    types: list[Any] = [Problem]
    for route in routes:
        types += [route.gives, *(field.type for field in msgspec.structs.fields(route.query))]
        types += [route.body] if route.body is not None else []
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    named = iter(schemas)
    problem = next(named)
    paths: dict[str, Json] = {}
    for route in routes:
        gives = next(named)
        fields = [(field, next(named)) for field in msgspec.structs.fields(route.query)]
        body = next(named) if route.body is not None else None
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(
            route, gives, fields, body, problem
        )
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Aethermind AgentOS",
            "version": __version__,
            "description": "Runs, agents and workflows of one engine. Live events: the WebSocket /ws.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "aeth_ID_SECRET"}
            },
        },
    }
    return wire.encode_json(document)


def _operation(
    route: Route, gives: Json, fields: list[tuple[Any, Json]], body: Json, problem: Json
) -> dict[str, Json]:
    said = inspect.getdoc(route.handler) or ""
    summary, _, more = said.partition("\n\n")
    first, stop, rest = " ".join(summary.split()).partition(". ")
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in route.in_path
    ]
    parameters += [
        {
            "name": field.name,
            "in": "query",
            "required": field.required,
            "schema": _with_default(field, schema),
        }
        for field, schema in fields
    ]
    found: dict[str, Json] = {
        "operationId": f"{route.method.lower()}_{route.handler.__name__}",
        "tags": [route.tag],
        "summary": first.rstrip(".") if stop else summary.rstrip("."),
        "description": " ".join(f"{rest} {more} {_needs(route)}".split()),
        "responses": _responses(route, gives, problem),
    }
    if route.needs is None:
        found["security"] = [{}]
    if route.method != "GET":
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "The same key and request give the same answer, and act once; for 24 hours.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            }
        )
    if parameters:
        found["parameters"] = parameters
    if body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return found


def _needs(route: Route) -> str:
    return "Needs no token." if route.needs is None else f"Needs the scope {route.needs}."


def _with_default(field: Any, schema: Json) -> Json:
    if field.required or field.default is None:
        return schema
    return {**schema, "default": field.default}


def _responses(route: Route, gives: Json, problem: Json) -> dict[str, Json]:
    answers: dict[str, Json] = {
        str(route.status): {"description": route.said, "content": {route.media_type: {"schema": gives}}}
    }
    for status, words in WORDS.items():
        if status in BODILESS and route.method == "GET":
            continue
        answers[str(status)] = {"description": words, "content": {MEDIA_TYPE: {"schema": problem}}}
    return answers
