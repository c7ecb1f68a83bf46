"""Jinja2 in a sandbox whose work is measured.

A template may come from somebody else's file. It cannot reach Python, it cannot load other templates, and
`metering` bounds what it does. Nothing is folded at compile time, since that would be outside the measure.

Imported on first use only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.filters import FILTERS
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from aethermind.definitions import lookup
from aethermind.definitions.filters import DROPPED, OWN, counted, finalize, join_texts, measured, plain, whole
from aethermind.definitions.metering import OPERATORS, check_format, check_method, check_numbers, meter


class Lacking(StrictUndefined):
    """An undefined value that says what is there instead; any use of it but a test is an error."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return str(self._undefined_hint)
        name: Any = self._undefined_name
        obj: Any = self._undefined_obj
        if isinstance(obj, Mapping) and isinstance(name, str):
            message, hint = lookup.missing_key(obj, name)
            return f"{message} ({hint})" if hint else message
        if isinstance(obj, list | tuple) and isinstance(name, int):
            return f"the list has no item {name} (it has {len(obj)})"
        if obj is None or isinstance(obj, str | int | float | list | tuple):
            return f"{lookup.kind_of(obj)} has no `{name}`"
        return f"`{name}` is not defined"


class Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset(OPERATORS)

    def __init__(self) -> None:
        super().__init__(
            undefined=Lacking,
            finalize=finalize,
            keep_trailing_newline=True,
            autoescape=False,
            optimized=False,
        )
        self.binop_table.update(OPERATORS)
        for name in ("lipsum",):
            del self.globals[name]
        own = {**FILTERS, **OWN}
        self.filters = {n: measured(f) for n, f in own.items() if n not in DROPPED}
        self.filters |= {"for loop": counted, "operator ~": join_texts}

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

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        meter.turn()
        check_numbers(args)
        check_numbers(kwargs.values())
        name = getattr(obj, "__name__", "")
        owner = getattr(getattr(obj, "__wrapped__", obj), "__self__", None)
        if isinstance(owner, str):
            if name in {"format", "format_map"}:
                check_format(owner, (*args, *kwargs.values()))
            check_method(owner, name, args)
            if name == "join" and args and not isinstance(args[0], list | tuple):
                args = (list(counted(args[0])),)
                check_method(owner, name, args)
        return meter.weigh(super().call(context, obj, *args, **kwargs))


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


__all__ = ["Sandbox", "instrument", "meter", "parse", "plain", "single_expression", "whole"]
