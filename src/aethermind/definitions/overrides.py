"""`--set agents.writer.model=M`: values put into the tree of a file before it is checked."""

from __future__ import annotations

from collections.abc import Mapping

from aethermind.definitions.hints import did_you_mean, show
from aethermind.definitions.nodes import Map, Node, Scalar, Seq, Spot, Text
from aethermind.definitions.source import decode, parse, resolve
from aethermind.domain.errors import InvalidError

_COLLECTIONS = frozenset({"agents", "steps", "schemas", "inputs"})
"""What is named in these must be there; anything else on the way is made."""


def apply(root: Map, overrides: Mapping[str, str]) -> None:
    """Change `root` in place. Keys are dotted paths; a step is named by its id, a list's entry by its index.

    Raises `InvalidError`, under the name `--set PATH`.
    """
    for path, text in overrides.items():
        source = Text(f"--set {show(path, 200)}", text)
        parts = path.split(".")
        if not all(parts):
            raise source.error("this is no path", Spot(1, 1), hint="agents.writer.model=smart")
        node: Node = root
        for depth, part in enumerate(parts[:-1]):
            node = _step_into(node, part, parts[:depth], source)
        _put(node, parts[-1], _value(text, source), parts[:-1], source)


def _value(text: str, source: Text) -> Node:
    """A list, mapping or quoted text is YAML; a number, boolean or null is one; all else is text."""
    spot, end = Spot(1, 1), Spot(1, len(text) + 1)
    checked = decode(text.encode("utf-8", "surrogatepass"), source.name)
    if text[:1] in {"[", '"', "'"} or (text[:1] == "{" and text[:2] not in {"{{", "{%"}):
        return parse(checked)
    value, odd = resolve(text)
    if odd is not None or "\n" in text:
        value = text
    return Scalar(source, spot, end, value, text, plain=False)


def _step_into(node: Node, part: str, before: list[str], source: Text) -> Node:
    if isinstance(node, Map):
        if part not in node.entries:
            if before and before[-1] in _COLLECTIONS:
                raise _nothing(node.entries, part, before, source)
            node.entries[part] = Map(source, Spot(1, 1), Spot(1, 1))
            node.keys[part] = Spot(1, 1)
        return node.entries[part]
    if isinstance(node, Seq):
        return node.items[_index(node, part, before, source)]
    raise source.error(f"`{show('.'.join(before))}` has nothing inside it", Spot(1, 1))


def _put(node: Node, part: str, value: Node, before: list[str], source: Text) -> None:
    if isinstance(node, Map):
        if part not in node.entries and before and before[-1] in _COLLECTIONS:
            raise _nothing(node.entries, part, before, source)
        node.entries[part] = value
        node.keys.setdefault(part, Spot(1, 1))
    elif isinstance(node, Seq):
        node.items[_index(node, part, before, source)] = value
    else:
        raise source.error(f"`{show('.'.join(before))}` has nothing inside it", Spot(1, 1))


def _index(node: Seq, part: str, before: list[str], source: Text) -> int:
    if part.isascii() and part.isdecimal() and len(part) < 7 and int(part) < len(node.items):
        return int(part)
    ids: dict[str, int] = {}
    for number, item in enumerate(node.items):
        found = item.entries.get("id") if isinstance(item, Map) else None
        if isinstance(found, Scalar):
            ids.setdefault(found.text, number)
    if part in ids:
        return ids[part]
    raise _nothing(ids, part, before, source)


def _nothing(known: Mapping[str, object], part: str, before: list[str], source: Text) -> InvalidError:
    where = f"`{show('.'.join(before))}` has no `{show(part)}`"
    return source.error(where, Spot(1, 1), hint=did_you_mean(part, known, label="it has"))
