from __future__ import annotations

import time
import tracemalloc

import pytest

from aethermind.definitions import metering
from aethermind.definitions.expressions import JinjaExpressions
from aethermind.domain.errors import StepFailure

X = JinjaExpressions()
SCOPE = {"big": "x" * 1_000_000, "rows": [[1] * 1_000] * 1_000, "d": {"a": 1}}

BOMBS = [
    "{{ 'a' * 10**9 }}",
    "{{ 10**9 * 'a' }}",
    "{{ [0] * 10**9 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ (2 ** 60000) * (2 ** 60000) }}",
    "{{ '%1000000000d' % 5 }}",
    "{{ '%*d' % (1000000000, 5) }}",
    "{{ '%1000000000d' | format(5) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 1000000000) }}",
    "{{ '{:{w}}'.format_map({'w': 99999}) }}",
    "{{ range(10**9) }}",
    "{{ 'a'.center(10**9) }}",
    "{{ 'a'.ljust(10**9) }}",
    "{{ 'a'.zfill(10**9) }}",
    "{{ 'a' | center(10**9) }}",
    "{{ '\t' * 1000000 | length }}{{ ('\t' * 1000000).expandtabs(1000) }}",
    "{{ big.replace('x', big) }}",
    "{{ big | replace('x', big) }}",
    "{{ big.join(range(1000) | map('string')) }}",
    "{{ range(1000) | map('string') | join(big) }}",
    "{{ ('\n' * 100000) | indent(big) }}",
    "{{ range(100000) | map('center', 1000000) | join | length }}",
    "{{ d | tojson(indent=100000000) }}",
    "{{ big | wordwrap(1, wrapstring=big) }}",
    "{{ 'a'.translate({97: big}) }}",
    "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "{% for a in rows %}{% for b in rows %}{{ b }}{% endfor %}{% endfor %}",
    "{% set n = namespace(x='aaaa') %}{% for i in range(100) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "{% set n = namespace(x='aaaa') %}{% for i in range(100) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% set n = namespace(x=[1]) %}{% for i in range(100) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% for x in [1, 1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
    "{% for i in range(100000) %}{% if 'yx' in big %}{% endif %}{% endfor %}",
    "{{ " + "(" * 5_000 + "1" + ")" * 5_000 + " }}",
    "{{ " + "1+" * 4_000 + "1 }}",
    "{{ " + "not " * 2_000 + "1 }}",
    "{{ a }}" * 0 + "{{ a + 1 }}" * 1_001,
]


@pytest.mark.parametrize("template", BOMBS, ids=range(len(BOMBS)))
def test_bombs_are_refused_before_they_go_off(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metering, "SECONDS", 0.5)
    before = time.process_time()
    tracemalloc.start()
    with pytest.raises(StepFailure) as caught:
        X.value(template, SCOPE)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.info.kind == "expression"
    assert time.process_time() - before < 15, "seconds of CPU, generously: memory is traced"
    assert peak < 200_000_000


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__ }}",
        "{{ ''['__class__'] }}",
        "{{ ''|attr('__class__') }}",
        "{{ d.__init__.__globals__ }}",
        "{{ rows.append(1) }}",
        "{{ d.update({'b': 2}) }}",
        "{{ d.pop('a') }}",
        "{{ ''.encode() }}",
        "{{ '{0.__class__}'.format(d) }}",
        "{{ cycler.__init__ }}",
        "{{ lipsum() }}",
        "{{ [1] | random }}",
        "{{ self._TemplateReference__context }}",
        "{% include 'x' %}",
        "{% import 'x' as x %}",
        "{% from 'x' import y %}",
        "{% extends 'x' %}",
        "{% block b %}{% endblock %}",
    ],
)
def test_a_template_reaches_nothing_but_its_scope(template: str) -> None:
    with pytest.raises(StepFailure) as caught:
        X.value(template, SCOPE)
    assert caught.value.info.kind == "expression"
    assert SCOPE["d"] == {"a": 1}


def test_ordinary_work_is_within_the_measure() -> None:
    rows = [{"n": n, "t": "x" * 50} for n in range(5_000)]
    text = X.text("{% for r in rows %}{{ r.n }}: {{ r.t | upper }}\n{% endfor %}", {"rows": rows})
    assert len(text.splitlines()) == 5_000
    assert X.value("{{ rows | map(attribute='n') | select('odd') | sum }}", {"rows": rows}) == 6_250_000
    assert X.value("{{ '%03d|%-8s' % (7, 'ab') }}", {}) == "007|ab      "
    assert X.value("{{ '{:>6.2f}'.format(1.5) }}", {}) == "  1.50"
    assert X.value("{{ rows | groupby('t') | map(attribute=0) | first | length }}", {"rows": rows}) == 50
