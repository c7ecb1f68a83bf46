"""Answering what steps ask: approvals, forms, several at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from aethermind.domain import events as e
from aethermind.domain.usage import Cost
from aethermind.domain.workflow import Ask, Prompt, StepDef, WorkflowDef
from aethermind.engine.tool_loop import FIELDS as FIELDS_OF_A_TOOL
from aethermind.tui.screens import dialog
from aethermind.tui.screens.confirm import ConfirmScreen, Shown
from aethermind.tui.screens.detail.screen import DetailScreen
from aethermind.tui.screens.form import Form
from aethermind.tui.screens.question import QuestionScreen, fields_of
from tests.tui.histories import Script
from tests.tui.stage import Stage

FIELDS: dict[str, dict[str, Any]] = {
    "choice": {"enum": ["yes", "no"]},
    "score": {"type": "integer", "minimum": 0, "maximum": 10, "default": 5},
    "note": {"type": ["string", "null"], "description": "Why"},
}
APPROVAL: dict[str, dict[str, Any]] = {"approved": {"type": "boolean"}}
TEXT = "\n".join(f"paragraph {n}" for n in range(60))


def asking(**steps: dict[str, dict[str, Any]]) -> Script:
    definition = WorkflowDef(
        name="publish",
        steps=tuple(
            StepDef(id=id, action=Ask(message="?", fields=fields, approval=fields is APPROVAL))
            for id, fields in steps.items()
        ),
    )
    script = Script(definition, run_id="r_ask", inputs={}, models={})
    for at, (id, fields) in enumerate(steps.items(), 1):
        script.begin(at, id)
        script.add(
            at,
            e.AskOpened(
                step=id, attempt=1, about="ask", message=f"Publish with {id}?", fields=fields, show=TEXT
            ),
        )
    return script


@pytest.fixture(autouse=True)
def _no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog, "GUARD_S", 0.0)


@asynccontextmanager
async def stage(script: Script, path: str | None = None) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    made = Stage(script)
    made.main.selected_node_path = path
    async with made.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        yield made, pilot


@pytest.mark.parametrize("key, approved", [("y", True), ("n", False)])
async def test_an_approval_is_a_yes_or_a_no(key: str, approved: bool) -> None:
    async with stage(asking(gate=APPROVAL)) as (made, pilot):
        await pilot.press("a")
        await pilot.pause()
        screen = made.screen
        assert isinstance(screen, ConfirmScreen)
        assert screen.question == "Publish with gate?"
        shown = screen.query_one(Shown)
        assert shown.plain() == TEXT
        assert shown.size.height <= 12
        await pilot.press(key)
        await pilot.pause()
        assert made.engine.asked == [("answer", "r_ask", "gate", {"approved": approved})]


async def test_enter_approves_nothing() -> None:
    async with stage(asking(gate=APPROVAL)) as (made, pilot):
        await pilot.press("a", "enter")
        await pilot.pause()
        assert made.engine.asked == []


async def test_any_other_question_is_a_form() -> None:
    async with stage(asking(publish=FIELDS)) as (made, pilot):
        await pilot.press("a")
        await pilot.pause()
        screen = made.screen
        assert isinstance(screen, QuestionScreen)
        assert screen.query_one(Form).texts() == {"choice": "yes", "score": "5", "note": ""}
        screen.query_one(Form).rows[0].control.focus()
        await pilot.press("right", "tab", "backspace", *"11", "ctrl+s")
        await pilot.pause()
        assert made.screen is screen
        await pilot.press("backspace", "tab", *"late", "enter")
        await pilot.pause()
        values = {"choice": "no", "score": 1, "note": "late"}
        assert made.engine.asked == [("answer", "r_ask", "publish", values)]
        assert made.toasts == [("information", "publish: no, 1, late")]


async def test_what_may_be_left_out_is_left_out() -> None:
    async with stage(asking(publish=FIELDS)) as (made, pilot):
        await pilot.press("a")
        await pilot.pause()
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert made.engine.asked == [("answer", "r_ask", "publish", {"choice": "yes", "score": 5})]
    question = asking(x=FIELDS).run.nodes["x"].question
    assert question is not None
    assert [field.required for field in fields_of(question)] == [True, False, False]


async def test_all_questions_of_a_run_come_one_after_the_other_until_one_stops() -> None:
    async with stage(asking(one=APPROVAL, two=APPROVAL, three=APPROVAL)) as (made, pilot):
        await pilot.press("a", "y")
        await pilot.pause()
        await pilot.press("n")
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert [asked[2:] for asked in made.engine.asked] == [
            ("one", {"approved": True}),
            ("two", {"approved": False}),
        ]


async def test_on_a_step_only_its_own_question_is_asked() -> None:
    async with stage(asking(one=APPROVAL, two=APPROVAL), path="two") as (made, pilot):
        await pilot.press("a", "y")
        await pilot.pause()
        assert [asked[2] for asked in made.engine.asked] == ["two"]
        assert not isinstance(made.screen, ConfirmScreen)


async def test_the_step_shows_its_question_and_who_answered() -> None:
    script = asking(publish=FIELDS)
    async with stage(script) as (made, pilot):
        screen = DetailScreen(made.context, "r_ask", "publish")
        await made.push_screen(screen)
        await pilot.pause()
        text = screen.text_view.plain()
        assert text.startswith("Publish with publish?\n\nparagraph 0")
        assert "it waits for an answer" in text
        assert "score  a whole number from 0 to 10" in text
        script.add(50, e.AskAnswered(step="publish", values={"choice": "no"}, by="me@box"))
        script.succeed(51, "publish", {"choice": "no", "by": "me@box"})
        made.frame("r_ask", nodes=["publish"])
        await pilot.pause()
        assert "answered by me@box" in screen.text_view.plain()
        assert '"choice": "no"' in screen.text_view.plain()


# --- tools ---------------------------------------------------------------------------------------------

DIFF = "--- f\n+++ f\n-old\n+new \x1b[31m"


def using(*more: e.AnyEvent) -> Script:
    """An agent that wants to write a file."""
    definition = WorkflowDef(name="mend", steps=(StepDef(id="fix", action=Prompt(template="go")),))
    script = Script(definition, run_id="r_ask", inputs={}, models={})
    script.begin(1, "fix")
    wanted = {"id": "t0", "name": "write_file", "arguments": {"path": "f", "content": "new"}}
    for event in (
        e.CallStarted(
            step="fix", attempt=1, call=1, key="k", provider="sim", model="m", request={}, digest="d"
        ),
        e.CallFinished(
            step="fix",
            attempt=1,
            call=1,
            usage=None,
            cost=Cost(),
            text="",
            finish="tool_calls",
            tool_calls=(wanted,),
        ),
        *more,
    ):
        script.add(2, event)
    return script


def wants() -> e.AskOpened:
    return e.AskOpened(
        step="fix",
        attempt=1,
        about="tool",
        message="fix wants to write f",
        fields=FIELDS_OF_A_TOOL,
        show=DIFF,
        digest="x",
    )


@pytest.mark.parametrize("key, approved", [("y", True), ("n", False)])
async def test_a_tool_is_allowed_against_its_diff(key: str, approved: bool) -> None:
    async with stage(using(wants())) as (made, pilot):
        await pilot.press("a")
        await pilot.pause()
        screen = made.screen
        assert isinstance(screen, ConfirmScreen)
        assert screen.question == "fix wants to write f"
        assert screen.query_one(Shown).plain().splitlines()[2:] == ["-old", "+new ␛[31m"]
        await pilot.press(key)
        await pilot.pause()
        values = {"approved": approved, "digest": "x"}
        assert made.engine.asked == [("answer", "r_ask", "fix", values)]


async def test_a_no_may_say_why() -> None:
    async with stage(using(wants())) as (made, pilot):
        await pilot.press("a", "w")
        await pilot.pause()
        assert isinstance(made.screen, QuestionScreen)
        await pilot.press(*"later", "ctrl+s")
        await pilot.pause()
        values = {"approved": False, "note": "later", "digest": "x"}
        assert made.engine.asked == [("answer", "r_ask", "fix", values)]
        assert made.toasts == [("information", "fix: rejected: later")]


async def test_a_tool_in_doubt_is_shown_and_may_be_left_as_it_is() -> None:
    lost = (
        e.ToolStarted(step="fix", attempt=1, call=1, tool_call_id="t0", tool="write_file", effect="write"),
        e.AttemptLost(step="fix", attempt=1, resolution="ask"),
        e.AskOpened(
            step="fix",
            attempt=1,
            about="in_doubt",
            message="the tool write_file of fix was running",
            fields={"choice": {"type": "string", "enum": ["retry", "tell", "skip", "fail"]}},
            show="write_file f",
        ),
    )
    async with stage(using(*lost)) as (made, pilot):
        await pilot.press("a")
        await pilot.pause()
        assert made.screen.query_one(Shown).plain() == "write_file f"
        await pilot.press("t")
        await pilot.pause()
        assert made.engine.asked == [("answer", "r_ask", "fix", {"choice": "tell"})]
