"""What a Python function takes, as JSON Schema, and JSON arguments as what it takes.

Also loaded by `runner.py` in the user's interpreter, where this package is not installed, so: one file, the
standard library only, Python 3.8 or later. Types that JSON does not have (dataclasses, enums, dates,
pydantic's models and constraints) are described and converted by pydantic, if it is installed there.
"""

from __future__ import annotations

import collections.abc
import hashlib
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

MAX_DESCRIPTION = 4000
"""Characters of a docstring."""

_SIMPLE = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    dict: {"type": "object"},
}
_LISTS = (list, tuple, collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
_UNIONS = (typing.Union, getattr(types, "UnionType", typing.Union))


class Undescribed(Exception):
    """A function that no model could be told of. The text is for its author."""


class _Foreign(Exception):
    """A type that only pydantic may know."""


def describe(function: Callable[..., Any]) -> dict[str, Any]:
    """`description`, `schema` (of an object with the function's parameters), `version` (a digest of its
    source, empty if that is not to be had). Raises `Undescribed`."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    definitions: dict[str, Any] = {}
    more = False
    for parameter, annotation in _parameters(function):
        if parameter.kind is parameter.VAR_KEYWORD:
            more = True
            continue
        schema, defs = _described(parameter.name, annotation)
        definitions.update(defs)
        if parameter.default is parameter.empty:
            required.append(parameter.name)
        elif isinstance(parameter.default, (str, int, float, bool)):
            schema = {**schema, "default": parameter.default}
        properties[parameter.name] = schema
    schema = {"type": "object", "properties": properties, "additionalProperties": more}
    if required:
        schema["required"] = required
    if definitions:
        schema["$defs"] = definitions
    return {
        "description": (inspect.getdoc(function) or "")[:MAX_DESCRIPTION],
        "schema": schema,
        "version": _version(function),
    }


def convert(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """JSON arguments as the function's annotations want them. Raises `Undescribed` if one does not fit."""
    out = dict(arguments)
    for parameter, annotation in _parameters(function):
        name = parameter.name
        if name not in out or parameter.kind is parameter.VAR_KEYWORD:
            continue
        try:
            _schema(annotation)
        except _Foreign:
            try:
                out[name] = _adapter(name, annotation).validate_python(out[name])
            except ValueError as problem:  # pydantic's ValidationError is one
                raise Undescribed(f"{name}: {problem}") from None
    return out


def _parameters(function: Callable[..., Any]) -> list[tuple[inspect.Parameter, Any]]:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        raise Undescribed("its parameters are not known to Python") from None
    plain = (
        function if inspect.isfunction(function) or inspect.ismethod(function) else type(function).__call__
    )
    try:
        extras: dict[str, Any] = {"include_extras": True} if hasattr(typing, "Annotated") else {}
        hints = typing.get_type_hints(plain, **extras)
    except Exception as problem:  # noqa: BLE001 - annotations may hold any code
        raise Undescribed(f"its annotations cannot be read ({problem})") from None
    found = []
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise Undescribed(f"its parameter {parameter.name} cannot be given by name")
        found.append((parameter, hints.get(parameter.name, Any)))
    return found


def _described(name: str, annotation: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        return _schema(annotation), {}
    except _Foreign:
        schema = dict(_adapter(name, annotation).json_schema())
        return schema, schema.pop("$defs", {})


def _adapter(name: str, annotation: Any) -> Any:
    shown = getattr(annotation, "__name__", None) or str(annotation)
    try:
        from pydantic import TypeAdapter
    except ImportError:
        hint = "use types that JSON has, or install pydantic there"
        raise Undescribed(f"the type {shown} of its parameter {name} is unknown: {hint}") from None
    try:
        return TypeAdapter(annotation)
    except Exception as problem:  # noqa: BLE001 - pydantic's errors are of many kinds
        first = str(problem).partition("\n")[0]
        raise Undescribed(f"the type {shown} of its parameter {name}: {first}") from None


def _schema(annotation: Any) -> dict[str, Any]:
    """Of a type that JSON has. Raises `_Foreign` for all others."""
    if annotation is Any or annotation is inspect.Parameter.empty or annotation is object:
        return {}
    if annotation is None:
        return {"type": "null"}
    if isinstance(annotation, type) and annotation in _SIMPLE:
        return dict(_SIMPLE[annotation])
    if hasattr(annotation, "__metadata__"):
        notes = annotation.__metadata__
        if not all(isinstance(note, str) for note in notes):
            raise _Foreign
        return {**_schema(annotation.__origin__), "description": " ".join(notes)}
    origin, arguments = _origin(annotation)
    if origin is getattr(typing, "Literal", None) and origin is not None:
        return {"enum": list(arguments)}
    if origin in _UNIONS:
        return {"anyOf": [_schema(argument) for argument in arguments]}
    if origin in _LISTS:
        items = [argument for argument in arguments if argument is not Ellipsis]
        if origin is tuple and (len(arguments) != 2 or arguments[1] is not Ellipsis):
            raise _Foreign
        inner = _schema(items[0]) if items and not isinstance(items[0], typing.TypeVar) else {}
        return {"type": "array", "items": inner} if inner else {"type": "array"}
    if origin in _MAPPINGS:
        if arguments and arguments[0] not in (str, Any) and not isinstance(arguments[0], typing.TypeVar):
            raise _Foreign
        inner = _schema(arguments[1]) if len(arguments) == 2 and arguments[0] is str else {}
        return {"type": "object", "additionalProperties": inner} if inner else {"type": "object"}
    if isinstance(annotation, type) and issubclass(annotation, dict) and hasattr(annotation, "__total__"):
        return _typed_dict(annotation)
    raise _Foreign


def _origin(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    if annotation in _LISTS or annotation in _MAPPINGS:
        return annotation, ()
    return getattr(annotation, "__origin__", None) or type(annotation), getattr(annotation, "__args__", ())


def _typed_dict(annotation: Any) -> dict[str, Any]:
    fields = typing.get_type_hints(annotation)
    required = getattr(annotation, "__required_keys__", fields if annotation.__total__ else ())
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: _schema(kind) for name, kind in fields.items()},
        "additionalProperties": False,
    }
    if required:
        schema["required"] = [name for name in fields if name in required]
    return schema


def _version(function: Callable[..., Any]) -> str:
    try:
        source = inspect.getsource(inspect.unwrap(function))
    except (OSError, TypeError):
        return ""
    return hashlib.sha256(source.encode(errors="replace")).hexdigest()[:16]
