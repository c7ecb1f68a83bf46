"""Jinja2 in a sandbox whose work is measured.

A template may come from somebody else's file. It cannot reach Python, and it cannot eat the machine:
every loop turn, call and operator is counted, every piece of text that it makes is weighed, and an
operation that could be large by itself (`'x' * 10**9`, `'%999999999d'`, `replace`, `join`, …) is
measured before it is done. Nothing is folded at compile time, since that would be outside the measure.

Imported on first use only.
"""

from __future__ import annotations

import functools
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.filters import FILTERS
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from aethermind.definitions import lookup

MAX_TEXT = 10_000_000
"""Characters in the result or in any text on the way to it."""
MAX_MADE = 50_000_000
"""Characters made in all, in one evaluation."""
MAX_TURNS = 1_000_000
"""Loop turns, calls and operators in one evaluation."""
MAX_NUMBER = 1_000_000
"""Largest number handed to a method or filter."""
MAX_BITS = 100_000
SECONDS = 2.0


class TooMuch(Exception):  # noqa: N818  # a signal inside this package, turned into StepFailure
    """The template does more than a template should."""


class _Meter(threading.local):
    turns = 0
    made = 0
    deadline = float("inf")

    def begin(self) -> None:
        self.turns = self.made = 0
        self.deadline = time.monotonic() + SECONDS

    def turn(self) -> None:
        self.turns += 1
        if self.turns > MAX_TURNS:
            raise TooMuch(f"it takes more than {MAX_TURNS:,} turns")
        if not self.turns & 255 and time.monotonic() > self.deadline:
            raise TooMuch(f"it takes longer than {SECONDS:.0f} s")

    def size(self, length: int) -> None:
        """Before text of this length is made."""
        if length > MAX_TEXT:
            raise TooMuch(f"it makes a text of more than {MAX_TEXT:,} characters")

    def weigh(self, value: Any) -> Any:
        """After a value was made."""
        if isinstance(value, str):
            self.size(len(value))
            self.made += len(value)
            if self.made > MAX_MADE:
                raise TooMuch(f"it makes more than {MAX_MADE:,} characters of text")
        return value


meter = _Meter()


