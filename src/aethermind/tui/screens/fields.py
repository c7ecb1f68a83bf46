"""Fields of a form, made from JSON Schemas: which control, what is said beside it, what a typed text means.

Pure but for `@file`, which reads a file when the value is taken.

    text      a line                               string
    number    a line                               integer, number (bounds are said beside it)
    boolean   yes ‹› no
    choice    one of a few                         enum
    list      lines, or JSON beginning with [      array
    json      JSON                                 everything else
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aethermind.definitions.inputs import describe_type, from_words, parse_inputs
from aethermind.domain.errors import InvalidError
from aethermind.domain.workflow import InputDef

Json = Any
Kind = Literal["text", "number", "boolean", "choice", "list", "json"]
LARGEST = 64 << 20
"""Bytes of a file given as `@file`."""


@dataclass(frozen=True)
class Field:
    """One value to ask for."""

    name: str
    definition: InputDef
    kind: Kind
    label: str = ""

    @property
    def required(self) -> bool:
        return self.definition.required

    @property
    def hint(self) -> str:
        """What it is about, and what fits."""
        description = self.definition.description
        kind = describe_type(self.definition.schema)
        if self.kind in {"boolean", "choice"} or kind == "text":
            return description
        if self.kind == "list":
            kind = "a list: one a line, or JSON"
        return f"{description} ({kind})" if description else kind

    @property
    def options(self) -> list[str]:
        """Of a boolean or choice, as texts; "" stands for no answer where none is needed."""
        if self.kind == "boolean":
            found = ["true", "false"]
        else:
            found = [str(word) for word in self.definition.schema.get("enum", ()) if word is not None]
        return found if self.required or self.definition.default is not None else ["", *found]

    @property
    def initial(self) -> str:
        """The default as text."""
        return written(self, self.definition.default)


def fields_of(definitions: Mapping[str, InputDef]) -> list[Field]:
    return [field_of(name, definition) for name, definition in definitions.items()]


def field_of(name: str, definition: InputDef) -> Field:
    return Field(name, definition, _kind(definition.schema), label=name)


def _kind(schema: Mapping[str, Json]) -> Kind:
    if "enum" in schema:
        return "choice"
    found = schema.get("type")
    kinds = [found] if isinstance(found, str) else list(found or ())
    if not kinds:
        parts = [part for part in schema.get("anyOf", ()) if part.get("type") != "null"]
        return _kind(parts[0]) if len(parts) == 1 else "json"
    kinds = [kind for kind in kinds if kind != "null"]
    match kinds:
        case ["string"]:
            return "text"
        case ["integer"] | ["number"] | ["integer", "number"] | ["number", "integer"]:
            return "number"
        case ["boolean"]:
            return "boolean"
        case ["array"]:
            return "list"
        case _:
            return "json"


def written(field: Field, value: Json) -> str:
    """A value as one would type it."""
    if value is None:
        return ""
    if field.kind == "list" and isinstance(value, list) and all(_one_line(part) for part in value):
        return "\n".join(value)
    if isinstance(value, str) and field.kind != "json":
        return value
    return json.dumps(value, ensure_ascii=False, indent=2 if field.kind == "json" else None)


def _one_line(part: Json) -> bool:
    return isinstance(part, str) and part != "" and "\n" not in part and part[:1] != "["


def read(field: Field, text: str, *, files: bool = True) -> tuple[bool, Json]:
    """(whether it was given at all, its value). `files`: `@name` means what that file holds; `@@x` is `@x`.

    Raises `InvalidError`, without the field's name.
    """
    if not text.strip():
        if field.required and not (field.kind == "text" and text):
            raise InvalidError("is needed")
        if field.kind != "text" or not text:
            return False, None
    if field.kind in {"text", "list", "json"} and text.startswith("@"):
        if text.startswith("@@"):
            text = text[1:]
        elif files:
            text = _file(text[1:].strip())
        else:
            return True, None
    try:
        value: object = _lines(field, text) if field.kind == "list" else text
        found = parse_inputs({field.name: field.definition}, {field.name: value})[field.name]
    except InvalidError as error:
        raise InvalidError(error.message.removeprefix(f"input `{field.name}`").lstrip(": ")) from None
    return True, found


def _lines(field: Field, text: str) -> Json:
    if text.lstrip().startswith("["):
        return text
    items = field.definition.schema.get("items")
    schema = items if isinstance(items, dict) else {}
    return [from_words(field.name, line, schema) for line in text.splitlines() if line.strip()]


def _file(name: str) -> str:
    path = Path(name).expanduser()
    try:
        if path.stat().st_size > LARGEST:
            raise InvalidError(f"{name} is larger than 64 MiB")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InvalidError(f"there is no file {name} (write @@ for a text that begins with @)") from None
    except UnicodeDecodeError:
        raise InvalidError(f"{name} is not UTF-8") from None
    except OSError as error:
        raise InvalidError(f"{name}: {error.strerror}") from None
