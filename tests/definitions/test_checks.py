"""What refers to what: dependencies that follow from templates, and the names that cannot be used."""

from __future__ import annotations

import pytest

from tests.definitions.helpers import refused, step, workflow

GROUP = """\
  - {id: plan, prompt: hi, output: {sections: [string]}}
  - {id: seed, value: 1}
  - id: polish
    repeat: {until: "judge.score >= 8", max: 3}
    steps:
      - {id: text, prompt: "{{ plan.sections }} {{ previous.judge.issues }} {{ iteration }}"}
      - id: inner
        steps:
          - {id: deep, value: "{{ text }} {{ seed }}"}
      - {id: judge, prompt: "{{ inner.deep }}", output: {score: number, issues: [string]}}
  - {id: use, value: "{{ polish.judge.score }} {{ polish.inner.deep }}"}
"""


def test_references_make_dependencies() -> None:
    flow = workflow(
        '  - {id: c, value: "{{ b.x }} {{ a }}"}\n  - {id: b, value: {x: "{{ a }}"}}\n  - {id: a, value: 1}\n'
    )
    assert step(flow, "c").references == ("b", "a")
    assert step(flow, "b").references == ("a",)
    assert step(flow, "a").needs == ()


def test_every_template_of_a_step_counts() -> None:
    flow = workflow(
        "".join(f"  - {{id: s{n}, value: 1}}\n" for n in range(6))
        + '  - id: all\n    when: s0 == 1\n    for_each: ["{{ s1 }}"]\n    run: [echo, "{{ s2 }}"]\n'
        '    stdin: "{{ s3 }}"\n    cwd: "{{ s4 }}"\n    env: {X: "{{ s5 }}"}\n    save: "{{ item }}.txt"\n'
    )
    assert step(flow, "all").references == ("s0", "s1", "s2", "s3", "s4", "s5")


def test_explicit_dependencies_stay_and_both_spellings_work() -> None:
    flow = workflow(
        "  - {id: a, value: 1}\n  - {id: b, value: 1, depends_on: [a, a]}\n"
        '  - {id: c, value: "{{ a }}", dependsOn: [b]}\n  - {id: d, value: 1, depends_on: a}\n'
    )
    assert step(flow, "b").depends_on == ("a",)
    assert (step(flow, "c").depends_on, step(flow, "c").references) == (("b",), ("a",))
    assert step(flow, "d").depends_on == ("a",)


def test_asking_for_a_status_orders_but_does_not_refer() -> None:
    flow = workflow(
        "  - {id: a, value: 1}\n  - {id: b, value: \"{{ steps.a.status }} {{ steps['a'].output }}\"}\n"
    )
    assert step(flow, "b").depends_on == ("a",)
    assert step(flow, "b").references == ()


def test_a_group_refers_for_its_steps() -> None:
    flow = workflow(GROUP)
    assert step(flow, "polish").references == ("plan", "seed")
    assert step(flow, "polish/text").needs == ()
    assert step(flow, "polish/inner").references == ("text",)
    assert step(flow, "polish/inner/deep").needs == ()
    assert step(flow, "polish/judge").references == ("inner",)
    assert step(flow, "use").references == ("polish",)


def test_a_step_of_a_group_may_wait_for_one_outside() -> None:
    flow = workflow(
        "  - {id: a, value: 1}\n  - {id: b, value: 1}\n  - id: g\n    steps:\n"
        '      - {id: x, value: "{{ steps.b.status }}", depends_on: [a]}\n'
    )
    assert step(flow, "g").depends_on == ("a", "b")
    assert step(flow, "g/x").needs == ()


def test_always_sees_everything_and_nothing_waits_for_it() -> None:
    flow = workflow(
        '  - {id: a, value: 1}\n  - {id: end, value: "{{ run.status }} {{ a }} {{ steps }}", always: true}\n'
    )
    assert step(flow, "end").always
    assert step(flow, "end").references == ("a",)
    assert "nothing can wait" in refused(
        "  - {id: e, value: 1, always: true}\n  - {id: b, value: 1, depends_on: [e]}\n"
    )
    assert "needs the name of a step" in refused('  - {id: a, value: 1}\n  - {id: b, value: "{{ steps }}"}\n')


def test_a_leaf_that_repeats_sees_its_own_last_output_in_until() -> None:
    flow = workflow(
        "  - {id: try, run: [\"true\"], repeat: {until: \"try == 'ok' or output == 'fine'\", max: 2}}\n"
    )
    assert step(flow, "try").needs == ()


