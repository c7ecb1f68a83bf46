"""What changes when the engine is on another machine: there are other models, other keys and other files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aethermind.domain.errors import InvalidError
from aethermind.domain.workflow import Prompt, WorkflowDef
from aethermind.engine.ports import ModelInfo
from aethermind.engine.registered import starts, steps_of
from aethermind.infra.providers.models import ConfiguredModels

DIRECTORY = "/"
"""Where a run takes place that needs no directory."""


class ModelsThere(ConfiguredModels):
    """What model names mean to the engine. Until it has been asked they stand for themselves; it is the one
    that refuses what it does not know or has no key for.
    """

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._there: dict[str, str] = {}

    def learn(self, models: Sequence[ModelInfo]) -> None:
        """What the engine says that it has."""
        self._there = {alias: model.id for model in models for alias in model.aliases}

    def resolve(self, name: str, *, sim: bool) -> str:
        return super().resolve(name, sim=True) if sim else self.check(name)

    def check(self, name: str) -> str:
        return self._there.get(name, name)

    def check_settings(self, name: str, settings: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
        return super().check_settings(name, settings) if ":" in name and self._is_known(name) else []

    def _is_known(self, name: str) -> bool:
        return self.check(name).partition(":")[0] in self.endpoints

    def programs_in(self, names: Sequence[str]) -> tuple[str, ...]:
        return ()


def check_ground(definition: WorkflowDef, target: str) -> None:
    """Raises `InvalidError` for a workflow that works in a directory, which is not where the engine is."""
    for what in (*starts(definition), *_files(definition)):
        raise InvalidError(
            f"{definition.name} works in this directory ({what}), and {target} has other files",
            hint="run it there, or leave out --connect",
        )


def _files(definition: WorkflowDef) -> Iterator[str]:
    for owner, step in steps_of(definition):
        if step.save is not None:
            yield f"step `{step.id}` saves {step.save}"
        if isinstance(step.action, Prompt):
            agent = owner.agents.get(step.action.agent or "")
            for tool in (*step.action.tools, *(agent.tools if agent is not None else ())):
                if tool == "files" or (isinstance(tool, Mapping) and "files" in tool):
                    yield f"step `{step.id}` reads files"
