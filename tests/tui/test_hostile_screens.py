"""The hostile corpus on every screen and in every dialog: what is drawn is harmless, and escape leads out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from aethermind.definitions.edited import Place
from aethermind.domain import events as e
from aethermind.domain.state import Question
from aethermind.domain.workflow import Ask, StepDef, WorkflowDef
from aethermind.tui.app import AethermindApp
from aethermind.tui.mending import Ready, Wrong
from aethermind.tui.screens import dialog
from aethermind.tui.screens.bill import BillScreen
from aethermind.tui.screens.card import CardScreen
from aethermind.tui.screens.compare import CompareScreen
from aethermind.tui.screens.confirm import Choice, ConfirmScreen
from aethermind.tui.screens.detail.lines import text_lines
from aethermind.tui.screens.detail.screen import DetailScreen
from aethermind.tui.screens.fork import ForkScreen
from aethermind.tui.screens.inbox import InboxScreen
from aethermind.tui.screens.layers import LayersScreen
from aethermind.tui.screens.mend import MendScreen
from aethermind.tui.screens.palette import PaletteScreen
from aethermind.tui.screens.prompt import PromptScreen
from aethermind.tui.screens.question import QuestionScreen
from aethermind.tui.screens.reading import ReadingScreen
from aethermind.tui.screens.replay import ReplayScreen
from tests.hostile import UNSAFE
from tests.tui import histories
from tests.tui.histories import Script
from tests.tui.main.test_hostile import attack
from tests.tui.stage import NOTHING, Stage
from tests.tui.theatre import lines, make, playing, settle

NASTY = (
    *("\x1b[31mred\x1b[0m", "\x1b", "\x1b]52;c;cm0gLXJmIH4K\x07", "\x1b]0;owned\x07", "\x9d0;owned\x9c"),
    *(
        "".join(map(chr, range(0x20))),
        "dos\r\nlines\r\n",
        "\u202egnp.exe",
        "pay\u200bpal",
        "half \ud83d emoji",
    ),
    *("[/x]", "[@click=app.quit]quit[/]", "\\[", "a" * 9_000, "z" + "\u0335\u0321\u034e" * 40, "\t\t\t"),
)
"""One of each kind of the corpus: every dialog costs its time. Rows without a screen are tried with all."""
RECORDED = [text.encode("utf-8", "replace").decode() for text in NASTY]
"""What can be recorded has no lone surrogates."""


@pytest.fixture(autouse=True)
def _no_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialog, "GUARD_S", 0.0)


def unsafe(rows: Sequence[str]) -> list[str]:
    return [row for row in rows if UNSAFE.search(row) or "\n" in row or "\t" in row]


def asking(text: str, run_id: str, seq: int) -> Script:
    """A run whose name, step, question, fields and options are this text."""
    fields: dict[str, Any] = {
        text: {"enum": [text, "x"]},
        "note": {"type": "string", "default": text, "description": text},
    }
    definition = WorkflowDef(
        name=text, steps=(StepDef(id=text or "s", action=Ask(message=text, fields=fields)),)
    )
    script = Script(definition, run_id=run_id, seq=seq, inputs={"x": text}, models={})
    path = text or "s"
    script.begin(900, path)
    script.add(1_000, e.AskOpened(step=path, attempt=1, about="ask", message=text, show=text, fields=fields))
    return script


def questions() -> list[Script]:
    return [asking(text, f"r_q{n}", 1_000 + n * 10) for n, text in enumerate(RECORDED)]


async def look(app: AethermindApp, pilot: Pilot[int], screen: Screen[Any]) -> list[str]:
    """The rows of a screen; afterwards it is left by escape."""
    await app.push_screen(screen)
    await pilot.pause()
    await app.workers.wait_for_complete()
    await pilot.pause()
    rows = lines(app)
    await pilot.press("escape")
    await pilot.pause()
    assert app.screen is app.main_screen, screen
    return rows


def top(app: AethermindApp) -> type[Screen[Any]]:
    return type(app.screen)


async def test_every_screen() -> None:
    script = attack(NASTY)
    app = make(script, histories.research(until="end", run_id="r_other", seq=5_000), *questions())
    async with playing(app, (120, 60)) as pilot:
        context, run = replace(app.context, composition=NOTHING), script.run
        screens: list[Screen[Any]] = [
            DetailScreen(context, run.id, "a[7]"),
            BillScreen(context, "agent"),
            InboxScreen(context),
            CompareScreen(context, run.id, "r_other"),
            LayersScreen(context, run.id),
            ReplayScreen(context, run.id),
            CardScreen(context, run.id),
            PaletteScreen(context),
            ForkScreen(run, "a"),
        ]
        for screen in screens:
            assert not unsafe(await look(app, pilot, screen)), screen


async def test_every_dialog() -> None:
    """All texts in one of each."""
    app = make(histories.research())
    everything = "\n".join(NASTY)
    fields = {text: {"enum": [text, "x"], "description": text} for text in NASTY}
    at = Place(Path("x"), 1)
    async with playing(app, (100, 60)) as pilot:
        dialogs: list[Screen[Any]] = [
            QuestionScreen(everything, Question("ask", everything, fields, 0, show=everything)),
            ConfirmScreen(
                everything,
                note=everything,
                show=everything,
                choices=[Choice("y", t, "y") for t in NASTY[:1]],
            ),
            PromptScreen(everything, value=everything, hint=everything),
            ReadingScreen(everything, text_lines("harmless")),
            MendScreen(everything, Wrong(everything, at, everything), _never),
            MendScreen(everything, Ready(None, NASTY, NASTY, at), _never),  # type: ignore[arg-type]  # not looked at
        ]
        for screen in dialogs:
            assert not unsafe(await look(app, pilot, screen)), screen


async def _never(found: Any) -> Any:
    raise AssertionError("nobody edits")


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "\x1b", "\ttab", "\x7f"], ids=range(4))
async def test_an_option_that_begins_with_a_key_is_not_chosen_by_it(text: str) -> None:
    """Escape comes as a character, too: a question with such an option could not be left."""
    stage = Stage()
    async with stage.run_test(size=(80, 24)) as pilot:
        question = Question("ask", "Which?", {"which": {"enum": ["plain", text]}}, 0)
        screen = QuestionScreen("asks", question)
        await stage.push_screen(screen)
        await pilot.pause()
        await pilot.press("escape")
        await pilot.pause()
        assert stage.screen is not screen


async def test_what_is_asked_is_decided_from_the_inbox() -> None:
    """Questions with these texts in all their parts, opened from the list and put off."""
    app = make(*questions())
    async with playing(app, (100, 50)) as pilot:
        screen = InboxScreen(app.context)
        await app.push_screen(screen)
        await pilot.pause()
        await app.workers.wait_for_complete()
        await settle(pilot)
        assert len(screen.rows) == len(NASTY)
        for _ in range(4):
            await pilot.press("enter")
            await pilot.pause()
            assert top(app) is QuestionScreen
            assert not unsafe(lines(app))
            await pilot.press("escape")
            await pilot.pause()
            assert top(app) is InboxScreen
            await pilot.press("j", "j", "j")
