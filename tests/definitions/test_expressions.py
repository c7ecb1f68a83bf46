from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aethermind.definitions import lookup
from aethermind.definitions.expressions import JinjaExpressions
from aethermind.domain.errors import StepFailure

X = JinjaExpressions()
SCOPE: dict[str, Any] = {
    "plan": {"sections": ["a", "b"], "items": 3, "title": "T", "meta": {"x": None}},
    "n": None,
    "text": "one two\nthree",
    "zero": 0,
    "truth": True,
    "inputs": {"topic": "tides", "depth": 3},
}


@pytest.mark.parametrize(
    "template,value",
    [
        ("plain", "plain"),
        ("{{ plan.sections }}", ["a", "b"]),
        ("  {{ plan.sections }}\n", ["a", "b"]),
        ("{{ inputs.depth }}", 3),
        ("{{ inputs.depth + 1 }}", 4),
        ("{{ truth }}", True),
        ("{{ n }}", None),
        ("{{ n.a.b }}", None),
        ("{{ n['a'][0] }}", None),
        ("{{ plan.meta.x.y }}", None),
        ("{{ plan.items }}", 3),
        ("{{ plan['items'] }}", 3),
        ("{{ plan.meta.items() }}", [["x", None]]),
        ("{{ plan.sections[1] }}", "b"),
        ("{{ plan.sections | length }}", 2),
        ("{{ plan.sections | map('upper') }}", ["A", "B"]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ {'a': [n, truth]} }}", {"a": [None, True]}),
        ("{{ n or plan.title }}", "T"),
        ("{{ plan.nothing is defined }}", False),
        ("{{ plan.nothing | default('d') }}", "d"),
        ("{{ nothing | default('d') }}", "d"),
        ("{{ text | lines }}", ["one two", "three"]),
        ("{{ text | words }}", ["one", "two", "three"]),
        ("{{ n | lines }}", []),
        ("{{ plan.meta | json }}", '{"x": null}'),
        ("{{ plan.meta | tojson(indent=1) }}", '{\n "x": null\n}'),
        ("{{ text | safe }}", "one two\nthree"),
        ("{{ text | upper | replace('ONE', '1') }}", "1 TWO\nTHREE"),
        ("{{ plan.sections | join(', ') }}", "a, b"),
        ("{{ 'ä€' }}", "ä€"),
    ],
)
def test_a_whole_expression_keeps_its_type(template: str, value: object) -> None:
    found = X.value(template, SCOPE)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "template,text",
    [
        ("{{ plan.sections }}", '["a", "b"]'),
        ("On {{ inputs.topic }}: {{ plan.meta }}{{ n }}.", 'On tides: {"x": null}.'),
        ("{{ truth }} {{ zero }} {{ 1.5 }}", "true 0 1.5"),
        ("{% for s in plan.sections %}{{ loop.index }}{{ s }}{% endfor %}", "1a2b"),
        ("{% if n %}x{% else %}y{% endif %}\n", "y\n"),
        ("{{ 'a' ~ 1 ~ plan.sections ~ n }}", 'a1["a", "b"]'),
        ("no tags } here {", "no tags } here {"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("{# nothing #}", ""),
        ("{% set x = 2 %}{{ x * 3 }}", "6"),
        ("{{ '<&>' }}{{ text | e }}", "<&>one two\nthree"),
        ("{% macro m(a) %}[{{ a }}]{% endmacro %}{{ m(1) }}", "[1]"),
    ],
)
def test_text(template: str, text: str) -> None:
    assert X.text(template, SCOPE) == text
    assert type(X.text(template, SCOPE)) is str


def test_trees_are_evaluated_leaf_by_leaf() -> None:
    tree = {"a": ["{{ zero }}", "x{{ zero }}", 5, None], "{{ zero }}": True}
    assert X.value(tree, SCOPE) == {"a": [0, "x0", 5, None], "{{ zero }}": True}


def test_values_are_never_templates() -> None:
    scope = {"evil": "{{ secret }}", "secret": "s", "l": ["{{ secret }}"]}
    assert X.value("{{ evil }}", scope) == "{{ secret }}"
    assert X.text("<{{ evil }}>{{ evil ~ '' }}", scope) == "<{{ secret }}>{{ secret }}"
    assert X.value(["{{ l }}"], scope) == [["{{ secret }}"]]


@pytest.mark.parametrize(
    "condition,result",
    [
        ("inputs.depth == 3", True),
        ("{{ inputs.depth > 3 }}", False),
        ("n.a", False),
        ("not n", True),
        ("plan.sections", True),
        ("zero", False),
        ("true", True),
        ("false", False),
        ("'}}' == text", False),
        ("inputs.topic in ['tides', 'winds']", True),
        ("n is none and plan.none is not defined", True),
    ],
)
def test_conditions(condition: str, result: bool) -> None:
    assert X.truth(condition, SCOPE) is result


