"""Histories of runs that wait for a person."""

from __future__ import annotations

from typing import Any

from aethermind.domain import events as e
from aethermind.domain.workflow import Ask, Command, Prompt, StepDef, WorkflowDef
from tests.tui.histories import Script, agents

APPROVED = {"approved": {"type": "boolean"}}


def approval(
    *, run_id: str = "r_ask", seq: int = 0, message: str = "Publish 312 words?", **created: Any
) -> Script:
    """A step that asks for a yes or a no."""
    ask = Ask(message=message, fields=APPROVED)
    definition = WorkflowDef(name="report", steps=(StepDef(id="publish", action=ask),))
    script = Script(definition, run_id=run_id, seq=seq, inputs={}, models={}, **created)
    script.begin(900, "publish")
    script.add(
        1_000,
        e.AskOpened(step="publish", attempt=1, about="ask", message=message, fields=APPROVED),
    )
    return script


def in_doubt(*, run_id: str = "r_doubt", seq: int = 0) -> Script:
    """A command during which the engine died."""
    definition = WorkflowDef(name="ship", steps=(StepDef(id="push", action=Command(argv=("push",))),))
    script = Script(definition, run_id=run_id, seq=seq, inputs={}, models={})
    script.begin(10, "push")
    script.add(20, e.AttemptLost(step="push", attempt=1, resolution="ask"))
    script.add(
        21, e.AskOpened(step="push", attempt=1, about="in_doubt", message="The engine died while push ran.")
    )
    return script


def held(scope: str = "run", *, run_id: str = "r_held", seq: int = 0) -> Script:
    """A prompt for which a budget has no room."""
    definition = WorkflowDef(
        name="brief",
        agents=agents(writer="smart"),
        steps=(StepDef(id="write", action=Prompt(agent="writer", template="Write.")),),
    )
    script = Script(definition, run_id=run_id, seq=seq, budget_micro_usd=5_000)
    script.begin(10, "write")
    script.add(
        20,
        e.BudgetHeld(step="write", attempt=1, scope=scope, needed_micro_usd=9_000, available_micro_usd=5_000),
    )
    return script


def guarded(*, run_id: str = "r_loop", seq: int = 0) -> Script:
    """A run that the guard paused while a step of it was at work."""
    definition = WorkflowDef(name="loop", steps=(StepDef(id="again", action=Command(argv=("again",))),))
    script = Script(definition, run_id=run_id, seq=seq, inputs={}, models={})
    script.begin(10, "again")
    script.add(20, e.RunPaused(by="guard", reason="the same call 20 times"))
    return script
