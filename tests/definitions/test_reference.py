"""The page of the file format says what the reader takes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from aethermind.definitions import surface
from tests.definitions.helpers import load

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "workflows.md").read_text(encoding="utf-8")
RECORDS: tuple[type[msgspec.Struct], ...] = (
    surface.WorkflowSurface,
    surface.AgentSurface,
    surface.SettingsSurface,
    surface.DefaultsSurface,
    surface.BudgetSurface,
    surface.RetrySurface,
    surface.RepeatSurface,
    surface.AskBody,
    *surface.STEP_KINDS.values(),
)
KEYS = {field.encode_name for record in RECORDS for field in msgspec.structs.fields(record)}


@pytest.mark.parametrize("key", sorted(KEYS - {"$schema", "dependsOn"}))
def test_every_key_is_explained(key: str) -> None:
    assert re.search(rf"\b{key}\b", PAGE)


def test_its_example_is_a_workflow() -> None:
    example = re.search(r"```yaml\n(name: .*?)```", PAGE, re.DOTALL)
    assert example is not None
    assert [step.id for step in load(example[1]).definition.steps] == ["plan", "sections", "stats"]