@pytest.mark.parametrize(
    "template,message,hint",
    [
        (
            "{{ plan.sektions }}",
            "`plan` has no `sektions`, in {{ plan.sektions }}",
            "did you mean `sections`?",
        ),
        ("{{ plan['sektions'] }}", "the value has no `sektions`", "did you mean `sections`?"),
        ("{{ nothing }}", "`nothing` is not defined", None),
        ("{{ nothing + 1 }}", "`nothing` is not defined", None),
        ("{{ text.foo }}", "`text` is text: it has no `foo`", None),
        ("{{ text.foo + 1 }}", "text has no `foo`", None),
        ("{{ plan.sections[7] }}", "the list has no item 7", "it has 2"),
        ("{{ zero / zero }}", "division by zero", None),
        ("{{ n > 3 }}", "'>' not supported between instances of null and a number", None),
        ("{{ plan.sections | nope }}", "No filter named 'nope'", None),
        ("{{ 1 + }}", "the expression ends too early", None),
        ("{% for x in n %}{% endfor %}", "there is nothing to loop over", "write `x or []`"),
        ("{% for x in zero %}{% endfor %}", "a number is nothing to loop over", None),
        ("{{ text.upper }}", "`text` is text: it has no `upper`", None),
        ("{{ text.upper ~ '' }}", "`upper` is a function", None),
        ("{{ 1e308 * 10 }}", "no number that JSON knows", None),
        ("{{ 2 ** 70 }}", "larger than 64 bits", None),
        ("{{ zero | lines }}", "`lines` takes text, not a number", None),
    ],
)
def test_errors_name_the_expression(template: str, message: str, hint: str | None) -> None:
    with pytest.raises(StepFailure) as caught:
        X.value(template, SCOPE)
    info = caught.value.info
    assert info.kind == "expression"
    assert not info.retryable
    assert message in info.message
    assert info.message.endswith(f"in {template}")
    assert info.hint == hint
    assert len(info.message.splitlines()) == 1


@pytest.mark.parametrize(
    "condition", ["nothing", "n and", "{{ zero }}{{ zero }}", "is {{ zero }}", "{% if n %}{% endif %}"]
)
def test_what_is_no_condition(condition: str) -> None:
    with pytest.raises(StepFailure) as caught:
        X.truth(condition, SCOPE)
    assert caught.value.info.kind == "expression"


class HugeScope(Mapping[str, Any]):
    """A scope that must not be walked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getitem__(self, name: str) -> Any:
        self.asked.append(name)
        if name == "gone":
            raise KeyError(name)
        return {"name": name}

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("the scope was iterated")

    def __len__(self) -> int:
        raise AssertionError("the scope was measured")


@pytest.mark.parametrize(
    "template", ["{{ a.name }}", "{{ a.name }}-", "{{ a.name ~ '' }}", "{% if a %}{{ a.name }}{% endif %}"]
)
def test_only_the_names_that_are_used_are_asked_for(template: str) -> None:
    scope = HugeScope()
    X.value(template, scope)
    assert set(scope.asked) == {"a"}
    assert X.value("{{ gone | default(5) }}", scope) == 5


def test_templates_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    expressions = JinjaExpressions()
    template = "{{ zero + 1 }}"
    expressions.value(template, SCOPE)
    monkeypatch.setattr(
        "aethermind.definitions.expressions._compile", lambda source: pytest.fail("compiled again")
    )
    assert expressions.value(template, {"zero": 4}) == 5


def test_simple_templates_need_no_template_engine() -> None:
    program = (
        "import sys\n"
        "from aethermind.definitions.expressions import JinjaExpressions\n"
        "x = JinjaExpressions()\n"
        "assert x.value(['{{ a.b }}', {'k': 'x{{ a.b }}'}, 'z'], {'a': {'b': 1}}) == [1, {'k': 'x1'}, 'z']\n"
        "assert x.truth('a.b', {'a': {'b': 1}})\n"
        "sys.exit('jinja2' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


names = st.sampled_from(["a", "b", "none", "loop", "true", "plan", "items", "x1", "_y"])
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(["", "t", "{{ a }}", "é\n"])
    | st.just(0.5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
pieces = st.one_of(
    st.sampled_from(["", " ", "text", "}", "{", "}}", "\n"]),
    st.lists(names, min_size=1, max_size=3).map(lambda path: "{{ " + ".".join(path) + " }}"),
)


def outcome(call: Any, template: str, scope: Mapping[str, Any]) -> Any:
    try:
        found = call(template, scope)
    except StepFailure as failure:
        return failure.info.kind
    return type(found), found


@given(st.lists(pieces, max_size=4).map("".join), st.dictionaries(names, values, max_size=4))
def test_the_short_way_gives_what_jinja_gives(template: str, scope: dict[str, Any]) -> None:
    short, whole = JinjaExpressions(), JinjaExpressions()
    whole._compile = _only_jinja  # type: ignore[method-assign]  # the way that simple templates do not take
    assert outcome(short.text, template, scope) == outcome(whole.text, template, scope)
    assert outcome(short.value, template, scope) == outcome(whole.value, template, scope)


def _only_jinja(source: str) -> Any:
    from aethermind.definitions.expressions import _Jinja

    return _Jinja(source)


def test_split_takes_only_what_it_understands() -> None:
    assert lookup.split("a {{ b.c }}d") == ["a ", ("b", "c"), "d"]
    for template in (
        "{{{ a }}}",
        "{{ a + 1 }}",
        "{{- a }}",
        "{% if a %}",
        "{{ a }}\r\n",
        "{{ true }}",
        "{{ a",
        "{{ ä }}",
    ):
        assert lookup.split(template) is None
