"""Random workflows, small and nasty: every kind of step, every control, and what they depend on."""

from __future__ import annotations

import random
from typing import Any

from msgspec.structs import replace

from aethermind.domain.workflow import (
    Action,
    AgentDef,
    Ask,
    Budget,
    Command,
    Fail,
    Function,
    Group,
    InputDef,
    Prompt,
    PythonCall,
    Repeat,
    Retry,
    StepDef,
    SubWorkflow,
    Value,
    WorkflowDef,
)
from tests.simulation.tools import CONFIGS
from tests.simulation.vendor import MODELS

VERDICT = {"type": "object", "properties": {"score": {"type": "integer"}}, "required": ["score"]}
CRITIC = AgentDef(name="critic", models=("vendor:cheap",))
CHOICE = {"choice": {"enum": ["yes", "no"]}}


class Author:
    """Writes workflows with one source of randomness."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def workflow(self) -> WorkflowDef:
        rng = self._rng
        budget = None
        if rng.random() < 0.4:
            budget = Budget(
                micro_usd=rng.choice((200, 900, 2_500, 8_000)),
                on_exceed=rng.choice(("pause", "pause", "fail")),
                unpriced=rng.choice(("refuse", "allow")),
            )
        return WorkflowDef(
            name=rng.choice(("alpha", "beta")),
            inputs={"flag": InputDef(schema={"type": "boolean"}, required=False, default=True)},
            agents={**self._agents(), "critic": replace(CRITIC, max_concurrent=rng.choice((1, 2)))},
            steps=self._steps("s", depth=2, most=5),
            outputs={} if rng.random() < 0.7 else {"all": "{{ steps.s0.status }}"},
            budget=budget,
            max_concurrent=rng.choice((None, None, 2)),
        )

    def edited(self, old: WorkflowDef) -> WorkflowDef:
        """Another version of it: a step changed, one gone from the end, or one more."""
        rng = self._rng
        steps = list(old.steps)
        at = rng.randrange(len(steps))
        match rng.randrange(4):
            case 0:
                steps[at] = replace(steps[at], action=Value(value={"edited": at}), save=None)
            case 1:
                steps[at] = replace(steps[at], retry=Retry(max_attempts=4, backoff_ms=50))
            case 2 if len(steps) > 1 and not any(steps[-1].id in s.needs for s in steps):
                steps.pop()
            case _:
                steps.append(StepDef(id=f"extra{len(steps)}", action=self._leaf(), depends_on=(steps[0].id,)))
                if steps[0].always:
                    steps[-1] = replace(steps[-1], depends_on=())
        return replace(old, steps=tuple(steps))

    def _agents(self) -> dict[str, AgentDef]:
        writer = AgentDef(name="writer", models=self._models())
        return {"writer": writer, "critic": CRITIC, "counter": AgentDef(name="counter")}

    def _models(self) -> tuple[str, ...]:
        chain = self._rng.sample(MODELS, self._rng.choice((1, 1, 2)))
        return tuple(chain)

    # --- steps ---------------------------------------------------------------------------------

    def _steps(self, prefix: str, *, depth: int, most: int) -> tuple[StepDef, ...]:
        made: list[StepDef] = []
        for number in range(self._rng.randint(1, most)):
            made.append(self._step(f"{prefix}{number}", made, depth))
        return tuple(made)

    def _step(self, step_id: str, before: list[StepDef], depth: int) -> StepDef:
        rng = self._rng
        always = depth == 2 and bool(before) and rng.random() < 0.1
        peers = [] if always else [step.id for step in before if not step.always]
        depends = tuple(rng.sample(peers, min(len(peers), rng.choice((0, 0, 1, 2)))))
        used = rng.choice(peers) if peers and rng.random() < 0.5 else None
        nested = depth > 0 and rng.random() < 0.25
        action = self._nest(step_id, used, depth) if nested else self._leaf(used)
        when = rng.choice((None, None, None, None, "{{ inputs.flag }}", "false"))
        for_each: Any = rng.choice((None, None, None, ["a", "b", "c"], "{{ [1, 2] }}"))
        if isinstance(action, Ask):
            for_each = None
        references = () if used is None or not _refers(action) else (used,)
        if used is not None and for_each is not None and rng.random() < 0.3:
            for_each, references = "{{ [" + used + ", 1] }}", (used,)
        return StepDef(
            id=step_id,
            action=action,
            depends_on=depends,
            references=references,
            when=None if always else when,
            for_each=for_each,
            max_parallel=rng.choice((None, 1, 2)),
            repeat=self._repeat() if rng.random() < 0.15 else None,
            retry=Retry(max_attempts=rng.choice((1, 2, 3)), backoff_ms=rng.choice((10, 500))),
            timeout_ms=rng.choice((None, None, 400, 5_000)),
            on_error=rng.choice(("fail", "fail", "continue", "skip_dependents")),
            on_in_doubt=rng.choice((None, None, "ask", "retry", "fail", "skip")),
            save=f"{step_id}.txt"
            if not nested and not isinstance(action, Ask) and rng.random() < 0.1
            else None,
            always=always,
        )

    def _repeat(self) -> Repeat:
        rng = self._rng
        until = rng.choice(("{{ iteration >= 2 }}", "{{ false }}", None))
        return Repeat(until=until, max=rng.randint(1, 3), every_ms=rng.choice((0, 0, 700)))

    def _nest(self, step_id: str, used: str | None, depth: int) -> Action:
        steps = self._steps(f"{step_id}_", depth=depth - 1, most=3)
        if self._rng.random() < 0.6:
            return Group(steps=steps)
        inner = WorkflowDef(
            name="inner",
            inputs={
                "given": InputDef(schema={}, required=False),
                "flag": InputDef(schema={}, required=False, default=False),
            },
            agents=self._agents(),
            steps=steps,
        )
        return SubWorkflow(workflow=inner, arguments={} if used is None else {"given": "{{ " + used + " }}"})

    def _leaf(self, used: str | None = None) -> Action:
        rng = self._rng
        text = "word" if used is None else "{{ " + used + " }}"
        match rng.randrange(12):
            case 0 | 1 | 2 | 3:
                agent = rng.choice((None, "writer", "critic"))
                return Prompt(
                    template=f"about {text}",
                    agent=agent,
                    models=() if agent else self._models(),
                    settings={"max_tokens": rng.choice((10, 40))},
                    tools=CONFIGS if rng.random() < 0.35 else (),
                    output_schema=VERDICT if rng.random() < 0.4 else None,
                )
            case 4 | 5:
                return Command(argv=("tool", text), stdin=rng.choice((None, text)))
            case 6:
                return PythonCall(target="mod:work", arguments={"x": text})
            case 7:
                return Function(name=rng.choice(("work", "chat")), agent=rng.choice((None, "writer")))
            case 8:
                return Function(name="count", agent="counter")
            case 9:
                return Value(value={"v": text})
            case 10:
                return Fail(reason=f"because {text}")
            case _:
                return self._ask(text)

    def _ask(self, text: str) -> Ask:
        rng = self._rng
        return Ask(
            message=f"go on with {text}?",
            fields=rng.choice(({}, CHOICE)),
            timeout_ms=rng.choice((None, 2_000, 60_000)),
            on_timeout=rng.choice(("fail", "skip", "default")),
            approval=rng.random() < 0.4,
        )


def _refers(action: Action) -> bool:
    match action:
        case Group() | Fail():
            return isinstance(action, Fail)
        case _:
            return True
