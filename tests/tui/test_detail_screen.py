"""The detail screen on a stage: keys, streaming, what is drawn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual.pilot import Pilot

from aethermind.domain import events as e
from aethermind.domain.workflow import Command, StepDef, WorkflowDef
from aethermind.tui.actions import warm
from aethermind.tui.context import Changes
from aethermind.tui.screens.detail.json_view import JsonView
from aethermind.tui.screens.detail.screen import DetailScreen
from aethermind.tui.screens.detail.view import Lines, TextView
from tests.tui import histories
from tests.tui.histories import ANSWER, Script
from tests.tui.stage import Stage

LONG = "\n".join(f"line {n}" for n in range(200))


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """The first Markdown would be laid out later, beside the screen."""
    warm()


@asynccontextmanager
async def detail(
    script: Script, path: str, *, size: tuple[int, int] = (120, 36), **options: Any
) -> AsyncIterator[tuple[Stage, DetailScreen, Pilot[None]]]:
    stage = Stage(script)
    async with stage.run_test(size=size) as pilot:
        screen = DetailScreen(stage.context, script.run_id, path, **options)
        await stage.push_screen(screen)
        await pilot.pause()
        yield stage, screen, pilot


def shown(screen: DetailScreen) -> str:
    """The rows of the text that are on the screen."""
    view = screen.text_view
    return "\n".join(view.render_line(y).text.rstrip(" │┃") for y in range(view.size.height)).rstrip()


async def test_it_opens_on_the_answer_of_the_newest_call() -> None:
    async with detail(histories.research(), "gather/read_papers") as (_, screen, _pilot):
        assert "Tides follow the moon." in shown(screen)
        assert "call 2  (2 of 2)" in str(screen.query_one("#detail-content").border_title)
        assert "gather/read_papers" in screen.query_one("#detail-title", Lines).plain()


async def test_brackets_go_through_calls_and_say_where_it_ends() -> None:
    async with detail(histories.research(), "gather/read_papers") as (stage, screen, pilot):
        await pilot.press("[")
        assert "Twelve papers" in shown(screen)
        await pilot.press("[")
        assert stage.toasts == [("information", "that is the first one")]
        await pilot.press("]", "]")
        assert "Tides follow" in shown(screen)
        assert stage.toasts[-1] == ("information", "that is the last one")


async def test_it_can_open_on_a_call() -> None:
    async with detail(histories.research(), "gather/read_papers", call=(1, 1)) as (_, screen, _pilot):
        assert "Twelve papers" in shown(screen)


async def test_numbers_and_tab_choose_sections() -> None:
    async with detail(histories.research(), "plan") as (_, screen, pilot):
        seen = [screen.section]
        for keys in (["2"], ["tab"], ["shift+tab"] * 3, ["9"]):
            await pilot.press(*keys)
            seen.append(screen.section)
        assert seen == ["answer", "prompt", "output", "definition", "definition"]


async def test_the_list_of_attempts_stands_beside_or_is_a_section() -> None:
    script = histories.research()
    async with detail(script, "gather/scrape") as (_, screen, pilot):
        assert "waited" in screen.query_one("#detail-timeline", TextView).plain()
        assert "Attempts" not in screen.query_one("#detail-tabs", Lines).plain()
    async with detail(script, "gather/scrape", size=(80, 24)) as (_, screen, pilot):
        assert not screen.query_one("#detail-side").display
        await pilot.press("6")
        assert "waited" in shown(screen)


async def test_streaming_appends_and_follows_until_one_scrolls_up() -> None:
    script = histories.research()
    async with detail(script, "sections[2]", size=(80, 24)) as (stage, screen, pilot):
        assert "waiting for the first token" in shown(screen)
        key = ("sections[2]", 1, 1)

        async def stream(text: str) -> None:
            stage.bridge.texts[(script.run_id, *key)] = text
            stage.frame(script.run_id, texts=[key])
            await pilot.pause()

        await stream("The se")
        assert shown(screen) == "The se"
        await stream("The sea\n" + LONG)
        assert shown(screen).endswith("line 199")
        assert "FOLLOW" in str(screen.query_one("#detail-content").border_title)
        laid_out = screen.text_view.text.lines[0]
        await stream("The sea\n" + LONG + "\nmore")
        assert shown(screen).endswith("more")
        assert screen.text_view.text.lines[0] is laid_out  # nothing was laid out again

        await pilot.press("k", "k")
        assert "new text below" in str(screen.query_one("#detail-content").border_title)
        before = shown(screen)
        await stream("The sea\n" + LONG + "\nmore\nand more")
        assert shown(screen) == before
        await pilot.press("G")
        assert shown(screen).endswith("and more")


async def test_when_the_call_ends_the_text_becomes_markdown() -> None:
    script = histories.research()
    async with detail(script, "sections[2]") as (stage, screen, pilot):
        key = ("sections[2]", 1, 1)
        stage.bridge.texts[(script.run_id, *key)] = "- **ha"
        stage.frame(script.run_id, texts=[key])
        await pilot.pause()
        assert "**ha" in shown(screen)
        script.reply(104_000, "sections[2]", "- **half** a page")
        script.succeed(104_010, "sections[2]", "- **half** a page")
        stage.frame(script.run_id, nodes=["sections[2]"])
        await pilot.pause()
        assert shown(screen).strip() == "• half a page"
        assert not screen.text_view.growing


async def test_a_long_markdown_is_laid_out_beside_the_screen() -> None:
    script = Script(histories.RESEARCH)
    script.begin(10, "plan")
    script.call(20, "plan")
    script.reply(30, "plan", "# Head\n\n" + "- **point**\n" * 2_000)
    async with detail(script, "plan") as (stage, screen, pilot):
        await stage.workers.wait_for_complete()
        await pilot.pause()
        assert "• point" in shown(screen)
        assert "**" not in screen.text_view.plain()


async def test_a_retry_that_starts_is_shown_unless_one_chose_another() -> None:
    script = Script(histories.RESEARCH)
    script.prompt(0, 100, "plan", "{}")
    script.expand(110, "gather")
    script.begin(120, "gather/scrape")
    script.call(130, "gather/scrape")
    script.refuse(900, "gather/scrape", histories.RATE_LIMIT)
    script.fail(1_000, "gather/scrape", histories.RATE_LIMIT, retry_in=8_000)
    async with detail(script, "gather/scrape") as (stage, screen, pilot):
        script.begin(9_000, "gather/scrape")
        script.call(9_010, "gather/scrape")
        stage.frame(script.run_id, nodes=["gather/scrape"])
        await pilot.pause()
        assert "try 2, call 1" in str(screen.query_one("#detail-content").border_title)
        await pilot.press("[")
        script.reply(9_900, "gather/scrape", "ok")
        stage.frame(script.run_id, nodes=["gather/scrape"])
        await pilot.pause()
        assert "try 1, call 1" in str(screen.query_one("#detail-content").border_title)


async def test_a_json_answer_folds_under_the_cursor() -> None:
    async with detail(histories.research(), "plan") as (_, screen, pilot):
        assert isinstance(screen.text_view, JsonView)
        await pilot.press("j", "space")
        assert '▸ "sections": […],' not in shown(screen)  # it is the last member
        assert '▸ "sections": […]  3' in shown(screen)
        await pilot.press("+")
        assert '"moon"' in shown(screen)
        await pilot.press("_")
        assert '"moon"' not in shown(screen)
        await pilot.press("j", "l")
        assert '"moon"' in shown(screen)
        await pilot.press("j", "h")
        assert screen.text_view.here == 1
        await pilot.press("G")
        assert screen.text_view.here == 6
        await pilot.press("g")
        assert screen.text_view.here == 0


async def test_y_copies_the_text_and_shift_y_the_command() -> None:
    async with detail(histories.research(), "gather/read_papers") as (stage, _, pilot):
        await pilot.press("y")
        assert stage.copied == [ANSWER]
        await pilot.press("Y")
        assert stage.copied[-1] == "aethermind show r_8f21 --output 'gather/read_papers'"


async def test_finding_a_text_goes_to_its_row_and_round() -> None:
    script = Script(histories.RESEARCH)
    script.begin(10, "plan")
    script.call(20, "plan")
    script.reply(30, "plan", LONG.replace("\n", "\n\n"))
    async with detail(script, "plan") as (stage, screen, pilot):
        await pilot.press("/", *"line 150", "enter")
        await pilot.pause()
        assert stage.screen is screen
        assert shown(screen).splitlines()[0].strip() == "line 150"
        await pilot.press("/", *"line 99", "enter")
        await pilot.pause()
        assert shown(screen).splitlines()[0].strip() == "line 99"
        await pilot.press("n")
        assert shown(screen).splitlines()[0].strip() == "line 99"  # the only one
        await pilot.press("f", *"nowhere", "enter")
        await pilot.pause()
        assert stage.toasts[-1] == ("warning", "nothing found: nowhere")


async def test_escape_goes_back() -> None:
    async with detail(histories.research(), "plan") as (stage, screen, pilot):
        await pilot.press("escape")
        await pilot.pause()
        assert stage.screen is not screen
        assert stage.bridge.listeners == []


async def test_a_run_that_is_not_held_is_asked_for() -> None:
    script = histories.research()
    stage = Stage(script)
    stage.runs.clear()
    async with stage.run_test(size=(120, 36)) as pilot:
        screen = DetailScreen(stage.context, script.run_id, "plan")
        await stage.push_screen(screen)
        await stage.workers.wait_for_complete()
        await pilot.pause()
        assert '"moon"' in shown(screen)


async def test_the_run_itself_shows_its_outputs() -> None:
    script = histories.research(until="end")
    async with detail(script, "") as (_, screen, pilot):
        assert "Tides follow" in shown(screen)
        await pilot.press("2")
        assert '"topic": "tides"' in shown(screen)
        await pilot.press("3")
        assert "✓ plan" in shown(screen)


async def test_hostile_text_changes_nothing_but_its_row() -> None:
    bad = "a\x1b]52;c;eA==\x07b\x1b[2J\u202ec[/][@click=app.quit]d[/]\x9b31m"
    script = Script(histories.RESEARCH)
    script.begin(10, "plan")
    script.call(20, "plan", model=f"openai:{bad}")
    script.log(21, "error", bad, step="plan")
    async with detail(script, "plan") as (stage, _, pilot):
        key = ("plan", 1, 1)
        stage.bridge.texts[(script.run_id, *key)] = bad
        stage.frame(script.run_id, texts=[key])
        await pilot.pause()
        for section in "12345":
            await pilot.press(section)
            picture = stage.export_screenshot()
            assert not any(sign in picture for sign in ("\x1b", "\x07", "\u202e", "\x9b"))
        assert isinstance(script.history[-1].event, e.LogWritten)


async def test_wrapping_can_be_switched_off() -> None:
    script = Script(histories.RESEARCH)
    script.begin(10, "plan")
    script.call(20, "plan")
    async with detail(script, "plan", size=(80, 24)) as (stage, screen, pilot):
        key = ("plan", 1, 1)
        stage.bridge.texts[(script.run_id, *key)] = "start " + "x" * 300
        stage.frame(script.run_id, texts=[key])
        await pilot.pause()
        assert len(shown(screen).splitlines()) > 3
        await pilot.press("w")
        assert len(shown(screen).splitlines()) == 1
        await pilot.press("l")
        assert shown(screen).startswith("xxx")
        await pilot.press("h", "w")
        assert len(shown(screen).splitlines()) > 3


async def test_what_a_command_writes_is_shown_while_it_runs() -> None:
    definition = WorkflowDef(name="b", steps=(StepDef(id="make", action=Command(argv=("make",))),))
    script = Script(definition, inputs={}, models={})
    script.begin(10, "make")
    script.log(20, "info", "starting", step="make")
    script.log(30, "info", "cc main.c", step="make", attempt=1, metadata={"stream": "stdout"})
    async with detail(script, "make", size=(80, 24)) as (stage, screen, pilot):
        await stage.workers.wait_for_complete()
        await pilot.pause()
        assert "cc main.c" in shown(screen)
        assert "starting" not in shown(screen)

        def write(s: Script) -> None:
            for n in range(50):
                s.log(
                    40 + n, "warning", f"warning {n}", step="make", attempt=1, metadata={"stream": "stderr"}
                )

        stage.engine.play(script, write)
        for listener in stage.bridge.listeners:
            listener(Changes(script.run_id, frozenset(), frozenset(), logs=50))
        await stage.workers.wait_for_complete()
        await pilot.pause()
        assert shown(screen).endswith("warning 49")  # it follows
        script.succeed(900, "make", "ok", result={"stdout": "ok\n", "stderr": "", "exit_code": 0})
        stage.frame(script.run_id, nodes=["make"])
        await pilot.pause()
        assert "exit code 0" in screen.text_view.plain()
        assert "warning 3" not in screen.text_view.plain()


async def test_markdown_is_laid_out_anew_when_the_screen_grows() -> None:
    script = Script(histories.RESEARCH)
    script.prompt(0, 100, "plan", "word " * 60)
    async with detail(script, "plan", size=(60, 24)) as (_, screen, pilot):
        narrow = len(shown(screen).splitlines())
        await pilot.resize_terminal(110, 30)
        await pilot.pause()
        assert len(shown(screen).splitlines()) < narrow
