"""Palette, command line, help, confirm, themes and card, each on a stage."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from textual.widgets import Input, OptionList

from aethermind.tui.actions import REGISTRY
from aethermind.tui.commands import suggest
from aethermind.tui.screens.card import CardScreen
from aethermind.tui.screens.command import CommandScreen
from aethermind.tui.screens.confirm import Choice, ConfirmScreen
from aethermind.tui.screens.detail.screen import DetailScreen
from aethermind.tui.screens.detail.view import Lines, TextView
from aethermind.tui.screens.dialog import GUARD_S, Line
from aethermind.tui.screens.help import HelpScreen
from aethermind.tui.screens.palette import PaletteScreen
from aethermind.tui.screens.themes import ThemeScreen
from tests.tui import histories
from tests.tui.stage import THEME, Stage

# --- confirm ---------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def late() -> Callable[[], float]:
    """A clock by which much time has passed whenever one looks."""
    return itertools.count(0.0, 10.0).__next__


async def test_keys_that_come_too_soon_are_no_answer() -> None:
    clock = Clock()
    stage = Stage()
    answers: list[str | None] = []
    async with stage.run_test() as pilot:
        screen = ConfirmScreen("Delete?", choices=[Choice("d", "delete", "gone")], clock=clock)
        _ = stage.push_screen(screen, answers.append)
        await pilot.pause()
        clock.now += GUARD_S - 0.01
        await pilot.press("d", "up", "enter")
        assert stage.screen is screen
        clock.now += 0.02
        await pilot.press("d")
        await pilot.pause()
    assert answers == ["gone"]


async def test_enter_refuses_and_escape_too() -> None:
    for key in ("enter", "escape"):
        stage = Stage()
        answers: list[str | None] = []
        async with stage.run_test() as pilot:
            _ = stage.push_screen(
                ConfirmScreen("Delete?", choices=[Choice("d", "delete", "gone")]), answers.append
            )
            await pilot.pause()
            await pilot.press(key)
            await pilot.pause()
        assert answers == [None]


# --- palette ---------------------------------------------------------------------------------------


def labels(screen: PaletteScreen) -> list[str]:
    return [item.label for item in screen._shown]


async def test_the_palette_finds_actions_runs_and_does_them() -> None:
    stage = Stage(histories.research(), histories.failed())
    async with stage.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+p")
        await pilot.pause()
        screen = stage.screen
        assert isinstance(screen, PaletteScreen)
        assert labels(screen)[:2] == ["Open", "Start a run"]
        await pilot.press(*"zom")
        assert labels(screen)[0] == "Zoom"
        await pilot.press("enter")
        await pilot.pause()
        assert stage.main.told == [("zoom",)]
        await pilot.press("P", *"nightly", "enter")
        await pilot.pause()
        assert stage.main.told[-1] == ("open_run", "r_8f1e")


async def test_what_can_not_be_done_says_why_and_stays_open() -> None:
    stage = Stage(histories.research())
    async with stage.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+p", *"retry", "enter")
        await pilot.pause()
        assert isinstance(stage.screen, PaletteScreen)
        assert stage.toasts == [("warning", "Retry what failed: the run is not over yet")]
        await pilot.press(*"xxxxxxxx")
        assert labels(stage.screen) == []
        await pilot.press("enter", "escape")
        await pilot.pause()
        assert not isinstance(stage.screen, PaletteScreen)


# --- the command line ------------------------------------------------------------------------------


async def test_a_command_is_completed_and_done() -> None:
    stage = Stage(histories.research(), histories.failed())
    async with stage.run_test(size=(100, 30)) as pilot:
        await pilot.press(":", *"ope")
        await pilot.pause()
        screen = stage.screen
        assert isinstance(screen, CommandScreen)
        await pilot.press("tab")
        assert screen.query_one(Input).value == "open "
        await pilot.pause()
        assert [s.label for s in screen._suggestions] == ["r_8f21", "r_8f1e"]
        await pilot.press("down", "tab", "enter")
        await pilot.pause()
        assert stage.main.told == [("open_run", "r_8f1e")]


async def test_what_was_typed_before_comes_back() -> None:
    stage = Stage(histories.research())
    async with stage.run_test(size=(100, 30)) as pilot:
        for line in ("zoom", "find moon", "zoom"):
            await pilot.press(":", *line, "enter")
            await pilot.pause()
        await pilot.press(":")
        await pilot.pause()
        field = stage.screen.query_one(Input)
        await pilot.press("up")
        assert field.value == "zoom"
        await pilot.press("up", "up")
        assert field.value == "find moon"
        await pilot.press("down", "down")
        assert field.value == ""
        await pilot.press("f", "up")
        assert field.value == "find moon"
        await pilot.press("enter")
        await pilot.pause()
        assert stage.main.told[-1] == ("find", "moon")


async def test_a_name_after_another_is_completed_too() -> None:
    stage = Stage(histories.research(), histories.failed())
    async with stage.run_test(size=(100, 30)):
        assert [s.line for s in suggest(REGISTRY, "diff r_8f21 r_8f1", stage.context)] == [
            "diff r_8f21 r_8f1e"
        ]
        assert [s.label for s in suggest(REGISTRY, "level w", stage.context)] == ["warning"]
        elsewhere = suggest(REGISTRY, "span", stage.context)[0]
        assert elsewhere.note == "that is for the screen of what was spent"


async def test_a_wrong_command_is_said_in_place() -> None:
    stage = Stage(histories.research())
    async with stage.run_test(size=(100, 30)) as pilot:
        await pilot.press(":", *"zoon", "enter")
        await pilot.pause()
        screen = stage.screen
        assert isinstance(screen, CommandScreen)
        problem = screen.query_one("#command-problem", Line)
        assert str(problem.content) == "no command 'zoon' (did you mean zoom?)"
        await pilot.press("backspace", "m", "enter")
        await pilot.pause()
        assert stage.main.told == [("zoom",)]


async def test_a_filter_can_be_typed_as_a_command() -> None:
    stage = Stage(histories.research())
    async with stage.run_test(size=(100, 30)) as pilot:
        await pilot.press(":", *"filter moon", "enter")
        await pilot.pause()
        assert stage.main.told == [("set_filter", "moon")]


# --- help ------------------------------------------------------------------------------------------


async def test_help_has_every_action_of_the_pane() -> None:
    stage = Stage(histories.research(), keymap={"run.cancel": "ctrl+x"})
    async with stage.run_test(size=(120, 40)) as pilot:
        await pilot.press("?")
        await pilot.pause()
        screen = stage.screen
        assert isinstance(screen, HelpScreen)
        text = screen.query_one(TextView).plain()
        for action in REGISTRY.at("trace"):
            assert (action.family or action.description) in text
        assert "^x" in text
        assert "Follow the logs" not in text
        await pilot.press("/", *"cancel", "enter", "escape")
        await pilot.pause()
        assert stage.screen is not screen


async def test_help_tells_what_is_wrong_with_the_keymap() -> None:
    stage = Stage(histories.research(), keymap={"run.pause": "x", "no.such": "y"})
    async with stage.run_test(size=(120, 40)):
        text = HelpScreen(stage.context, "trace").text_to_copy()
        assert "x is run.pause's; run.cancel does not get it" in text
        assert "no action 'no.such'" in text


# --- themes ----------------------------------------------------------------------------------------


async def test_themes_are_shown_as_the_cursor_passes() -> None:
    stage = Stage(histories.research())
    async with stage.run_test(size=(100, 30)) as pilot:
        await pilot.press("T")
        await pilot.pause()
        screen = stage.screen
        assert isinstance(screen, ThemeScreen)
        assert stage.theme == THEME.name
        await pilot.press("G")
        assert stage.theme == screen.names[-1]
        await pilot.press("escape")
        await pilot.pause()
        assert stage.theme == THEME.name
        await pilot.press("T", "G", "enter")
        await pilot.pause()
        assert stage.theme == screen.names[-1]
        assert "[tui]" in stage.toasts[-1][1]


async def test_a_key_meant_for_what_was_there_is_no_answer_to_the_card() -> None:
    script, clock = histories.failed(), Clock()
    stage = Stage(script)
    async with stage.run_test(size=(80, 24)) as pilot:
        card = CardScreen(stage.context, script.run_id, clock=clock)
        await stage.push_screen(card)
        await pilot.press("enter", "R")
        assert stage.screen_stack[-1] is card
        clock.now += GUARD_S
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(stage.screen, DetailScreen)


# --- the card --------------------------------------------------------------------------------------


async def test_the_card_of_a_success() -> None:
    script = histories.research(until="end", simulated=True)
    stage = Stage(script)
    async with stage.run_test(size=(120, 36)) as pilot:
        await stage.push_screen(CardScreen(stage.context, script.run_id, clock=late()))
        await pilot.pause()
        text = stage.screen.query_one("#card-text", Lines).plain()
        assert "✓ succeeded  in 02:13   11 of 12 steps, 2 retried   r_8f21" in text
        assert "$0.3629 sim, nothing was spent" in text
        assert "1 unpriced" in text
        assert "Tides follow the moon." in text
        options = [option.id for option in stage.screen.query_one(OptionList).options]
        assert options == ["read", "again", "own", "keys"]
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(stage.screen, DetailScreen)
        assert stage.screen.path == ""


async def test_the_card_of_a_failure_leads_to_its_step() -> None:
    script = histories.failed()
    stage = Stage(script)
    async with stage.run_test(size=(80, 24)) as pilot:
        await stage.push_screen(CardScreen(stage.context, script.run_id, clock=late()))
        await pilot.pause()
        text = stage.screen.query_one("#card-text", Lines).plain()
        assert "✗ failed  in 7.0s   1 of 3 steps" in text
        assert "build: make exited with 2" in text
        assert "no model was called" in text
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(stage.screen, DetailScreen)
        assert stage.screen.path == "build"


async def test_the_card_retries() -> None:
    script = histories.failed()
    stage = Stage(script)
    async with stage.run_test(size=(80, 24)) as pilot:
        await stage.push_screen(CardScreen(stage.context, script.run_id, clock=late()))
        await pilot.pause()
        await pilot.press("R")
        await pilot.pause()
        await stage.workers.wait_for_complete()
        assert stage.engine.asked == [("retry", "r_8f1e", ())]
