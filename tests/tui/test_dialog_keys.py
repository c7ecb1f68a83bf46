"""The keys of dialogs, by F1 and `?`."""

from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from aethermind.domain.state import Question
from aethermind.tui.actions import REGISTRY
from aethermind.tui.keymap import build
from aethermind.tui.screens.command import CommandScreen
from aethermind.tui.screens.confirm import Choice, ConfirmScreen
from aethermind.tui.screens.detail.lines import plain
from aethermind.tui.screens.question import QuestionScreen
from aethermind.tui.screens.reading import ReadingScreen
from tests.tui.stage import Stage


def told(pilot: Pilot[Any]) -> list[str]:
    screen = pilot.app.screen
    assert isinstance(screen, ReadingScreen)
    return [plain(line) for line in screen.lines()]


async def test_a_form_tells_its_keys_while_one_types() -> None:
    stage = Stage()
    async with stage.run_test(size=(80, 24)) as pilot:
        fields = {"note": {"type": "string"}}
        await stage.push_screen(QuestionScreen("publish asks", Question("ask", "How?", fields, 0)))
        await pilot.press("question_mark")
        assert isinstance(stage.screen, QuestionScreen)
        await pilot.press("f1")
        found = told(pilot)
        assert any(line.split() == ["^s", "Answer"] for line in found)
        assert any("Next field" in line and "tab" in line for line in found)
        assert any(line.split() == ["esc", "Back"] for line in found)
        await pilot.press("escape")
        assert isinstance(stage.screen, QuestionScreen)


async def test_a_list_and_a_line_with_a_list_tell_theirs() -> None:
    stage = Stage()
    async with stage.run_test(size=(80, 24)) as pilot:
        await stage.push_screen(ConfirmScreen("Sure?", choices=[Choice("y", "yes", "yes")]))
        await pilot.press("question_mark")
        assert any("Down" in line for line in told(pilot))
        await pilot.press("escape", "escape")
        await stage.push_screen(CommandScreen(stage.context))
        await pilot.press("question_mark", "f1")
        assert any("In the list" in line for line in told(pilot))


def test_another_key_for_help_is_that_of_dialogs_too() -> None:
    assert build(REGISTRY, {"global.help": "f2"}).overrides["dialog.help"] == "f2"
    assert "dialog.help" not in build(REGISTRY).overrides
