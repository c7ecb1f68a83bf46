from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from aethermind.definitions.context import Defaults
from aethermind.definitions.fingerprints import source_hash
from aethermind.definitions.python import Workflow, load_target
from aethermind.domain.errors import AethermindError, InvalidError, NotFoundError
from aethermind.domain.workflow import Budget, Function, Retry


async def noop(ctx: Any) -> Any:
    return None


async def other(ctx: Any) -> Any:
    return 1


def test_steps_are_functions() -> None:
    flow = Workflow("noop", description="d", budget_usd="0.5", priority=2, max_concurrent=3)

    @flow.step
    async def a(ctx: Any) -> Any:
        return {"x": 1}

    @flow.step(depends_on=["a"], timeout=1.5, retry=3, agent="scorer", on_error="continue", when=True)
    async def b(ctx: Any) -> Any:
        return ctx.steps["a"].output

    @flow.step(
        id="third",
        depends_on="b",
        timeout="10s",
        retry={"max_attempts": 2, "backoff": "2s", "max_backoff": 5},
    )
    def c(ctx: Any) -> Any:
        return 3

    definition = flow.definition
    assert (definition.name, definition.description, definition.budget) == (
        "noop",
        "d",
        Budget(micro_usd=500_000),
    )
    assert (definition.priority, definition.max_concurrent) == (2, 3)
    first, second, third = definition.steps
    assert isinstance(first.action, Function)
    assert first.action.name == "noop.a"
    assert (first.retry, first.timeout_ms) == (Retry(), None)
    assert (second.depends_on, second.timeout_ms, second.retry.max_attempts) == (("a",), 1_500, 3)
    assert (second.on_error, second.when, second.action.agent) == ("continue", "true", "scorer")  # type: ignore[union-attr]  # a function
    assert (third.id, third.depends_on, third.timeout_ms) == ("third", ("b",), 10_000)
    assert third.retry == Retry(max_attempts=2, backoff_ms=2_000, max_backoff_ms=5_000)
    assert flow.functions == {"noop.a": a, "noop.b": b, "noop.third": c}
    assert flow.definition is definition


def test_defaults_are_filled_in_by_build() -> None:
    flow = Workflow("w")
    flow.add(noop, id="plain")
    flow.add(noop, id="once", retry=1, timeout=1)
    plain, once = flow.build().steps
    assert (plain.retry.max_attempts, plain.timeout_ms) == (4, 600_000)
    assert (once.retry.max_attempts, once.timeout_ms) == (1, 1_000)
    plain, once = flow.build(Defaults(retries=0, timeout_ms=7)).steps
    assert (plain.retry.max_attempts, plain.timeout_ms) == (1, 7)
    assert once.timeout_ms == 1_000


def test_templates_make_references() -> None:
    flow = Workflow("w", inputs={"n": "integer"}, outputs={"all": "{{ each }}"})
    flow.add(noop, id="plan")
    flow.add(
        noop, id="each", for_each="{{ plan.rows }}", when="inputs.n > 1 and steps.plan.status == 'succeeded'"
    )
    flow.add(noop, id="lit", for_each=[1, 2], max_parallel=1, inputs={"x": "{{ each }}"})
    _, each, lit = flow.definition.steps
    assert (each.references, each.depends_on) == (("plan",), ("plan",))
    assert (lit.references, lit.for_each, lit.max_parallel) == (("each",), [1, 2], 1)


def test_inputs_have_short_schemas() -> None:
    flow = Workflow(
        "w", inputs={"topic": "string", "tags": ["string"], "depth": {"type": "integer", "default": 3}}
    )
    flow.add(noop)
    inputs = flow.definition.inputs
    assert inputs["tags"].schema == {"type": "array", "items": {"type": "string"}}
    assert (inputs["depth"].default, inputs["depth"].required) == (3, False)


