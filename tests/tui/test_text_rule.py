"""Text from outside never gets to Textual as a bare `str`: only cleaned, as `Content` or `Segment`.

Textual sanitises nothing and reads a `str` as markup. So wherever the screens hand text over, what is handed
over is written there, or cleaned there. The checker is first shown what is wrong.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TUI = Path(__file__).resolve().parents[2] / "src" / "aethermind" / "tui"

CLEAN = frozenset({"clean", "clean_line", "safe", "safe_line", "safe_words"})
"""Make any text harmless."""
CONTENT = frozenset({"Content", "assemble", "styled"})
"""Take text as it is: what goes in must be harmless. `Content` itself is checked where it is made."""
WIDGETS = frozenset(
    {"Button", "Checkbox", "Collapsible", "DataTable", "Digits", "Footer", "Header", "Label", "Link", "Log"}
    | {"Markdown", "MarkdownViewer", "Pretty", "RadioButton", "RichLog", "Select", "SelectionList", "Static"}
    | {"Switch", "Tab", "TabbedContent", "Tabs", "Tree"}
)
"""Would read a `str` as markup, or draw it as it is."""
TITLES = frozenset({"border_title", "border_subtitle", "tooltip", "placeholder", "sub_title"})
SEGMENTS = frozenset({"strips.py", "lines.py", "view.py", "json_view.py", "layers.py"})
"""Widgets that draw rows cell by cell, from `Cells` and `Line`s that the tests with hostile texts look at."""


def breaches(source: str, name: str = "") -> Iterator[str]:
    """What hands text over that may be anything, as `line: what`."""
    tree = ast.parse(source)
    for scope in ast.walk(tree):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef | ast.Module):
            yield from _in_scope(scope, name)


def _in_scope(scope: ast.FunctionDef | ast.AsyncFunctionDef | ast.Module, name: str) -> Iterator[str]:
    for node in _own(scope):
        match node:
            case ast.ImportFrom(module="textual.widgets", names=names):
                for one in names:
                    if one.name in WIDGETS and (name, one.name) not in ALLOWED:
                        yield f"{node.lineno}: {one.name} takes text of its own accord"
            case ast.Assign(targets=[ast.Attribute(attr=attr)], value=value) if attr in TITLES:
                if not _content(value):
                    yield f"{node.lineno}: {attr} is not made by safe_line"
            case ast.Call(func=ast.Attribute(attr="notify"), args=[text, *_]) if not _harmless(text, scope):
                yield f"{node.lineno}: notify() of what is not cleaned"
            case ast.Call(func=ast.Name(id="Option"), args=[text, *_]) if name != "appearance.py":
                if not _content(text):
                    yield f"{node.lineno}: Option() of what is no Content"
            case ast.Call(func=ast.Attribute(attr="from_markup")):
                yield f"{node.lineno}: markup is read"
            case ast.Call(
                func=ast.Name(id="Content") | ast.Attribute(value=ast.Name(id="Content")), args=args
            ):
                for argument in args[: 1 if _called(node) == "styled" else None]:
                    text = argument.elts[0] if isinstance(argument, ast.Tuple) else argument
                    if not _harmless(text, scope):
                        yield f"{text.lineno}: {ast.unparse(text)} is not cleaned"
            case ast.Call(func=ast.Name(id="Segment")) if name not in SEGMENTS:
                yield f"{node.lineno}: Segment() outside of what draws rows"
            case ast.keyword(arg="markup", value=ast.Constant(value=True)):
                yield f"{node.value.lineno}: markup=True"
            case _:
                continue


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Everything in it but the insides of functions, which are scopes of their own."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _own(child)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _content(node: ast.expr) -> bool:
    """Whether it is a call (of what gives `Content`: mypy sees to that, and `Content(…)` is looked at)."""
    return isinstance(node, ast.Call) and _called(node) not in {"str", "format", "join", "repr"}


def _harmless(node: ast.expr, scope: ast.AST) -> bool:
    match node:
        case ast.Constant():
            return True
        case ast.JoinedStr(values=values):
            return all(_harmless(value, scope) for value in values)
        case ast.FormattedValue(value=value):
            return _harmless(value, scope)
        case ast.BinOp(op=ast.Mult(), left=left):
            return _harmless(left, scope)  # so many of them
        case ast.BinOp(left=left, right=right):
            return _harmless(left, scope) and _harmless(right, scope)
        case ast.IfExp(body=body, orelse=orelse):
            return _harmless(body, scope) and _harmless(orelse, scope)
        case ast.Subscript(value=value):
            return _harmless(value, scope)
        case ast.Starred(value=value) | ast.GeneratorExp(elt=value) | ast.ListComp(elt=value):
            return _harmless(value, scope)
        case ast.Tuple(elts=[first, *_]):
            return _harmless(first, scope)
        case ast.Attribute():
            return "glyphs" in ast.unparse(node).split(".")[:-1]
        case ast.Call():
            cleans = any(keyword.arg == "clean" for keyword in node.keywords)
            return cleans or _called(node) in CLEAN | CONTENT | {"stylize"}
        case ast.Name(id=id):
            given = [one for found in _own(scope) if (one := _given(found, id)) is not None]
            return bool(given) and all(_harmless(one, scope) for one in given)
        case _:
            return False


def _given(node: ast.AST, name: str) -> ast.expr | None:
    """What it assigns to this name."""
    match node:
        case ast.Assign(targets=targets, value=value) if any(_names(target, name) for target in targets):
            return value
        case ast.AnnAssign(target=ast.Name(id=id)) | ast.AugAssign(target=ast.Name(id=id)) if id == name:
            return node.value
        case _:
            return None


def _names(target: ast.expr, name: str) -> bool:
    inner = target.elts if isinstance(target, ast.Tuple) else [target]
    return any(isinstance(one, ast.Name) and one.id == name for one in inner)


ALLOWED = {
    ("dialog.py", "Static"),  # the one line that cleans what it is given
    ("line.py", "Static"),
    ("jump.py", "Static"),  # one letter of its own
}
"""(file, widget)"""


@pytest.mark.parametrize(
    "source",
    [
        "from textual.widgets import Label",
        "from textual.widgets import Input, Static",
        "def f(self, run): self.border_title = run.workflow",
        "def f(self, run): self.border_title = f'Run {run.workflow}'",
        "def f(self, text): self.app.notify(text)",
        "def f(name): return Option(name)",
        "def f(name): return Option(f'{name}')",
        "def f(name): return Content(name)",
        "def f(name): return Content(f'to {name}')",
        "def f(name): return Content.styled(name, 'bold')",
        "def f(name): return Content.assemble('a', (name, 'bold'))",
        "def f(name):\n    text = 'a'\n    text = name\n    return Content(text)",
        "def f(name): return Content.from_markup(name)",
        "def f(name): return Segment(name)",
        "x = OptionList(markup=True)",
    ],
)
def test_a_breach_is_noticed(source: str) -> None:
    assert list(breaches(source, "some.py"))


@pytest.mark.parametrize(
    "source",
    [
        "def f(self, run): self.border_title = safe_line(f'Run {run.workflow}')",
        "def f(self, text): self.app.notify(clean_line(text)[:500])",
        "def f(name): return Option(_label(name), id=name)",
        "def f(name): return Content.assemble('a', (clean_line(name), 'bold'), (f'{clean(name):>5}', ''))",
        "def f(name):\n    text = clean(name)\n    return Content(text + ' ')",
    ],
)
def test_what_is_cleaned_passes(source: str) -> None:
    assert not list(breaches(source, "some.py"))


def test_no_text_gets_to_the_screen_as_it_came() -> None:
    files = sorted(TUI.rglob("*.py"))
    assert len(files) > 50
    found = [
        f"{path.relative_to(TUI)}:{what}" for path in files for what in breaches(path.read_text(), path.name)
    ]
    assert not found
