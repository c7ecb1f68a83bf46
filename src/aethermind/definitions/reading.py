"""A located tree → surface records, with every error at its place and in plain words.

It does for located trees what `msgspec.convert` does for plain data: the types of the record's fields
decide. Nothing is coerced; keys are checked in the order of the file, so that the first error that is
reported is the first one a reader of the file meets.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import inspect

from aethermind.definitions.hints import did_you_mean, show
from aethermind.definitions.nodes import Map, Node, Scalar, Seq, describe, error
from aethermind.definitions.units import duration_ms
from aethermind.domain.errors import InvalidError

T = TypeVar("T", bound=msgspec.Struct)

DURATIONS = frozenset({"timeout", "every", "backoff", "max_backoff", "delay", "ttl"})
"""Keys whose values are durations: `timeout: 1:30` gets a better hint than "write it in quotes"."""

_SECRET = re.compile(
    r"\b(?:sk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}"
    r"|AKIA[0-9A-Z]{16}|AIza[0-9A-Za-z_-]{35}|xox[abprs]-[A-Za-z0-9-]{10,}|glpat-[A-Za-z0-9_-]{20,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)


def refuse_odd(node: Node, key: str = "") -> None:
    """Refuse scalars that are ambiguous, and secrets, anywhere in the tree."""
    if isinstance(node, Scalar):
        if node.odd is not None:
            if key in DURATIONS:
                duration(node)
            raise error(node, f"`{show(node.text, 30)}` {node.odd.message}", hint=node.odd.hint)
        if len(node.text) >= 20 and isinstance(node.value, str) and _SECRET.search(node.text):
            raise error(
                node,
                "this looks like a secret, which does not belong in a workflow file",
                hint="take it from the environment: $NAME",
            )
    elif isinstance(node, Seq):
        for item in node.items:
            refuse_odd(item, key)
    else:
        for name, child in node.entries.items():
            refuse_odd(child, name)


def duration(node: Node) -> int:
    """A duration in milliseconds, from the raw text (so that `600` and `1:30` get their own hints)."""
    if not isinstance(node, Scalar) or node.value is None or isinstance(node.value, bool):
        raise error(
            node, f"a duration is wanted, not {describe(node)}", hint="write 500ms, 90s, 10m or 1h30m"
        )
    try:
        return duration_ms(node.text)
    except ValueError as problem:
        raise _with_hint(node, str(problem)) from None


def _with_hint(node: Node, text: str) -> InvalidError:
    """`message (hint)` as one error."""
    message, _, hint = text.partition(" (")
    return error(node, message, hint=hint.removesuffix(")") or None)


class Field(NamedTuple):
    name: str
    type: inspect.Type
    required: bool


@cache
def fields_of(cls: type[msgspec.Struct]) -> dict[str, Field]:
    """Key in the file → field."""
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    return {f.encode_name: Field(f.name, f.type, f.required) for f in info.fields}


def read(cls: type[T], node: Node, what: str) -> T:
    """`node` as a record of `cls`; `what` names it in errors (`a step`, `agent critic`)."""
    if not isinstance(node, Map):
        raise error(node, f"{what} should be a mapping, not {describe(node)}")
    known = fields_of(cls)
    values: dict[str, Any] = {}
    for key, child in node.entries.items():
        field = known.get(key)
        if field is None:
            raise unknown_key(node, key, known)
        values[field.name] = convert(child, field.type, key)
    for key, field in known.items():
        if field.required and key not in node.entries:
            raise error(node, f"{what} has no `{key}`", hint=f"add `{key}:`")
    return cls(**values)


def unknown_key(node: Map, key: str, known: Any) -> InvalidError:
    if key.lower() in {"api_key", "apikey", "token", "secret", "password"}:
        return node.key_error(
            key,
            f"unknown key `{show(key)}`",
            hint="keys come from the environment or `aethermind auth`, never a file",
        )
    return node.key_error(key, f"unknown key `{show(key)}`", hint=did_you_mean(key, known))


def convert(node: Node, wanted: inspect.Type, label: str) -> Any:
    """The value of `node` as `wanted`; `label` is the key it stands under."""
    if isinstance(wanted, inspect.Metadata):
        return convert(node, wanted.type, label)
    if isinstance(wanted, inspect.AnyType):
        return node.plain_data()
    if label in DURATIONS:
        duration(node)
        assert isinstance(node, Scalar)
        return node.text
    options = _options(wanted)
    for option in options:
        if _fits(node, option):
            return _read_as(node, option, label)
    raise _wrong_type(node, options, label)


def _options(wanted: inspect.Type) -> list[inspect.Type]:
    if isinstance(wanted, inspect.Metadata):
        return _options(wanted.type)
    if isinstance(wanted, inspect.UnionType):
        return [o for t in wanted.types for o in _options(t)]
    return [] if isinstance(wanted, inspect.NoneType) else [wanted]


def _fits(node: Node, option: inspect.Type) -> bool:
    """Whether the node is of the right shape, its content aside."""
    if isinstance(node, Map):
        return isinstance(option, inspect.StructType | inspect.DictType)
    if isinstance(node, Seq):
        return isinstance(option, inspect.ListType)
    value = node.value
    match option:
        case inspect.StrType() | inspect.LiteralType():
            return isinstance(value, str)
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool)
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return False


def _read_as(node: Node, option: inspect.Type, label: str) -> Any:
    match option:
        case inspect.StructType(cls=cls):
            return read(cls, node, f"`{show(label)}`")
        case inspect.DictType(value_type=inner):
            assert isinstance(node, Map)
            return {
                k: convert(child, inner, k if k not in DURATIONS else "") for k, child in node.entries.items()
            }
        case inspect.ListType(item_type=inner):
            assert isinstance(node, Seq)
            if option.min_length and len(node.items) < option.min_length:
                raise error(node, f"`{show(label)}` is an empty list")
            return [convert(child, inner, f"{label}[{i}]") for i, child in enumerate(node.items)]
        case _:
            pass
    assert isinstance(node, Scalar)
    match option:
        case inspect.LiteralType(values=values):
            if node.value not in values:
                words = [str(v) for v in values]
                raise error(
                    node,
                    f"`{show(label)}` cannot be {show(node.text, 30)!r}",
                    hint=did_you_mean(node.text, words, label="one of"),
                )
        case inspect.StrType():
            assert isinstance(node.value, str)
            if option.min_length and not node.value.strip():
                raise error(node, f"`{show(label)}` is empty")
        case inspect.IntType() | inspect.FloatType():
            assert isinstance(node.value, int | float)
            _check_bounds(node, node.value, option, label)
            if isinstance(option, inspect.FloatType):
                return float(node.value)
        case _:
            pass
    return node.value


def _check_bounds(
    node: Scalar, value: float, option: inspect.IntType | inspect.FloatType, label: str
) -> None:
    name = f"`{show(label)}`"
    if option.ge is not None and value < option.ge:
        what = "cannot be negative" if option.ge == 0 else f"should be at least {option.ge}"
        raise error(node, f"{name} {what}, not {show(node.text, 30)}")
    if option.gt is not None and value <= option.gt:
        raise error(node, f"{name} should be more than {option.gt}, not {show(node.text, 30)}")
    if option.le is not None and value > option.le:
        raise error(node, f"{name} should be at most {option.le:,}, not {show(node.text, 30)}")


def _wrong_type(node: Node, options: list[inspect.Type], label: str) -> InvalidError:
    name = f"`{show(label)}`"
    if isinstance(node, Scalar) and node.value is None:
        return error(node, f"{name} is empty", hint=f"it should be {_wanted(options)}")
    hint = None
    takes_text = any(isinstance(o, inspect.StrType) for o in options)
    if isinstance(node, Scalar) and not isinstance(node.value, str) and takes_text:
        hint = f'write it in quotes: "{show(node.text, 30)}"'
    elif isinstance(node, Scalar) and isinstance(node.value, str):
        hint = _without_quotes(node, options)
        if label == "run":
            hint = f"an argv list, never a shell string: {_argv(node.text)}"
    elif isinstance(node, Map) and any(isinstance(o, inspect.StrType) for o in options) and _braces(node):
        hint = 'write "{{ … }}" in quotes'
    return error(node, f"{name} should be {_wanted(options)}, not {describe(node)}", hint=hint)


def _argv(command: str) -> str:
    """How a command line is written as a list: `[wc, -l, "{{ file }}"]`, or with a shell if it needs one."""
    if set(command) & set("&|;<>$`*'\""):
        return '[sh, -c, "…"]'
    words = re.findall(r"(?:\{\{.*?\}\}|\S)+", command)[:6]
    return "[" + show(", ".join(f'"{word}"' if "{" in word else word for word in words)) + "]"


def _without_quotes(node: Scalar, options: list[inspect.Type]) -> str | None:
    from aethermind.definitions.source import resolve

    if node.plain or node.text != node.text.strip() or not node.text:
        return None
    value, odd = resolve(node.text)
    bare = Scalar(node.source, node.start, node.end, value, node.text)
    if odd is None and any(_fits(bare, o) for o in options):
        return f"write it without quotes: {show(node.text, 30)}"
    return None


def _braces(node: Map) -> bool:
    line = node.source.lines[node.start.line - 1]
    return line[node.start.column - 1 :].startswith("{{")


def _wanted(options: list[inspect.Type]) -> str:
    words = list(dict.fromkeys(_word(o) for o in options))
    return " or ".join(words)


def _word(option: inspect.Type) -> str:
    match option:
        case inspect.StrType():
            return "text"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "a whole number"
        case inspect.FloatType():
            return "a number"
        case inspect.ListType():
            return "a list"
        case inspect.LiteralType(values=values):
            return " or ".join(str(v) for v in values)
        case _:
            return "a mapping"