class Lacking(StrictUndefined):
    """An undefined value that says what is there instead; any use of it but a test is an error."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return str(self._undefined_hint)
        name = self._undefined_name
        obj = self._undefined_obj
        if isinstance(obj, Mapping) and isinstance(name, str):
            message, hint = lookup.missing_key(obj, name)
            return f"{message} ({hint})" if hint else message
        if isinstance(obj, list | tuple) and isinstance(name, int):
            return f"the list has no item {name} (it has {len(obj)})"
        if obj is None or isinstance(obj, str | int | float | list | tuple):
            return f"{lookup.kind_of(obj)} has no `{name}`"
        return f"`{name}` is not defined"


def _check_numbers(values: Iterable[Any]) -> None:
    for value in values:
        if isinstance(value, int) and abs(value) > MAX_NUMBER:
            raise TooMuch(f"the number {str(value)[:12]}… is too large for this")


def _check_format(template: str, values: Iterable[Any] = ()) -> None:
    """Widths in a format string: literal ones, and those taken from arguments."""
    if re.search(r"[0-9]{5}", template):
        raise TooMuch("a format wider than 9,999")
    if "*" in template or re.search(r"\{[^{}]*\{", template):
        for value in values:
            if isinstance(value, int) and abs(value) > 9_999:
                raise TooMuch("a format wider than 9,999")


def _multiply(left: Any, right: Any) -> Any:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, str | list | tuple) and isinstance(other, int):
            meter.size(len(one) * max(other, 0) * (1 if isinstance(one, str) else 8))
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > MAX_BITS:
        raise TooMuch("the number becomes too large")
    return left * right


def _power(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > MAX_BITS:
        raise TooMuch("the number becomes too large")
    return left**right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        values = right if isinstance(right, tuple | list) else [right]
        _check_format(left, values.values() if isinstance(values, Mapping) else values)
        meter.size(len(left) + 10_000 * left.count("%"))
    return left % right


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        meter.size(len(left) + len(right))
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
        meter.size((len(left) + len(right)) * 8)
    return left + right


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {"*": _multiply, "**": _power, "%": _modulo, "+": _add}

_NO_METHODS = frozenset({"encode", "maketrans", "translate"})


def _check_method(owner: str, name: str, args: tuple[Any, ...]) -> None:
    """Methods of text that could make a large one out of small arguments."""
    if name in _NO_METHODS:
        raise TooMuch(f"`{name}` is not available")
    if name == "replace" and len(args) >= 2:
        _check_replace(owner, *args[:2])
    elif name == "join" and args:
        _check_join(owner, args[0])
    elif name == "expandtabs" and args and isinstance(args[0], int):
        meter.size(len(owner) + owner.count("\t") * args[0])


def _check_replace(text: str, old: Any, new: Any) -> None:
    if isinstance(old, str) and isinstance(new, str):
        meter.size(len(text) + text.count(old) * len(new))


def _check_join(separator: str, items: Any) -> None:
    if isinstance(items, list | tuple):
        meter.size(sum(len(i) for i in items if isinstance(i, str)) + len(separator) * len(items))


# --- filters -----------------------------------------------------------------------------------


def _lines(value: Any) -> list[str]:
    """Text → its lines."""
    return _text(value, "lines").splitlines()


def _words(value: Any) -> list[str]:
    """Text → its words."""
    return _text(value, "words").split()


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"`{name}` takes text, not {lookup.kind_of(value)}")
    return value


def _json(value: Any, indent: int | None = None) -> str:
    """Any value → JSON text."""
    import json

    if indent is not None and not 0 <= indent <= 16:
        raise ValueError("`indent` of JSON is 0 to 16")
    return json.dumps(plain(value), ensure_ascii=False, indent=indent)


def _replace(value: Any, old: str, new: str, count: int | None = None) -> str:
    text = lookup.render(plain(value))
    _check_replace(text, old, new)
    return text.replace(old, new, -1 if count is None else count)


def _join(value: Any, d: str = "", attribute: Any = None) -> str:
    items = [_pick(item, attribute) for item in value or ()]
    texts = [lookup.render(plain(item)) for item in items]
    separator = str(d)
    _check_join(separator, texts)
    return separator.join(texts)


def _pick(item: Any, attribute: Any) -> Any:
    meter.turn()
    if attribute is None:
        return item
    for name in str(attribute).split("."):
        item = None if item is None else item[int(name) if name.isdecimal() else name]
    return item


def _format(value: Any, *args: Any, **kwargs: Any) -> str:
    if args and kwargs:
        raise TypeError("`format` takes values or named values, not both")
    return str(_modulo(str(value), kwargs or args))


def _indent(value: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = lookup.render(plain(value))
    _check_numbers([width])
    prefix = width if isinstance(width, str) else " " * width
    rows = text.split("\n")
    meter.size(len(text) + len(prefix) * len(rows))
    out = [prefix + row if (number or first) and (row or blank) else row for number, row in enumerate(rows)]
    return "\n".join(out)


def _join_texts(values: list[Any]) -> str:
    """The operator `~`."""
    texts = [lookup.render(plain(v)) for v in values]
    _check_join("", texts)
    return "".join(texts)


def _counted(values: Any) -> Iterator[Any]:
    """What a `for` loop goes over."""
    if values is None:
        raise TypeError("there is nothing to loop over: the value is null (write `x or []`)")
    if isinstance(values, int | float):
        raise TypeError("a number is nothing to loop over")
    for value in values:
        meter.turn()
        yield value


def _measured(filter_: Callable[..., Any]) -> Callable[..., Any]:
    own = 2 if hasattr(filter_, "jinja_pass_arg") else 1

    @functools.wraps(filter_)
    def measured(*args: Any, **kwargs: Any) -> Any:
        meter.turn()
        _check_numbers(args[own:])
        _check_numbers(kwargs.values())
        for value in (*args[own:], *kwargs.values()):
            if isinstance(value, str) and len(value) > 10_000 and filter_ not in _TAKE_TEXT:
                raise TooMuch("a text argument of more than 10,000 characters")
        return meter.weigh(filter_(*args, **kwargs))

    return measured


_OWN: dict[str, Callable[..., Any]] = {
    "json": _json,
    "tojson": _json,
    "lines": _lines,
    "words": _words,
    "replace": _replace,
    "join": _join,
    "format": _format,
    "indent": _indent,
}
_TAKE_TEXT = frozenset({_replace, _join, _format, _indent, FILTERS["default"]})
_DROPPED = frozenset({"random"})  # what a template gives depends on its scope alone


# --- the environment ---------------------------------------------------------------------------


class Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(_OPERATORS)

    def __init__(self) -> None:
        super().__init__(
            undefined=Lacking,
            finalize=_finalize,
            keep_trailing_newline=True,
            autoescape=False,
            optimized=False,
        )
        self.binop_table.update(_OPERATORS)
        for name in ("lipsum",):
            del self.globals[name]
        own = {**FILTERS, **_OWN}
        self.filters = {n: _measured(f) for n, f in own.items() if n not in _DROPPED}
        self.filters |= {"for loop": _counted, "operator ~": _join_texts}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if obj is None:
            return None
        if isinstance(obj, Mapping):
            try:
                return obj[attribute]
            except KeyError:
                pass
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if obj is None:
            return None
        return super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        meter.turn()
        return meter.weigh(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: B902, N805  # Jinja's own way to leave all keyword names free
        meter.turn()
        _check_numbers(args)
        _check_numbers(kwargs.values())
        name = getattr(__obj, "__name__", "")
        owner = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        if isinstance(owner, str):
            if name in {"format", "format_map"}:
                _check_format(owner, (*args, *kwargs.values()))
            _check_method(owner, name, args)
            if name == "join" and args and not isinstance(args[0], list | tuple):
                args = (list(_counted(args[0])),)
                _check_method(owner, name, args)
        return meter.weigh(super().call(__context, __obj, *args, **kwargs))


_NOT_HERE = (
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Extends,
    nodes.Block,
    nodes.ScopedEvalContextModifier,
)


class _Instrument(NodeTransformer):
    """Loops and `~` go through functions that measure; what loads other templates is refused."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  # the visitor's protocol
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "for loop", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802  # the visitor's protocol
        self.generic_visit(node)
        items = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(items, "operator ~", [], [], None, None, lineno=node.lineno)


