"""Running a step again: what it would keep and run, how it is asked, and what is asked of the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from aethermind.tui import editor
from aethermind.tui.again import Course, Rewording, forked, named, reopened
from aethermind.tui.mending import Reworded, Unchanged, Wrong
from aethermind.tui.screens import dialog
from aethermind.tui.screens.confirm import ConfirmScreen
from aethermind.tui.screens.detail.screen import DetailScreen
from aethermind.tui.screens.fork import ForkScreen
from aethermind.tui.screens.mend import MendScreen
from tests.tui import histories
from tests.tui.histories import Script
from tests.tui.stage import Stage


@pytest.fixture(autouse=True)
def _no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog, "GUARD_S", 0.0)


@asynccontextmanager
async def stage(script: Script, path: str) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    found = Stage(script)
    found.main.selected_node_path = path
    async with found.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        yield found, pilot


def editing(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    """The user's editor writes these, one after the other."""
    left = list(texts)

    async def edit(context: Any, path: Path, *, line: int | None = None) -> None:
        path.write_text(left.pop(0))

    monkeypatch.setattr(editor, "edit", edit)


# --- what it would keep and run --------------------------------------------------------------------


def test_a_retry_of_an_item_keeps_its_siblings() -> None:
    script = histories.research(until="end")
    course = reopened(script.run, "sections[1]", script.now + 1)
    assert course.runs == ("sections[1]", "polish", "brief")
    assert {"plan", "gather/scrape", "sections[0]", "sections[2]"} <= set(course.keeps)
    assert not set(course.keeps) & set(course.runs)


def test_a_fork_takes_over_whole_steps_of_the_root() -> None:
    run = histories.research(until="end").run
    assert forked(run, "sections[1]") == Course(("plan", "gather"), ("sections", "polish", "brief"))


def test_many_names_are_cut() -> None:
    assert named(["a", "b"]) == "a, b"
    assert named([]) == "nothing"
    assert named([f"s{n}" for n in range(2_014)], most=2) == "s0, s1 and 2,012 more"


# --- asking ----------------------------------------------------------------------------------------


async def test_b_says_what_would_run_before_it_does() -> None:
    async with stage(histories.research(until="end"), "sections[1]") as (found, pilot):
        await pilot.press("b")
        await pilot.pause()
        screen = found.screen
        assert isinstance(screen, ConfirmScreen)
        assert screen.question == "Run sections[1] of r_8f21 again, and what follows from it?"
        assert "runs   sections[1], polish, brief" in screen.note
        await pilot.press("enter")  # the cursor is on no
        await pilot.pause()
        assert found.engine.asked == []
        await pilot.press("b", "r")
        await pilot.pause()
        assert found.engine.asked == [("retry", "r_8f21", ("sections[1]",))]


async def test_on_a_small_terminal_all_there_is_to_choose_is_seen() -> None:
    found = Stage(histories.research(until="end"))
    found.main.selected_node_path = "sections[1]"
    async with found.run_test(size=(60, 16)) as pilot:
        await pilot.pause()
        await pilot.press("b")
        await pilot.pause()
        shown = "\n".join(strip.text for strip in found.screen._compositor.render_strips())
        for words in ("as it is", "with another prompt", "in a new run", "leave it as it is"):
            assert words in shown


async def test_a_run_that_lives_is_only_forked_and_a_command_has_no_prompt() -> None:
    async with stage(histories.research(), "gather/search_web") as (found, pilot):
        await pilot.press("b")
        await pilot.pause()
        assert isinstance(found.screen, ConfirmScreen)
        assert [choice.value for choice in found.screen.choices] == ["fork"]


async def test_a_fork_is_given_what_is_different_and_is_shown() -> None:
    script = histories.research(until="end")
    async with stage(script, "plan") as (found, pilot):
        await found.push_screen(DetailScreen(found.context, script.run_id, "gather/read_papers"))
        await pilot.pause()
        await pilot.press("R", "f")
        await pilot.pause()
        assert isinstance(found.screen, ForkScreen)
        await pilot.press(*"fast", "tab", *"0.25", "tab", *" of the sea", "ctrl+s")
        await pilot.pause()
        given = {
            "inputs": {"topic": "tides of the sea"},
            "model": "fast",
            "budget_micro_usd": 250_000,
            "env": {},
            "by": "me@box via tui",
        }
        assert found.engine.asked == [("fork", "r_8f21", "gather/read_papers", given)]
        assert isinstance(found.screen, DetailScreen)
        assert found.main.told[-1] == ("open_run", "r_8f21")


async def test_another_prompt_is_shown_for_what_it_does_before_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    editing(monkeypatch, "{{ polish }}", "Be brief: {{ inputs.topic }}")
    async with stage(histories.research(until="end"), "gather/read_papers") as (found, pilot):
        await pilot.press("b", "e")
        await pilot.pause()
        assert isinstance(found.screen, MendScreen)
        assert isinstance(found.screen.found, Wrong)
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(found.screen.found, Reworded)
        await pilot.press("enter")
        await pilot.pause()
        assert found.engine.asked == [("resume_edited", "r_8f21")]
        assert "the new prompt of gather/read_papers" in found.toasts[-1][1]


async def test_a_run_that_is_driven_keeps_its_prompt_and_a_new_one_gets_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    editing(monkeypatch, "Be brief: {{ inputs.topic }}")
    async with stage(histories.research(), "plan") as (found, pilot):
        await pilot.press("b", "e")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        (asked,) = found.engine.asked
        assert asked[:3] == ("fork", "r_8f21", "plan")
        steps = {step.id: step for step in asked[3]["definition"].steps}
        assert steps["plan"].action.template == "Be brief: {{ inputs.topic }}"
        assert asked[3]["by"] == "me@box via tui"


async def test_a_prompt_left_as_it_was_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    script = histories.research(until="end")
    editing(monkeypatch, script.run.nodes["plan"].step.action.template + "\n")  # type: ignore[union-attr]  # it is a prompt
    async with stage(script, "plan") as (found, pilot):
        await pilot.press("b", "e")
        await pilot.pause()
        assert found.engine.asked == []
        assert found.toasts == [("information", "the prompt is what it was: nothing runs")]


async def test_a_prompt_that_can_not_be_read_is_said(tmp_path: Path) -> None:
    found = Stage(histories.research())
    wording = Rewording(histories.research().run, "plan", tmp_path / "prompt.md", anew=True)
    assert isinstance(await wording.look(found.context), Unchanged)
    wording.file.write_bytes(b"\xff\xfe")
    assert isinstance(await wording.look(found.context), Wrong)
