"""Actions by their keys, on a stage: what they ask of the engine and of the main screen, and why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from aethermind.domain import events as e
from aethermind.domain.errors import DeniedError
from aethermind.domain.workflow import Command, StepDef, WorkflowDef
from aethermind.tui.actions import perform
from aethermind.tui.screens import dialog
from aethermind.tui.screens.confirm import ConfirmScreen
from aethermind.tui.screens.detail.screen import DetailScreen
from tests.tui import histories
from tests.tui.histories import Script
from tests.tui.stage import Stage, stage


@pytest.fixture(autouse=True)
def _no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard has tests of its own."""
    monkeypatch.setattr(dialog, "GUARD_S", 0.0)


def in_doubt() -> Script:
    definition = WorkflowDef(name="ship", steps=(StepDef(id="push", action=Command(argv=("push",))),))
    script = Script(definition, run_id="r_doubt", inputs={}, models={})
    script.begin(10, "push")
    script.add(20, e.AttemptLost(step="push", attempt=1, resolution="ask"))
    script.add(
        21, e.AskOpened(step="push", attempt=1, about="in_doubt", message="The engine died while push ran.")
    )
    return script


# --- moving ----------------------------------------------------------------------------------------


async def test_keys_of_moving_reach_the_focused_pane() -> None:
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("j", "up", "G", "ctrl+d", "pageup", "h", "tab", "shift+tab", "4", "space", "minus")
        assert found.main.told == [
            ("move", "down"),
            ("move", "up"),
            ("move", "bottom"),
            ("move", "half_down"),
            ("move", "page_up"),
            ("move", "left"),
            ("cycle_pane", 1),
            ("cycle_pane", -1),
            ("focus_pane", "logs"),
            ("toggle_fold",),
            ("move", "parent"),
        ]


async def test_escape_drops_the_filter_before_it_goes_up() -> None:
    async with stage(histories.research(), filter_text="plan") as (found, pilot):
        await pilot.press("escape")
        assert found.main.told == [("set_filter", "")]
        await pilot.press("escape")
        assert found.main.told[1:] == [("move", "parent")]


# --- open ------------------------------------------------------------------------------------------


async def test_enter_opens_the_step_under_the_cursor() -> None:
    async with stage(histories.research(), selected_node_path="plan", selected_call=(1, 1)) as (found, pilot):
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(found.screen, DetailScreen)
        assert (found.screen.path, found.screen.stop_shown) == ("plan", (1, 1))


async def test_enter_in_the_list_of_runs_opens_the_run() -> None:
    scripts = (histories.research(), histories.failed())
    async with stage(*scripts, focused_pane="runs", selected_run_id="r_8f1e") as (found, pilot):
        await pilot.press("enter")
        assert found.main.told == [("open_run", "r_8f1e"), ("focus_pane", "trace")]


async def test_without_a_run_it_says_how_to_get_one() -> None:
    async with stage() as (found, pilot):
        await pilot.press("enter")
        assert found.toasts == [("warning", "Open: there is no run yet: r starts one")]


# --- cancel ----------------------------------------------------------------------------------------


async def test_cancel_names_its_target_and_the_cursor_is_on_no() -> None:
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("x")
        await pilot.pause()
        screen = found.screen
        assert isinstance(screen, ConfirmScreen)
        assert screen.question == "Cancel the run r_8f21?"
        await pilot.press("enter")
        await pilot.pause()
        assert found.engine.asked == []
        assert found.screen is not screen


async def test_cancel_of_the_run() -> None:
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("x", "r")
        await pilot.pause()
        assert found.engine.asked == [("cancel", "r_8f21", None)]
        assert found.toasts == [("information", "cancelling r_8f21")]


async def test_cancel_of_the_step_under_the_cursor() -> None:
    async with stage(histories.research(), selected_node_path="sections[2]") as (found, pilot):
        await pilot.press("x")
        await pilot.pause()
        screen = found.screen
        assert isinstance(screen, ConfirmScreen)
        assert screen.question == "Cancel the step sections[2], or the whole run r_8f21?"
        await pilot.press("s")
        await pilot.pause()
        assert found.engine.asked == [("cancel", "r_8f21", "sections[2]")]


async def test_a_step_that_is_over_is_not_offered() -> None:
    async with stage(histories.research(), selected_node_path="plan") as (found, pilot):
        await pilot.press("x", "s")
        await pilot.pause()
        assert isinstance(found.screen, ConfirmScreen)
        assert found.engine.asked == []


async def test_what_the_engine_refuses_is_said() -> None:
    async with stage(histories.research()) as (found, pilot):
        found.engine.client.refusal = DeniedError("another engine owns it", hint="ask there")
        await pilot.press("x", "r")
        await pilot.pause()
        assert found.toasts == [("error", "another engine owns it (ask there)")]


async def test_a_finished_run_can_not_be_cancelled() -> None:
    async with stage(histories.failed()) as (found, pilot):
        await pilot.press("x")
        assert found.toasts == [("warning", "Cancel: the run is over (failed)")]


# --- pause, retry, answer --------------------------------------------------------------------------


async def test_p_pauses_and_goes_on() -> None:
    script = histories.research()
    async with stage(script) as (found, pilot):
        await pilot.press("p")
        await pilot.pause()
        script.add(102_000, e.RunPaused())
        await pilot.press("p")
        await pilot.pause()
        assert found.engine.asked == [("pause", "r_8f21"), ("resume", "r_8f21")]


async def test_p_goes_on_with_an_interrupted_run() -> None:
    async with stage(histories.research()) as (found, pilot):
        found.main.runs[0].status = "interrupted"
        await pilot.press("p")
        await pilot.pause()
        assert found.engine.asked == [("resume", "r_8f21")]


