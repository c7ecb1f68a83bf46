from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click
import pytest

from aethermind.cli.app import COMMANDS
from aethermind.domain import views
from tests.tui.histories import research

REFERENCE = (Path(__file__).resolve().parent.parent.parent / "docs" / "commands.md").read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_the_reference_names_every_command_and_option(name: str) -> None:
    assert f"`{name}" in REFERENCE
    for param in import_module(f"aethermind.cli.{COMMANDS[name].module}").command.params:
        if isinstance(param, click.Option) and not param.hidden:
            for option in param.opts:
                assert f"`{option}" in REFERENCE, option


def test_the_reference_names_every_field_of_show() -> None:
    found = views.run_object(research(until="end").run)
    step = found["steps"][0]
    for fields in (found["run"], step, step["attempts"][0]):
        assert " ".join(fields) in REFERENCE
