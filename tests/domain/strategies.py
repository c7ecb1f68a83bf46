"""Random definitions: DAGs with groups, fan-outs, loops, conditions and every `on_error`."""

from __future__ import annotations

from hypothesis import strategies as st

from aethermind.domain.workflow import (
    Function,
    Group,
    Repeat,
    Retry,
    StepDef,
    SubWorkflow,
    Value,
    WorkflowDef,
)


@st.composite
def steps(draw: st.DrawFn, depth: int, prefix: str) -> tuple[StepDef, ...]:
    count = draw(st.integers(1, 4 if depth else 3))
    made: list[StepDef] = []
    for number in range(count):
        step_id = f"{prefix}{number}"
        earlier = [s.id for s in made if not s.always]
        depends = tuple(draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2))) if earlier else ()
        uses = tuple(draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2))) if earlier else ()
        nested = depth > 0 and draw(st.integers(0, 3)) == 0
        leaf = Value(value=1) if draw(st.integers(0, 9)) == 0 else Function(name="f")
        inner = draw(steps(depth - 1, step_id + "_")) if nested else ()
        within: Group | SubWorkflow = Group(steps=inner)
        if nested and draw(st.booleans()):
            within = SubWorkflow(workflow=WorkflowDef(name="inner", steps=inner))
        action = within if nested else leaf
        always = prefix == "s" and draw(st.integers(0, 7)) == 0
        made.append(
            StepDef(
                id=step_id,
                action=action,
                depends_on=() if always else depends,
                references=() if always else uses,
                when=draw(st.sampled_from([None, None, "w"])),
                for_each=draw(st.sampled_from([None, None, None, "f"])),
                max_parallel=draw(st.sampled_from([None, 1, 2])),
                repeat=draw(st.sampled_from([None, None, None, Repeat(until="u", max=3, every_ms=5)])),
                retry=Retry(max_attempts=draw(st.integers(1, 3)), backoff_ms=10),
                on_error=draw(st.sampled_from(["fail", "fail", "continue", "skip_dependents"])),
                always=always,
            )
        )
    return tuple(made)


@st.composite
def workflows(draw: st.DrawFn) -> WorkflowDef:
    return WorkflowDef(name="random", steps=draw(steps(2, "s")))
