"""What has to be known before a run may cost money: which models it asks, and whether its file has run on
real ones before.
"""

from __future__ import annotations

from aethermind.domain.workflow import Group, Prompt, StepDef, SubWorkflow, WorkflowDef, prompt_config
from aethermind.engine.client import Client
from aethermind.engine.queries import RunFilter


def model_names(definition: WorkflowDef) -> list[str]:
    """Every model name that a prompt uses, those of sub-workflows included, in the order of the file."""
    found: dict[str, None] = {}

    def walk(owner: WorkflowDef, steps: tuple[StepDef, ...]) -> None:
        for step in steps:
            match step.action:
                case Prompt():
                    found.update(dict.fromkeys(prompt_config(owner, step).models))
                case Group(steps=inside):
                    walk(owner, inside)
                case SubWorkflow(workflow=inner):
                    walk(inner, inner.steps)
                case _:
                    pass

    walk(definition, definition.steps)
    return list(found)


async def ran_before(client: Client, workflow: str, source: str | None) -> bool:
    """Whether this file has run on real models on this data already."""
    cursor: str | None = None
    while True:
        page = await client.runs(RunFilter(workflow=workflow), limit=200, cursor=cursor)
        if any(row.source == source and not row.simulated for row in page.items):
            return True
        if page.next is None:
            return False
        cursor = page.next
