"""What a template uses, found without evaluating it.

`uses` gives the paths of names that come from outside (`plan.sections`, `inputs.topic`, `steps.x.status`)
in the order in which they stand there. A path ends where it stops being static (`rows[i].x` → `rows`),
and before what is only asked for (`plan.note is defined`, `plan.note | default('')`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from aethermind.definitions import lookup
from aethermind.definitions.expressions import as_expression, shared_sandbox
from aethermind.definitions.hints import did_you_mean, show

if TYPE_CHECKING:
    from jinja2 import nodes


class BadTemplate(ValueError):
    """A template that cannot be read. `line` counts from 1 within the template."""

    def __init__(self, message: str, line: int = 1, hint: str | None = None, word: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.hint = hint
        self.word = word
        """Where to point, if it is about one word."""


@dataclass(frozen=True, slots=True)
class Uses:
    paths: tuple[lookup.Path, ...] = ()
    is_expression: bool = False
    """Whether the template is one whole expression, so that it keeps its type."""

    @property
    def names(self) -> tuple[str, ...]:
        """Roots of the paths, in order, without doubles."""
        return tuple(dict.fromkeys(p[0] for p in self.paths))


NOTHING = Uses()


def uses(template: str) -> Uses:
    """Raises `BadTemplate`."""
    if not lookup.has_tags(template):
        return NOTHING
    return _uses(template)


def uses_of_condition(condition: str) -> Uses:
    """The same for a condition, with or without `{{ }}`."""
    if not condition.strip():
        raise BadTemplate("the condition is empty")
    found = _uses(as_expression(condition))
    if not found.is_expression:
        raise BadTemplate(
            "a condition is one expression", hint="write `a.score >= 8`, or `{{ a.score >= 8 }}`"
        )
    return found


def references(template: str) -> set[str]:
    """Names of outside that a template uses. Raises `BadTemplate`."""
    return set(uses(template).names)


@lru_cache(maxsize=4_096)
def _uses(template: str) -> Uses:
    parts = lookup.split(template)
    if parts is not None:
        paths = [p for p in parts if isinstance(p, tuple)]
        texts = [p for p in parts if isinstance(p, str) and p.strip()]
        return Uses(tuple(dict.fromkeys(paths)), is_expression=len(paths) == 1 and not texts)
    return _parse(template)


def _parse(template: str) -> Uses:
    from jinja2 import TemplateSyntaxError, meta, nodes

    from aethermind.definitions import sandbox

    env = shared_sandbox()
    try:
        tree = sandbox.parse(env, template)
        single = sandbox.single_expression(sandbox.parse(env, template.strip())) is not None
        _check_words(env, tree)
        undeclared = meta.find_undeclared_variables(tree)
        paths = dict.fromkeys(_Paths(tree).paths)
    except TemplateSyntaxError as problem:
        raise BadTemplate(lookup.reword(problem.message or "it cannot be read"), problem.lineno) from None
    except RecursionError:
        raise BadTemplate("the expression is nested too deep") from None
    builtin = env.globals
    stored = {n.name for n in tree.find_all(nodes.Name) if n.ctx != "load"}
    out: list[lookup.Path] = []
    for path in paths:
        root = path[0]
        if root not in undeclared or root in builtin:
            continue
        # A name that is also set inside the template: which one a path means cannot be told here.
        out.append((root,) if root in stored else path)
    return Uses(tuple(dict.fromkeys(out)), is_expression=single)


def _check_words(env: Any, tree: nodes.Template) -> None:
    """Filters and tests that do not exist."""
    from jinja2 import nodes

    for node in tree.find_all((nodes.Filter, nodes.Test)):
        assert isinstance(node, nodes.Filter | nodes.Test)
        is_filter = isinstance(node, nodes.Filter)
        known = env.filters if is_filter else env.tests
        if node.name not in known:
            what = "filter" if is_filter else "test"
            names = [n for n in known if " " not in n and n.isidentifier()]
            raise BadTemplate(
                f"there is no {what} `{show(node.name)}`",
                node.lineno,
                did_you_mean(node.name, names),
                node.name,
            )


class _Paths:
    """Walks a tree and collects the static paths of loaded names."""

    def __init__(self, tree: nodes.Template) -> None:
        from jinja2 import nodes

        self._nodes = nodes
        self.paths = list(self._walk(tree))

    def _walk(self, node: nodes.Node) -> Iterator[lookup.Path]:
        n = self._nodes
        if isinstance(node, n.Name):
            if node.ctx == "load":
                yield (node.name,)
            return
        if isinstance(node, n.Getattr | n.Getitem):
            path = self._path(node)
            if path is not None:
                yield path
                return
        soft = (isinstance(node, n.Test) and node.name in {"defined", "undefined"}) or (
            isinstance(node, n.Filter) and node.name in {"default", "d"}
        )
        if soft and isinstance(asked := node.node, n.Getattr | n.Getitem):  # type: ignore[attr-defined]  # Filter and Test
            path = self._path(asked)
            if path is not None:
                yield path[:-1]
                for child in node.iter_child_nodes(exclude=("node",)):
                    yield from self._walk(child)
                return
        for child in node.iter_child_nodes():
            yield from self._walk(child)

    def _path(self, node: nodes.Expr) -> lookup.Path | None:
        """`a.b['c']` → ("a", "b", "c"); None if it is not static from its root on."""
        n = self._nodes
        names: list[str] = []
        while True:
            match node:
                case n.Getattr():
                    names.append(node.attr)
                    node = node.node
                case n.Getitem(arg=n.Const(value=str(key))):
                    names.append(key)
                    node = node.node
                case n.Name(ctx="load"):
                    return (node.name, *reversed(names))
                case _:
                    return None
