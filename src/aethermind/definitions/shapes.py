"""What is known of values before anything runs, and paths that cannot be in them."""

from __future__ import annotations

from aethermind.definitions.drafts import BOOLEAN, LIST, NUMBER, TEXT, Shape, Used
from aethermind.definitions.hints import did_you_mean, show
from aethermind.definitions.lookup import Path
from aethermind.definitions.nodes import find_word
from aethermind.domain.errors import InvalidError
from aethermind.domain.workflow import Json

_METHODS: dict[str, frozenset[str]] = {
    TEXT: frozenset(m for m in dir(str) if not m.startswith("_")),
    LIST: frozenset({"index", "count"}),
}
DICT_METHODS = frozenset({"items", "keys", "values", "get"})


def shape_of_schema(schema: Json) -> Shape:
    """What a JSON Schema says about the keys of a value; null aside, since access through null is null."""
    if not isinstance(schema, dict):
        return None
    kinds = schema.get("type")
    names = [k for k in ([kinds] if isinstance(kinds, str) else kinds or ()) if k != "null"]
    if "anyOf" in schema:
        options = [o for o in schema["anyOf"] if o != {"type": "null"}]
        return shape_of_schema(options[0]) if len(options) == 1 else None
    if len(names) != 1:
        return None
    match names[0]:
        case "object" if schema.get("additionalProperties") is False and "patternProperties" not in schema:
            return {key: shape_of_schema(inner) for key, inner in schema.get("properties", {}).items()}
        case "string":
            return TEXT
        case "array":
            return LIST
        case "integer" | "number":
            return NUMBER
        case "boolean":
            return BOOLEAN
        case _:
            return None


def error_at(used: Used, path: Path, message: str, hint: str | None, *, depth: int = 1) -> InvalidError:
    """An error where the path stands; `depth` is how much of it is wrong."""
    spot = find_word(used.node, path[0], occurrence=".".join(path[:depth]))
    return used.node.source.error(message, spot, hint=hint)


def follow(used: Used, path: Path, start: int, shape: Shape) -> None:
    """Whether the rest of a path can be there."""
    for depth in range(start, len(path)):
        if shape is None:
            return
        name, owner = path[depth], ".".join(path[:depth])
        if isinstance(shape, str):
            if name in _METHODS.get(shape, ()):
                return
            hints = {
                TEXT: "give the step an `output:` schema",
                LIST: "loop over it, or take one: [0]",
            }
            raise error_at(
                used,
                path,
                f"`{show(owner)}` is {shape}: it has no `{show(name)}`",
                hints.get(shape),
                depth=depth + 1,
            )
        if name not in shape:
            if name in DICT_METHODS:
                return
            hint = did_you_mean(name, shape, label="it has")
            raise error_at(used, path, f"`{show(owner)}` has no `{show(name)}`", hint, depth=depth + 1)
        shape = shape[name]
