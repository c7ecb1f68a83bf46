"""Starting a run on another machine's engine: what it knows is offered, and started there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from aethermind.domain.workflow import InputDef, Prompt, StepDef, WorkflowDef
from aethermind.engine.away import WorkflowThere
from aethermind.engine.client import Attachment
from aethermind.engine.registered import StoredWorkflow
from aethermind.tui.screens.picker import PickerScreen
from aethermind.tui.screens.start import StartScreen
from tests.tui.starting import stage
from tests.tui.theatre import worked

DEFINITION = WorkflowDef(
    name="theirs",
    inputs={"topic": InputDef(schema={"type": "string"}, default="tides")},
    steps=(StepDef(id="a", action=Prompt(template="{{ inputs.topic }}", models=("fast",))),),
)


class There:
    """What an engine elsewhere answers besides."""

    def __init__(self) -> None:
        self.executed: list[tuple[str, dict[str, Any], dict[str, Any]]] = []

    async def workflows_there(self) -> list[WorkflowThere]:
        return [WorkflowThere(name="theirs", description="Over there.", origin="/home/me/workflows")]

    async def workflow_there(self, name: str) -> StoredWorkflow:
        return StoredWorkflow(name=name, definition=DEFINITION, definition_hash="0", updated_at=0)

    async def execute(self, name: str, inputs: dict[str, Any], **options: Any) -> str:
        self.executed.append((name, inputs, options))
        return "r_there"


async def test_what_the_engine_knows_is_offered_and_started_there(here: Path) -> None:
    there = There()
    async with stage(here) as (made, pilot):
        box = Attachment(name="box", target="ssh://box", local=False)
        made.context = replace(made.context, settings=replace(made.context.settings, attached=box))
        for name in ("workflows_there", "workflow_there", "execute"):
            setattr(made.engine.client, name, getattr(there, name))
        await made.push_screen(PickerScreen(made.context))
        await worked(made)
        await pilot.pause()
        screen = made.screen
        assert isinstance(screen, PickerScreen)
        assert [(flow.name, flow.place) for flow in screen._shown] == [("theirs", "box: workflows")]
        await pilot.press("enter")
        await worked(made)
        await pilot.pause()
        assert isinstance(made.screen, StartScreen)
        await pilot.press("ctrl+s")
        await worked(made)
        await pilot.pause()
        ((name, inputs, options),) = there.executed
        assert (name, inputs) == ("theirs", {"topic": "tides"})
        assert options["sim"] is False
