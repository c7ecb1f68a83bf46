"""From a list of workflows to a run: picker, form, trust."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from textual import events

from aethermind import bootstrap
from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.domain.workflow import Prompt, StepDef, WorkflowDef
from aethermind.tui import editor
from aethermind.tui.screens import found
from aethermind.tui.screens.confirm import ConfirmScreen
from aethermind.tui.screens.dialog import Line
from aethermind.tui.screens.entry import Area, Entry
from aethermind.tui.screens.form import Form, Pick
from aethermind.tui.screens.picker import PickerScreen
from aethermind.tui.screens.start import StartScreen
from tests.tui.histories import Script
from tests.tui.starting import KINDS, SHELL, FakeModels, form_of, stage
from tests.tui.theatre import worked

# --- what is found ---------------------------------------------------------------------------------


async def test_workflows_are_found_in_the_order_of_names(here: Path) -> None:
    async with stage(here) as (made, _pilot):
        flows = found.workflows(made.context)
    assert [(flow.name, flow.place) for flow in flows] == [
        ("kinds", "here"),
        ("shell", "./workflows"),
        ("research-brief", "sample"),
    ]
    assert flows[0].description == "All kinds of inputs."


def test_descriptions_are_read_as_they_are_mostly_written(tmp_path: Path) -> None:
    def description(text: str) -> str:
        path = tmp_path / f"w{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(f"name: w\n{text}\nsteps: []\n")
        return next(
            f.description for f in found._read_directory.__wrapped__(tmp_path, 0, "") if f.path == path
        )

    assert description("description: plain # comment") == "plain"
    assert description('description: "quoted: text"') == "quoted: text"
    assert description("description: >-\n  folded over\n  two lines") == "folded over two lines"
    assert description("description: bad \x1b[31m") == "bad ␛[31m"
    assert description("# none") == ""


# --- the picker ------------------------------------------------------------------------------------


async def test_typing_narrows_and_enter_opens_the_form(here: Path) -> None:
    async with stage(here) as (made, pilot):
        await pilot.press("r")
        await pilot.pause()
        screen = made.screen
        assert isinstance(screen, PickerScreen)
        assert [flow.name for flow in screen._shown] == ["kinds", "shell", "research-brief"]
        await pilot.press(*"brief")
        assert [flow.name for flow in screen._shown] == ["research-brief"]
        await pilot.press("enter")
        await worked(made)
        await pilot.pause()
        assert isinstance(made.screen, StartScreen)
        assert made.screen.definition.name == "research-brief"


async def test_a_broken_file_is_said_with_its_place(here: Path) -> None:
    (here / "work" / "broken.yaml").write_text("name: broken\nsteps: [{id: a, promt: x}]\n")
    async with stage(here) as (made, pilot):
        await made.push_screen(PickerScreen(made.context, wanted="broken"))
        await pilot.pause()
        await worked(made)
        await pilot.pause()
        assert isinstance(made.screen, PickerScreen)
        note = str(made.screen.query_one("#picker-problem", Line).content)
        assert "broken.yaml:2:" in note
        assert "prompt" in note


async def test_a_broken_file_is_mended_where_it_is_wrong(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = here / "work" / "broken.yaml"
    broken.write_text("name: broken\nsteps:\n- {id: a, promt: x}\n")
    lines: list[int | None] = []

    async def edit(context: Any, path: Path, *, line: int | None = None) -> None:
        lines.append(line)
        path.write_text(path.read_text().replace("promt", "prompt"))

    monkeypatch.setattr(editor, "edit", edit)
    async with stage(here) as (made, pilot):
        await made.push_screen(PickerScreen(made.context, wanted=str(broken)))
        await pilot.pause()
        await worked(made)
        await pilot.pause()
        assert str(made.screen.query_one("#picker-note", Line).content) == ""
        await pilot.press("ctrl+o")
        await pilot.pause()
        await worked(made)
        await pilot.pause()
        assert isinstance(made.screen, StartScreen)
        assert lines == [3]


async def test_a_sample_is_not_edited(here: Path) -> None:
    async with stage(here) as (made, pilot):
        await pilot.press("r", *"brief", "ctrl+o")
        await pilot.pause()
        assert "i makes a copy" in str(made.screen.query_one("#picker-problem", Line).content)


async def test_a_path_that_is_no_file_is_said(here: Path) -> None:
    async with stage(here) as (made, pilot):
        await pilot.press("r", *"zzz/none.yaml", "enter")
        await pilot.pause()
        note = str(made.screen.query_one("#picker-problem", Line).content)
        assert note == "there is no file 'zzz/none.yaml'"


# --- the form --------------------------------------------------------------------------------------


async def test_the_form_has_a_control_a_field_with_its_default(here: Path) -> None:
    async with stage(here) as (made, pilot):
        screen = await form_of(made, pilot, "kinds")
        form = screen.query_one("#start-inputs", Form)
        assert [type(row.control) for row in form.rows] == [Entry, Entry, Pick, Pick, Area]
        assert form.texts() == {"topic": "", "depth": "3", "lang": "de", "deep": "false", "tags": "a\nb"}
        options = screen.query_one("#start-options", Form).texts()
        assert options == {"sim": "false", "model": "", "budget": "0.5"}
        assert made.focused is form.rows[0].control


async def test_it_is_checked_in_place_and_the_first_problem_has_the_focus(here: Path) -> None:
    async with stage(here) as (made, pilot):
        screen = await form_of(made, pilot, "kinds")
        rows = screen.query_one("#start-inputs", Form).rows
        await pilot.press("down", "9")
        await pilot.pause()
        assert "greater than the maximum" in str(rows[1].query_one(".form-hint", Line).content)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert str(rows[0].query_one(".form-hint", Line).content) == "is needed"
        assert made.focused is rows[0].control
        assert made.engine.asked == []
        await pilot.press("t")
        await pilot.pause()
        assert str(rows[0].query_one(".form-hint", Line).content) == "What it is about"


async def test_it_starts_the_run_and_shows_it(here: Path) -> None:
    async with stage(here) as (made, pilot):
        await form_of(made, pilot, "kinds")
        await pilot.press(
            *"tides", "tab", "backspace", "7", "tab", "right", "tab", "y", "tab", "down", "end", "enter", "c"
        )
        await pilot.press("ctrl+s")
        await worked(made)
        await pilot.pause()
        ((what, request),) = made.engine.asked
        assert what == "start_run"
        assert request.inputs == {
            "topic": "tides",
            "depth": 7,
            "lang": "en",
            "deep": True,
            "tags": ["a", "b", "c"],
        }
        assert request.budget_micro_usd == 500_000
        assert (request.simulated, request.model) == (False, None)
        assert request.submitter.origin == "tui"
        assert request.submitter.cwd == str(here / "work")
        assert request.sim == {"steps": {"a": {"reply": "hello"}}}
        assert made.main.told == [("open_run", "r_8f21")]
        assert not isinstance(made.screen, StartScreen | PickerScreen)


async def test_enter_goes_from_field_to_field_and_starts_at_the_end(here: Path) -> None:
    async with stage(here) as (made, pilot):
        await form_of(made, pilot, "research-brief")
        await pilot.press("enter", "enter", "enter")
        await worked(made)
        await pilot.pause()
        assert [asked[0] for asked in made.engine.asked] == ["start_run"]


async def test_what_models_mean_follows_the_switches(here: Path) -> None:
    async with stage(here) as (made, pilot):
        screen = await form_of(made, pilot, "kinds")
        models = screen.query_one("#start-models", Line)
        assert str(models.content) == "smart → openai:gpt-6.1-sol\nfast → openai:gpt-6-luna"
        screen.query_one("#start-options", Form).rows[0].control.focus()
        await pilot.press("space")
        await pilot.pause()
        assert "smart → sim:smart  simulated" in str(models.content)
        await pilot.press("space", "tab", *"nokey")
        await pilot.pause()
        assert str(models.content) == "openai:x: no key for openai (aethermind auth openai)"


async def test_what_it_may_cost_is_said_and_asked_about_once(here: Path) -> None:
    async with stage(here, models=FakeModels(1_000, 10_000)) as (made, pilot):
        screen = await form_of(made, pilot, "kinds")
        cost = screen.query_one("#start-cost", Line)
        assert str(cost.content) == "estimated $0.0020–0.0200"
        await pilot.press(*"tides", "ctrl+s")
        await pilot.pause()
        await pilot.pause()
        question = made.screen
        assert isinstance(question, ConfirmScreen)
        assert question.question == "estimated $0.0020–0.0200: run it?"
        assert question.note == "smart → openai:gpt-6.1-sol\nfast → openai:gpt-6-luna"
        await pilot.press("enter")  # the cursor is on no
        await pilot.pause()
        await worked(made)
        await pilot.pause()
        assert made.engine.asked == []
        assert "nothing was spent" in str(screen.query_one("#start-problem", Line).content)
        await pilot.press("ctrl+s")
        await pilot.pause()
        await pilot.pause()
        await pilot.press("y")
        await worked(made)
        assert [asked[0] for asked in made.engine.asked] == ["start_run"]


async def test_what_its_steps_used_before_narrows_the_estimate(here: Path) -> None:
    async with stage(here, models=FakeModels(1_000, 10_000)) as (made, pilot):
        steps = (StepDef(id="a", action=Prompt(template="x")),)
        before = Script(WorkflowDef(name="kinds", steps=steps), run_id="r_before", seq=10_000)
        before.begin(0, "a")
        before.call(10, "a", model="openai:gpt-6.1-sol")
        before.reply(20, "a", "done", tokens=(2_500, 500))
        made.engine.put(*before.history)
        screen = await form_of(made, pilot, "kinds")
        # `a` used 3,000 tokens, once: twice and half of that; `b` is as it was.
        assert str(screen.query_one("#start-cost", Line).content) == "estimated $0.0025–0.0160"


async def test_a_simulated_run_is_not_asked_about(here: Path) -> None:
    async with stage(here, models=FakeModels(1_000, 10_000)) as (made, pilot):
        screen = await form_of(made, pilot, "kinds")
        screen.query_one("#start-options", Form).rows[0].control.focus()
        await pilot.press("y")
        await pilot.pause()
        await worked(made)
        await pilot.pause()
        assert str(screen.query_one("#start-cost", Line).content) == ""
        screen.query_one("#start-inputs", Form).rows[0].control.focus()
        await pilot.press(*"tides", "ctrl+s")
        await worked(made)
        assert [asked[0] for asked in made.engine.asked] == ["start_run"]


async def test_a_model_without_a_price_is_said_to_have_none(here: Path) -> None:
    async with stage(here, models=FakeModels(1_000, 10_000)) as (made, pilot):
        screen = await form_of(made, pilot, "kinds")
        screen.query_one("#start-options", Form).rows[1].control.focus()
        await pilot.press(*"openai:secret")
        await pilot.pause()
        await worked(made)
        await pilot.pause()
        told = str(screen.query_one("#start-cost", Line).content)
        assert told == "2 of 2 prompts on models whose price is unknown"


async def test_what_the_engine_refuses_stays_in_the_form(here: Path) -> None:
    async with stage(here) as (made, pilot):
        screen = await form_of(made, pilot, "research-brief")
        made.engine.client.refusal = InvalidError("no key for openai", hint="aethermind auth openai")
        await pilot.press("ctrl+s")
        await worked(made)
        await pilot.pause()
        assert made.screen is screen
        problem = screen.query_one("#start-problem", Line)
        assert str(problem.content) == "no key for openai (aethermind auth openai)"


async def test_a_file_that_starts_programs_is_asked_about_once(here: Path) -> None:
    async with stage(here) as (made, pilot):
        screen = await form_of(made, pilot, "shell")
        await pilot.press("ctrl+s")
        await pilot.pause()
        question = made.screen
        assert isinstance(question, ConfirmScreen)
        assert question.question == "shell.yaml starts programs on this machine. Run it?"
        assert "echo" in question.note
        await pilot.press("escape")
        await worked(made)
        await pilot.pause()
        assert made.engine.asked == []
        assert str(screen.query_one("#start-problem", Line).content) == "shell.yaml was not trusted"
        await pilot.press("ctrl+s")
        await pilot.pause()
        await pilot.press("t")
        await worked(made)
        assert [asked[0] for asked in made.engine.asked] == ["trust", "start_run"]


async def test_samples_are_trusted(here: Path) -> None:
    (here / "samples" / "wc.yaml").write_text(SHELL.replace("shell", "wc"))
    async with stage(here) as (made, pilot):
        await form_of(made, pilot, "wc")
        await pilot.press("ctrl+s")
        await worked(made)
        assert [asked[0] for asked in made.engine.asked] == ["start_run"]


@pytest.mark.parametrize("size", [(80, 24), (60, 16)])
async def test_on_a_small_screen_problems_are_still_seen(here: Path, size: tuple[int, int]) -> None:
    async with stage(here, size=size) as (made, pilot):
        screen = await form_of(made, pilot, "kinds")
        problem = screen.query_one("#start-problem", Line)
        screen._say("something is wrong", bad=True)
        await pilot.pause()
        assert problem.region.bottom <= size[1] - 1
        assert problem.region.height == 1


# --- a workflow of one's own -----------------------------------------------------------------------


def test_a_new_workflow_is_a_copy_with_its_replies(here: Path) -> None:
    path = found.new_workflow("mine", here / "work" / "kinds.yaml")
    assert path == Path("workflows/mine.yaml")
    assert path.read_text() == KINDS.replace("name: kinds", "name: mine")
    assert Path("workflows/mine.sim.yaml").read_text() == (here / "work" / "kinds.sim.yaml").read_text()
    with pytest.raises(InvalidError, match="is there already"):
        found.new_workflow("mine", None)
    with pytest.raises(InvalidError, match="cannot be a workflow's name"):
        found.new_workflow("../evil", None)


async def test_new_asks_for_a_name_and_leads_to_its_form(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDITOR", "true")
    async with stage(here) as (made, pilot):
        await pilot.press(":", *"new mine", "enter")
        await worked(made)
        await pilot.pause()
        await worked(made)
        await pilot.pause()
        assert isinstance(made.screen, StartScreen)
        assert made.screen.definition.name == "mine"


async def test_a_workflow_that_is_gone_is_said(here: Path) -> None:
    async with stage(here) as (made, _pilot):
        assert found.find(made.context, "nothing") is None
        with pytest.raises(NotFoundError):
            bootstrap.load_workflow(made.context.composition, "nothing")


# --- hostile texts ---------------------------------------------------------------------------------

BAD = "a\x1b]52;c;eA==\x07\u202e[/x][@click=app.quit]z"


async def test_hostile_texts_of_a_workflow_are_shown_harmless_and_kept_as_they_are(here: Path) -> None:
    quoted = json.dumps(BAD)
    (here / "work" / "bad.yaml").write_text(
        f"name: bad\ndescription: {quoted}\ninputs:\n"
        f"  topic: {{type: string, description: {quoted}, default: {quoted}}}\n"
        f"  kind: {{enum: [{quoted}, b]}}\n"
        f"  list: {{type: array, items: string, default: [{quoted}]}}\n"
        "steps: [{id: a, prompt: hi}]\n"
    )
    async with stage(here) as (made, pilot):
        await pilot.press("r")
        await pilot.pause()
        picker = made.export_screenshot()
        await pilot.press(*"bad", "enter")
        await worked(made)
        await pilot.pause()
        assert isinstance(made.screen, StartScreen)
        for picture in (picker, made.export_screenshot()):
            assert not any(sign in picture for sign in ("\x1b", "\x07", "\u202e"))
        await pilot.press("ctrl+s")
        await worked(made)
        ((_, request),) = made.engine.asked
        assert request.inputs == {"topic": BAD, "kind": BAD, "list": [BAD]}


async def test_what_is_pasted_is_cleaned(here: Path) -> None:
    async with stage(here) as (made, pilot):
        screen = await form_of(made, pilot, "kinds")
        rows = screen.query_one("#start-inputs", Form).rows
        rows[0].control.post_message(events.Paste("two\nlines \x1b[31m"))
        await pilot.pause()
        assert rows[0].text == "two lines ␛[31m"
        rows[4].control.focus()
        rows[4].control.post_message(events.Paste("x\n\x07y"))
        await pilot.pause()
        assert rows[4].text == "x\n␇ya\nb"