@pytest.mark.parametrize(
    "options,fragment",
    [
        ({"id": "a-b"}, "cannot be a step's id"),
        ({"id": "inputs"}, "is reserved"),
        ({"id": "first"}, "there are two steps `first`"),
        ({"depends": ["first"]}, "a step has no option `depends` (did you mean `depends_on`?)"),
        ({"timeout": "1:30"}, "1:30 is no duration"),
        ({"timeout": 0}, "cannot be 0"),
        ({"timeout": -1}, "is no duration"),
        ({"timeout": float("nan")}, "is no duration"),
        ({"retry": 0}, "from 1 to 100"),
        ({"retry": {"attempts": 2}}, "`retry` has no `attempts`"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], fragment: str) -> None:
    flow = Workflow("w")
    flow.add(noop, id="first")
    with pytest.raises(InvalidError) as caught:
        flow.add(noop, **options)
    assert fragment in caught.value.line()


@pytest.mark.parametrize(
    "options,fragment",
    [
        ({"depends_on": ["frist"]}, "depends on `frist`, which is no step (did you mean `first`?)"),
        ({"depends_on": ["x"]}, "depends on itself"),
        ({"when": "nope > 1"}, "step `x`: unknown name `nope`"),
        ({"when": "first >"}, "the expression ends too early"),
        ({"for_each": "{{ inputs.q }}"}, "there is no input `q`"),
        ({"inputs": {"a": ["{{ nope }}"]}}, "unknown name `nope`"),
    ],
)
def test_references_that_cannot_be(options: dict[str, Any], fragment: str) -> None:
    flow = Workflow("w", inputs={"n": "integer"})
    flow.add(noop, id="first")
    flow.add(noop, id="x", **options)
    with pytest.raises(InvalidError) as caught:
        _ = flow.definition
    assert fragment in caught.value.line()


def test_circles_are_named() -> None:
    flow = Workflow("w")
    flow.add(noop, id="a", depends_on=["c"])
    flow.add(noop, id="b", depends_on=["a"])
    flow.add(noop, id="c", depends_on=["b"])
    with pytest.raises(
        InvalidError, match=r"wait for each other: (a → c → b → a|b → a → c → b|c → b → a → c)"
    ):
        _ = flow.definition


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InvalidError):
        Workflow(name)


def test_an_empty_workflow_is_refused() -> None:
    with pytest.raises(InvalidError, match="has no steps"):
        _ = Workflow("w").definition
    with pytest.raises(InvalidError, match="inputs: `strng` is no type"):
        Workflow("w", inputs={"x": "strng"})
    with pytest.raises(InvalidError, match="inputs: object is no JSON value"):
        Workflow("w", inputs={"x": object()})


def test_the_source_decides_the_hash() -> None:
    class Callable:
        async def __call__(self, ctx: Any) -> Any:
            return 2

    assert source_hash(noop) == source_hash(noop) != source_hash(other)
    assert len(source_hash(noop)) == 16
    assert source_hash(Callable()) not in {"", source_hash(noop)}
    space: dict[str, Any] = {}
    exec("def f(ctx): return 1\ndef g(ctx): return 2", space)  # a function without a source file
    assert source_hash(space["f"]) != source_hash(space["g"])
    assert source_hash(len) == ""


def test_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "target_flows.py").write_text(
        "from aethermind.definitions.python import Workflow\nflow = Workflow('t')\nnumber = 5\n"
        "@flow.step\nasync def a(ctx): return 1\n",
        encoding="utf-8",
    )
    (tmp_path / "target_broken.py").write_text("1 / 0\n", encoding="utf-8")
    (tmp_path / "target_lacking.py").write_text("import not_installed_anywhere\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load_target("target_flows:flow").definition.name == "t"
    for target, kind, fragment in [
        ("target_flows:flwo", NotFoundError, "did you mean `flow`?"),
        ("target_flows:number", InvalidError, "is no Workflow but int"),
        ("target_nowhere:flow", NotFoundError, "there is no module `target_nowhere`"),
        ("target_broken:flow", InvalidError, "does not load: ZeroDivisionError: division by zero"),
        ("target_lacking:flow", InvalidError, "No module named 'not_installed_anywhere'"),
        ("target_flows", InvalidError, "names no workflow"),
        ("../x:flow", InvalidError, "names no workflow"),
    ]:
        with pytest.raises(AethermindError) as caught:
            load_target(target)
        assert type(caught.value) is kind
        assert fragment in caught.value.line()
    for module in ("target_flows", "target_broken", "target_lacking"):
        sys.modules.pop(module, None)


@pytest.mark.parametrize("given,meant", [(True, True), (False, False), ("7d", 604_800_000), (90, 90_000)])
def test_cache(given: Any, meant: Any) -> None:
    flow = Workflow("f")
    flow.add(lambda ctx: None, id="a", cache=given)
    found = flow.definition.steps[0].cache
    assert (found, found is True) == (meant, meant is True)


def test_a_cache_of_no_time_is_refused() -> None:
    with pytest.raises(InvalidError, match="`cache` cannot be 0"):
        Workflow("f").add(lambda ctx: None, id="a", cache=0)
