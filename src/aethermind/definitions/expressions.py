"""The port `Expressions`: templates and conditions.

- A string that is one whole `{{ expression }}` keeps its type; any other is rendered to text, where
  non-strings are JSON and null is nothing.
- Access through null is null; a mapping's keys win over its methods; what is not there is an error.
- Only the names that a template uses are taken from its scope, which may be huge and is never iterated.
- Values are never templates: nothing is evaluated twice.

Each template is compiled once. All methods raise `StepFailure` (kind `expression`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from aethermind.definitions import lookup
from aethermind.definitions.hints import show
from aethermind.domain.errors import ErrorInfo, StepFailure

Json = Any

_CONSTANT = {"true": True, "false": False}
_KEPT = 4_096
"""Compiled templates that are kept."""


class _Literal:
    """No tags at all."""

    is_expression = False

    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, scope: Mapping[str, Json]) -> Json:
        return self._text

    text = value


class _Paths:
    """Text with plain paths in it."""

    def __init__(self, parts: list[str | lookup.Path], whole: lookup.Path | None) -> None:
        self._parts = parts
        self._whole = whole
        self.is_expression = whole is not None

    def value(self, scope: Mapping[str, Json]) -> Json:
        if self._whole is None:
            return self.text(scope)
        found = lookup.follow(self._whole, scope)
        if isinstance(found, Mapping) and not isinstance(found, dict):
            return dict(found)  # `steps` is looked up, not made; a value is JSON
        return found

    def text(self, scope: Mapping[str, Json]) -> str:
        return "".join(
            part if isinstance(part, str) else lookup.render(lookup.follow(part, scope))
            for part in self._parts
        )


class _Jinja:
    """Everything else."""

    def __init__(self, source: str) -> None:
        from jinja2 import meta, nodes

        from aethermind.definitions import sandbox

        env = shared_sandbox()
        self._sandbox = sandbox
        stripped = sandbox.parse(env, source.strip())
        self._native = None
        expression = sandbox.single_expression(stripped)
        if expression is not None:
            target = nodes.Name("result", "store", lineno=1)
            body: list[nodes.Node] = [nodes.Assign(target, expression, lineno=1)]
            tree = sandbox.instrument(env, nodes.Template(body, lineno=1))
            self._native = env.from_string(tree)
        self.is_expression = self._native is not None
        tree = sandbox.instrument(env, sandbox.parse(env, source))
        self._names = tuple(sorted(meta.find_undeclared_variables(tree)))
        self._text = env.from_string(tree)

    def _context(self, template: Any, scope: Mapping[str, Json]) -> Any:
        names = {}
        for name in self._names:
            try:
                names[name] = scope[name]
            except KeyError:
                continue
        self._sandbox.meter.begin()
        return template.new_context(names)

    def value(self, scope: Mapping[str, Json]) -> Json:
        if self._native is None:
            return self.text(scope)
        context = self._context(self._native, scope)
        for _ in self._native.root_render_func(context):
            pass
        return self._sandbox.plain(context.vars["result"])

    def text(self, scope: Mapping[str, Json]) -> str:
        context = self._context(self._text, scope)
        weigh = self._sandbox.meter.weigh
        pieces, size = [], 0
        for piece in self._text.root_render_func(context):
            size += len(piece)
            self._sandbox.meter.size(size)
            pieces.append(weigh(piece))
        return self._sandbox.whole("".join(pieces))


_Compiled = _Literal | _Paths | _Jinja

_shared: list[Any] = []


def shared_sandbox() -> Any:
    """The one environment of this process, made on first use."""
    if not _shared:
        from aethermind.definitions.sandbox import Sandbox

        _shared.append(Sandbox())
    return _shared[0]


class JinjaExpressions:
    """Adapter of the port `Expressions`."""

    def __init__(self) -> None:
        self._compiled: dict[str, _Compiled] = {}

    def text(self, template: str, scope: Mapping[str, Json]) -> str:
        if not lookup.has_tags(template):
            return template
        try:
            result: str = self._compile(template).text(scope)
        except Exception as problem:  # noqa: BLE001  # whatever goes wrong in a template is the template's error
            _fail(template, problem)
        return result

    def value(self, tree: Json, scope: Mapping[str, Json]) -> Json:
        if isinstance(tree, str):
            if not lookup.has_tags(tree):
                return tree
            try:
                return self._compile(tree).value(scope)
            except Exception as problem:  # noqa: BLE001  # as in `text`
                _fail(tree, problem)
        if isinstance(tree, Mapping):
            return {key: self.value(inner, scope) for key, inner in tree.items()}
        if isinstance(tree, list | tuple):
            return [self.value(inner, scope) for inner in tree]
        return tree

    def truth(self, template: str, scope: Mapping[str, Json]) -> bool:
        if template in _CONSTANT:
            return _CONSTANT[template]
        source = as_expression(template)
        try:
            compiled = self._compile(source)
            if not compiled.is_expression:
                raise ValueError("a condition is one expression")
            return bool(compiled.value(scope))
        except Exception as problem:  # noqa: BLE001  # as in `text`
            _fail(template, problem)

    def _compile(self, source: str) -> _Compiled:
        found = self._compiled.get(source)
        if found is None:
            found = _compile(source)
            if len(self._compiled) >= _KEPT:
                self._compiled.clear()
            self._compiled[source] = found
        return found


def as_expression(condition: str) -> str:
    """A condition, with or without `{{ }}`, as a template."""
    return condition if lookup.has_tags(condition) else "{{ " + condition + " }}"


def _compile(source: str) -> _Compiled:
    parts = lookup.split(source)
    if parts is None:
        return _Jinja(source)
    if not any(isinstance(p, tuple) for p in parts):
        return _Literal(source)
    real = [p for p in parts if isinstance(p, tuple) or p.strip()]
    whole = real[0] if len(real) == 1 and isinstance(real[0], tuple) else None
    return _Paths(parts, whole)


def _fail(template: str, problem: Exception) -> NoReturn:
    if isinstance(problem, StepFailure):
        raise problem
    message, hint = _explain(problem)
    info = ErrorInfo(kind="expression", message=f"{message}, in {show(template.strip(), 80)}", hint=hint)
    raise StepFailure(info) from problem


_TYPES = {
    "'NoneType'": "null",
    "'str'": "text",
    "'int'": "a number",
    "'float'": "a number",
    "'dict'": "a mapping",
    "'list'": "a list",
    "'bool'": "a boolean",
}


def _explain(problem: Exception) -> tuple[str, str | None]:
    """Message and hint."""
    if isinstance(problem, lookup.Missing):
        return str(problem), problem.hint
    if isinstance(problem, RecursionError):
        return "it is nested too deep, or calls itself without end", None
    if isinstance(problem, MemoryError):
        return "it needs too much memory", None
    if isinstance(problem, KeyError):
        return f"there is no key {show(str(problem), 60)}", None
    text = getattr(problem, "message", None) or str(problem) or type(problem).__name__
    text = lookup.reword(text)
    for python, word in _TYPES.items():
        text = text.replace(python, word)
    message, _, hint = text.partition(" (") if text.endswith(")") else (text, "", "")
    return show(message, 200), show(hint.removesuffix(")"), 200) or None