def test_long_chains_are_no_problem() -> None:
    lines = [
        "  - {id: s0, value: 1}\n",
        *(f'  - {{id: s{n}, value: "{{{{ s{n - 1} }}}}"}}\n' for n in range(1, 3_000)),
    ]
    flow = workflow("".join(reversed(lines)))
    assert step(flow, "s2999").references == ("s2998",)


def test_methods_of_values_are_no_keys() -> None:
    workflow(
        "  - {id: t, prompt: hi}\n  - {id: o, prompt: hi, output: {items: [string], n: integer?}}\n"
        "  - {id: l, for_each: [1], value: 1}\n"
        '  - {id: u, value: "{{ t.upper() }} {{ o.keys() }} {{ o.items }} {{ l.count(1) }}"}\n'
        '  - {id: v, value: "{{ o.x is defined }}"}\n'
    )


@pytest.mark.parametrize(
    "steps,fragment",
    [
        (GROUP.replace("judge.score >= 8", "juge.score >= 8"), "unknown name `juge` (did you mean `judge`?)"),
        (
            GROUP.replace("judge.score >= 8", "judge.scor >= 8"),
            "`judge` has no `scor` (did you mean `score`?)",
        ),
        (GROUP.replace("judge.score >= 8", "polish.judge.score"), "`polish` cannot use its own output"),
        (
            GROUP.replace("previous.judge.issues", "previous.jude"),
            "`previous` has no `jude` (did you mean `judge`?)",
        ),
        (GROUP.replace("previous.judge.issues", "polish"), "`polish` is the group that this step is in"),
        (GROUP.replace("polish.judge.score", "polish.judge.scores"), "`polish.judge` has no `scores`"),
        (GROUP.replace("polish.inner.deep", "polish.deep"), "`polish` has no `deep`"),
        (
            GROUP.replace("polish.inner.deep", "deep"),
            "it is a step inside `polish.inner`: use `polish.inner.deep`",
        ),
        (GROUP.replace("{{ seed }}", "{{ use }}"), "the steps wait for each other: polish → use → polish"),
        (
            GROUP.replace("plan.sections", "plan.sections.title"),
            "`plan.sections` is a list: it has no `title`",
        ),
        ('  - {id: a, value: "{{ inputs.x.y }}"}\n', "there is no input `x` (this workflow has no inputs)"),
        ('  - {id: a, value: "{{ run.state }}"}\n', "`run` has no `state`"),
        ('  - {id: a, value: "{{ workflow.file }}"}\n', "`workflow` has no `file`"),
        ('  - {id: a, value: "{{ output }}"}\n', "`output` is only there in `until`"),
        ('  - {id: a, value: "{{ steps.b.status }}"}\n', "there is no step `b` here"),
        ('  - {id: a, value: "{{ index }}"}\n', "`index` is only there inside a `for_each`"),
        ('  - {id: a, repeat: {max: 2}, when: "iteration > 1", value: 1}\n', "before the first round"),
        ('  - {id: a, repeat: {max: 2}, value: "{{ a }}"}\n', "(`previous` is the output of the last round)"),
        ('  - {id: a, value: "{{ value }}"}\n', "unknown name `value`"),
        ("  - {id: a, value: 1, depends_on: [b, c]}\n", "`depends_on` names `b`, which is no step here"),
    ],
)
def test_names_that_cannot_be(steps: str, fragment: str) -> None:
    assert fragment in refused(steps)


def test_the_place_of_a_name_is_found_in_every_style() -> None:
    for steps, place in [
        ('  - {id: a, value: "x \\" {{ nope }}"}\n', "3:29"),
        ("  - id: a\n    prompt: Hi {{ nope }}\n", "4:19"),
        ("  - id: a\n    prompt: >\n      nope nope\n      {{ nope }}\n", "6:10"),
        ("  - id: a\n    prompt: |\n      {% if nope %}\n      x{% endif %}\n", "5:13"),
        ("  - id: a\n    prompt: |\n      {{ 'nope' }} nope\n      {{\n      nope }}\n", "7:7"),
        ('  - id: a\n    value:\n      - [1, {k: "{{ nope.x }}"}]\n', "5:21"),
        ("  - {id: a, value: 1, when: nope > 1}\n", "3:29"),
    ]:
        assert refused(steps).startswith(f"f.yaml:{place}: unknown name `nope`")