def parse(env: Sandbox, source: str) -> nodes.Template:
    """Text → syntax tree, not yet instrumented. Raises `TemplateSyntaxError`."""
    tags = source.count("{{") + source.count("{%")
    if tags > 1_000 or any(len(run) > 10_000 for run in _tags(source)):
        raise TemplateSyntaxError("the template has too many or too long expressions", 1)
    try:
        tree = env.parse(source)
    except RecursionError:
        raise TemplateSyntaxError("the expression is nested too deep", 1) from None
    for node in tree.find_all(_NOT_HERE):
        word = {"FromImport": "from … import", "ScopedEvalContextModifier": "autoescape"}.get(
            type(node).__name__, type(node).__name__.lower()
        )
        raise TemplateSyntaxError(f"`{{% {word} %}}` is not available", node.lineno)
    return tree


def _tags(source: str) -> Iterator[str]:
    for match in re.finditer(r"\{[{%](.*?)[}%]\}", source, re.DOTALL):
        yield match[1]


def instrument(env: Sandbox, tree: nodes.Template) -> nodes.Template:
    result: nodes.Template = _Instrument().visit(tree)
    result.set_environment(env)
    return result


def single_expression(tree: nodes.Template) -> nodes.Expr | None:
    """The expression, if the template is one whole `{{ expression }}`."""
    match tree.body:
        case [nodes.Output(nodes=[expression])] if not isinstance(expression, nodes.TemplateData):
            return expression
        case _:
            return None


# --- values ------------------------------------------------------------------------------------


def _finalize(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, Undefined):
        return str(value)  # raises, naming what is missing
    return lookup.render(plain(value))


def plain(value: Any) -> Any:
    """What an expression gave → a JSON value. Raises `TypeError` for what is none."""
    match value:
        case None | bool():
            return value
        case int():
            if value.bit_length() > 63:
                raise TypeError("the result is larger than 64 bits")
            return value
        case str():
            return value if type(value) is str else str.__str__(value)
        case float():
            if value != value or value in {float("inf"), float("-inf")}:
                raise TypeError("the result is no number that JSON knows")
            return value
        case Undefined():
            str(value)
            raise TypeError("the value is not defined")
        case Mapping():
            if not all(isinstance(k, str) for k in value):
                raise TypeError("a mapping's keys must be text")
            return {str.__str__(k): plain(v) for k, v in value.items()}
        case list() | tuple() | range():
            return [plain(v) for v in value]
        case _ if isinstance(value, Iterator) or type(value).__name__ in {
            "dict_keys",
            "dict_values",
            "dict_items",
            "set",
            "frozenset",
        }:
            return [plain(v) for v in _counted(value)]
        case _ if callable(value):
            name = getattr(value, "__name__", "it")
            raise TypeError(f"`{name}` is a function: call it with `()`, or is a key of that name missing?")
        case _:
            raise TypeError(f"the result is no JSON value ({type(value).__name__})")