async def test_retry_of_all_that_failed_or_of_the_step_under_the_cursor() -> None:
    async with stage(histories.failed()) as (found, pilot):
        await pilot.press("R")
        await pilot.pause()
        found.main.selected_node_path = "build"
        await pilot.press("R")
        await pilot.pause()
        assert found.engine.asked == [("retry", "r_8f1e", ()), ("retry", "r_8f1e", ("build",))]


async def test_nothing_to_retry_says_why() -> None:
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("R", "a")
        assert found.toasts == [
            ("warning", "Retry what failed: the run is not over yet"),
            ("warning", "Answer: no step of this run waits for a decision"),
        ]


@pytest.mark.parametrize("key, choice", [("r", "retry"), ("s", "skip"), ("f", "fail")])
async def test_what_is_in_doubt_is_asked_and_answered(key: str, choice: str) -> None:
    async with stage(in_doubt()) as (found, pilot):
        await pilot.press("a")
        await pilot.pause()
        screen = found.screen
        assert isinstance(screen, ConfirmScreen)
        assert "push" in screen.question
        assert screen.note == "The engine died while push ran."
        await pilot.press(key)
        await pilot.pause()
        assert found.engine.asked == [("answer", "r_doubt", "push", {"choice": choice})]


async def test_the_budget_can_be_raised() -> None:
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("B")
        await pilot.pause()
        assert found.screen.query_one(Input).value == "2.00"
        await pilot.press(*["backspace"] * 4, *"3.5", "enter")
        await pilot.pause()
        await pilot.press(":", *"budget $7", "enter")
        await pilot.pause()
        await pilot.press(":", *"budget much", "enter")
        await pilot.pause()
        assert found.engine.asked == [
            ("raise_budget", "r_8f21", 3_500_000),
            ("raise_budget", "r_8f21", 7_000_000),
        ]
        assert [severity for severity, _ in found.toasts] == ["information", "information", "error"]


# --- find and view ---------------------------------------------------------------------------------


async def test_the_filter_follows_what_is_typed() -> None:
    async with stage(histories.research(), filter_text="old") as (found, pilot):
        await pilot.press("/")
        await pilot.pause()
        await pilot.press("end", "x")
        assert found.main.told[-1] == ("set_filter", "oldx")
        await pilot.press("escape")
        await pilot.pause()
        assert found.main.filter_text == "old"
        await pilot.press("/", "end", "y", "enter")
        await pilot.pause()
        assert found.main.filter_text == "oldy"


async def test_finding_and_finding_again() -> None:
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("f", *"moon", "enter")
        await pilot.pause()
        await pilot.press("n", "N", "E")
        assert found.main.told == [("find", "moon"), ("find_next", 1), ("find_next", -1), ("next_error",)]
        found.main.answers = {"next_error": False, "find_next": False}
        await pilot.press("E", "n")
        assert [text for _, text in found.toasts] == ["no error here", "nothing found: f seeks a text"]


async def test_the_view_is_the_main_screens_business() -> None:
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("z", "+", "_", "c", "o", "$")
        assert [told[0] for told in found.main.told] == [
            "zoom",
            "expand_all",
            "collapse_all",
            "critical_only",
            "logs_of_selected",
            "focus_pane",
        ]


# --- out -------------------------------------------------------------------------------------------


async def test_y_copies_the_row() -> None:
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("y")
        assert found.copied == ["a row"]
        found.main.copyable = ""
        await pilot.press("y")
        assert found.toasts == [("warning", "there is nothing here to copy")]


async def test_s_saves_the_log_into_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("s", "enter")
        await found.workers.wait_for_complete()
        lines = (tmp_path / "r_8f21.log").read_text().splitlines()
        assert lines[0] == "2026-01-05T06:20:00.000Z INFO      run started"
        assert any("ERROR   scraper gather/scrape  gave up after 3 tries" in line for line in lines)
        assert found.toasts == [("information", f"{len(lines)} lines saved to r_8f21.log")]
        await pilot.press("s", "enter")
        await found.workers.wait_for_complete()
        assert found.toasts[-1] == ("error", "r_8f21.log exists already: give another name")


async def test_e_opens_the_workflows_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setenv("VISUAL", "my-editor --wait")
    monkeypatch.setattr("aethermind.tui.editor._run", seen.extend)
    source = tmp_path / "research.yaml"
    async with stage(histories.research()) as (found, pilot):
        await pilot.press("e")
        assert found.toasts[0][1].startswith("Open in the editor: this run was not started from a file")
        source.write_text("name: research\n")
        monkeypatch.chdir(tmp_path)
        await pilot.press("e")
        await found.workers.wait_for_complete()
        # A headless terminal can't be handed over: that is said, and nothing breaks.
        assert found.toasts[1] == ("warning", "this terminal cannot be handed to an editor")
        assert seen == []


# --- dispatch --------------------------------------------------------------------------------------


async def test_perform_tells_whether_it_was_done() -> None:
    async with stage(histories.research()) as (found, _pilot):
        assert perform(found.context, "view.zoom") is True
        assert perform(found.context, "run.retry") is False
        with pytest.raises(KeyError):
            perform(found.context, "no.such")


async def test_keys_can_be_remapped() -> None:
    found = Stage(
        histories.research(), keymap={"view.zoom": "Z", "view.critical": ["z", "ctrl+t"], "find.next": ""}
    )
    async with found.run_test() as pilot:
        await pilot.press("Z", "z", "n", "ctrl+t")
        assert [told[0] for told in found.main.told] == ["zoom", "critical_only", "critical_only"]
