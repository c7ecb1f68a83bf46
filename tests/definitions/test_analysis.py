from __future__ import annotations

import pytest

from aethermind.definitions.analysis import BadTemplate, references, uses, uses_of_condition


@pytest.mark.parametrize(
    "template,paths",
    [
        ("no tags", []),
        ("{{ a.b }} and {{ c }} and {{ a.b }}", [("a", "b"), ("c",)]),
        ("{{ a.b + c.d }}", [("a", "b"), ("c", "d")]),
        ("{{ plan['sections'][0].x }}", [("plan", "sections")]),
        ("{{ rows[i].x }}", [("rows",), ("i",)]),
        ("{{ foo.bar(baz) }}", [("foo", "bar"), ("baz",)]),
        ("{% for x in p.s %}{{ x.y ~ loop.index ~ i.z }}{% endfor %}", [("p", "s"), ("i", "z")]),
        ("{% set q = a.b %}{{ q.c }}", [("a", "b")]),
        ("{% for item in item.parts %}{{ item.x }}{% endfor %}", [("item",)]),
        ("{% macro m(a) %}{{ a.x }}{{ b.y }}{% endmacro %}", [("b", "y")]),
        ("{{ range(n) }}{{ dict(a=b) }}", [("n",), ("b",)]),
        ("{{ plan.x is defined }}", [("plan",)]),
        ("{{ plan.y | default(q.z) }}", [("plan",), ("q", "z")]),
        ("{{ plan.y | d }}", [("plan",)]),
        ("{# {{ a }} #}{% raw %}{{ b }}{% endraw %}", []),
        ("{{ steps.plan.status }}", [("steps", "plan", "status")]),
        ("{{ 'a.b' ~ \"{{ c }}\" }}", []),
    ],
)  # fmt: skip
def test_paths_in_order(template: str, paths: list[tuple[str, ...]]) -> None:
    assert list(uses(template).paths) == paths


@pytest.mark.parametrize(
    "template,whole",
    [
        ("{{ a }}", True),
        (" {{ a + 1 }}\n", True),
        ("{{ a }}{{ b }}", False),
        ("x{{ a }}", False),
        ("{% if a %}{% endif %}", False),
    ],
)
def test_whole_expressions(template: str, whole: bool) -> None:
    assert uses(template).is_expression is whole


def test_references_are_root_names() -> None:
    assert references("{{ a.b }}{{ c.d.e }}{{ a }}") == {"a", "c"}


def test_conditions_with_and_without_braces() -> None:
    assert uses_of_condition("a.b >= 8").paths == uses_of_condition("{{ a.b >= 8 }}").paths == (("a", "b"),)


@pytest.mark.parametrize(
    "template,message,line",
    [
        ("{{ a | nope }}", "there is no filter `nope`", 1),
        ("x\n{{ a is evn }}", "there is no test `evn`", 2),
        ("{{ a", "an expression is not closed", 1),
        ("x\ny\n{{ a b }}", "expected token", 3),
        ("{% if a %}", "Unexpected end of template", 1),
        ("{% include 'x' %}", "not available", 1),
        ("{% nonsense %}", "nonsense", 1),
        ("{{ " + "(" * 3_000 + "}}", "nested too deep", 1),
    ],
)
def test_bad_templates(template: str, message: str, line: int) -> None:
    with pytest.raises(BadTemplate) as caught:
        uses(template)
    assert message in str(caught.value)
    assert caught.value.line == line


@pytest.mark.parametrize("condition", ["", "  ", "{{ a }} b", "{% if a %}{% endif %}", "a b"])
def test_bad_conditions(condition: str) -> None:
    with pytest.raises(BadTemplate):
        uses_of_condition(condition)
