"""Everything that can be done can be had by key, by the palette and by the `:` line, and does something."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.screen import Screen

from aethermind.cli.app import COMMANDS, LATER, root
from aethermind.tui import commands
from aethermind.tui.actions import REGISTRY, bindings, perform, summon, why_not
from aethermind.tui.actions.foot import foot
from aethermind.tui.actions.reach import TITLES, here
from aethermind.tui.actions.registry import PANES, Action, Where
from aethermind.tui.actions.target import place_of
from aethermind.tui.app import AethermindApp
from aethermind.tui.keymap import PRESETS, build
from aethermind.tui.screens.palette import PaletteScreen
from tests.tui import histories
from tests.tui.stage import Stage
from tests.tui.theatre import make, playing, text

ACTIONS = list(REGISTRY)
BY_ID = pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.id)


# --- by key, by name -------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_what_has_a_key_keeps_one_in_every_preset(preset: str) -> None:
    keymap = build(REGISTRY, {"preset": preset})
    lost = [a.id for a in REGISTRY if a.keys and not keymap.of(a)]
    assert lost == []


@BY_ID
def test_what_is_typed_for_an_action_means_it(action: Action) -> None:
    typed = REGISTRY.typed(action)
    assert typed
    meant, argument = commands.parse(REGISTRY, typed)
    if action.through:
        assert argument
        assert meant.where >= action.where
        assert meant.usage
    else:
        assert (meant, argument) == (action, "")


def test_commands_that_take_a_name_offer_some() -> None:
    """All but those whose argument is the user's own: a text, a number, a file, a sum of money."""
    own = {"filter", "find", "new", "save", "budget", "cap", "logs"}
    own |= {a.command for a in REGISTRY if a.usage == "[N]"}
    takes = {a.command for a in REGISTRY if a.usage}
    assert own <= takes
    assert {a.command for a in REGISTRY if a.usage and a.complete is None} <= own


# --- the command line that does the same -----------------------------------------------------------


def verbs(action: Action) -> list[list[str]]:
    """`aethermind pause RUN · aethermind resume RUN` as two lists of words."""
    return [part.split()[1:] for part in action.cli.split(" · ")]


@pytest.mark.parametrize("action", [a for a in ACTIONS if a.cli], ids=lambda a: a.id)
def test_the_command_named_exists_with_the_options_named(action: Action) -> None:
    for words in verbs(action):
        if words[0] == "--help":
            continue
        if words[0] in LATER - set(COMMANDS):
            assert action.group != "run"
            continue
        command = root.get_command(click.Context(root), words[0])
        assert command is not None, words[0]
        known = {name for parameter in command.params for name in parameter.opts}
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", " ".join(words)):
            assert option in known, f"{words[0]} has no {option}"


# --- by the palette --------------------------------------------------------------------------------


async def test_the_palette_has_all_actions_with_those_of_here_first() -> None:
    stage = Stage(histories.research())
    async with stage.run_test(size=(100, 30)):
        palette = PaletteScreen(stage.context)
        ranked = palette._actions("trace")
        assert sorted(item.label for _, item in ranked) == sorted(a.title for a in REGISTRY)
        assert all(item.note for _, item in ranked)
        ranks = {item.label: rank for rank, item in ranked}
        assert ranks["Open"] < ranks["Level of the logs"] < ranks["One line down"] < ranks["Speed"]
        refused = {item.label: item.why_not for _, item in ranked}
        assert refused["Speed"] == "that is for the screen of a replay"
        assert refused["Level of the logs"] is None


async def test_what_is_for_another_screen_says_so_and_does_nothing() -> None:
    stage = Stage(histories.research())
    async with stage.run_test(size=(100, 30)) as pilot:
        assert summon(stage.context, "bill.span") is False
        await pilot.press("enter")
        await pilot.pause()
        assert summon(stage.context, "view.critical") is False
        assert why_not(stage.context, "view.zoom") == "that is for the main screen"
        assert stage.main.told == []
        assert [said for _, said in stage.toasts] == [
            "Another span of time: that is for the screen of what was spent",
            "Critical path: that is for the main screen",
        ]


async def test_a_count_moves_so_often_and_a_wrong_one_is_said() -> None:
    stage = Stage(histories.research())
    async with stage.run_test(size=(100, 30)):
        summon(stage.context, "move.down", "3")
        assert stage.main.told == [("move", "down")] * 3
        assert summon(stage.context, "move.up", "many") is False
        assert stage.toasts == [("error", "many is no number of lines (1 to 10,000)")]


def test_every_place_has_a_title_and_something_to_do() -> None:
    for place in TITLES:
        assert place in {"form", "list"} or REGISTRY.at(place)


# --- each of them does something -------------------------------------------------------------------

OPENERS: dict[Where, tuple[str, str]] = {
    "detail": ("run.open", ""),
    "inbox": ("screen.inbox", ""),
    "bill": ("screen.bill", ""),
    "diff": ("run.diff", "r_8f1e r_8f21"),
    "layers": ("screen.layers", ""),
    "replay": ("run.replay", ""),
    "settings": ("screen.settings", ""),
}


ASIDE = frozenset({"replay.fold"})
"""Nothing to fold in this run: see `test_replay_screen`."""


async def until(pilot: Pilot[Any], holds: Callable[[], bool]) -> bool:
    """Whether it comes to hold, given what is under way its time."""
    for _ in range(40):
        await pilot.pause()
        if holds():
            return True
    return False


async def differs(pilot: Pilot[Any], look: Callable[[], object], before: object) -> bool:
    """Whether what is seen comes to be something else than before."""
    return await until(pilot, lambda: look() != before)


def stands_at(app: AethermindApp, place: Where) -> bool:
    return place_of(app.context) == place


async def leave(pilot: Pilot[Any], top: Screen[Any]) -> None:
    """Until this screen is off."""
    assert await until(pilot, lambda: top.is_mounted)
    _ = top.dismiss(None)
    assert await until(pilot, lambda: pilot.app.screen is not top)


async def close(pilot: Pilot[Any], below: Screen[Any]) -> None:
    """Until the screen that was below is on top again."""
    while pilot.app.screen is not below:
        await leave(pilot, pilot.app.screen)


async def silent_on_stage() -> list[str]:
    """Actions of the main screen of which nothing is to be seen on a stage."""
    stage = Stage(histories.failed())
    silent: list[str] = []
    stage.exit = lambda *_, **__: stage.toast("left")  # type: ignore[method-assign]  # it would end the stage

    def print_() -> tuple[Any, ...]:
        main, asked = stage.main, stage.engine.asked
        return len(main.told), main.marked, len(stage.toasts), len(asked), len(stage.copied), stage.screen

    async with stage.run_test(size=(100, 30)) as pilot:
        under = stage.screen
        for action in REGISTRY.at(*PANES):
            before = print_()
            perform(stage.context, action.id)
            if not await differs(pilot, print_, before):
                silent.append(action.id)
            await close(pilot, under)
    return silent


async def silent_for_real(app: AethermindApp, pilot: Pilot[int], ids: Iterable[str]) -> list[str]:
    """Those that change nothing on the screen that is up, and say nothing."""
    screen, silent = app.screen, []

    def print_() -> tuple[Any, ...]:
        return app.screen, screen.focused, len(app._notifications), text(app)

    for id in ids:
        before = print_()
        summon(app.context, id)
        if not await differs(pilot, print_, before):
            silent.append(id)
        await close(pilot, screen)
    return silent


async def test_each_does_something_or_says_why_not() -> None:
    silent = await silent_on_stage()
    app = make(histories.failed(), histories.research())
    async with playing(app) as pilot:
        silent = await silent_for_real(app, pilot, silent)
        for place, opener in OPENERS.items():
            perform(app.context, *opener)
            assert await until(pilot, partial(stands_at, app, place))
            known = [action.id for action in reversed(REGISTRY.at(place)) if action.where == {place}]
            of_here = [id for id in known if id not in ASIDE]
            silent += await silent_for_real(app, pilot, of_here)
            await close(pilot, app.main_screen)
    assert silent == []


@pytest.mark.parametrize("place", [p for p in OPENERS if p != "detail"])
def test_keys_of_other_screens_are_bound(place: Where) -> None:
    ids = {binding.id for binding in bindings(REGISTRY, place) if isinstance(binding, Binding)}
    assert ids == {a.id for a in REGISTRY.at(place) if not a.widget}


# --- the footer ------------------------------------------------------------------------------------


async def test_what_can_not_be_done_now_is_dim_and_takes_no_room_from_what_can() -> None:
    stage = Stage(histories.failed())
    async with stage.run_test():
        wide = foot(REGISTRY, stage.context, 200)
        assert [hint.word for hint in wide if not hint.can] == ["answer", "cancel", "pause", "mend", "edit"]
        for width in range(30, 200, 7):
            found = foot(REGISTRY, stage.context, width)
            able = [hint for hint in found if hint.can]
            if any(not hint.can for hint in found):
                assert able == [hint for hint in wide if hint.can]
            assert sum(len(f"{hint.key} {hint.word}  ") for hint in found) <= width


def test_the_panes_of_the_main_screen_share_their_keys() -> None:
    assert here(REGISTRY["view.level"], "trace")
    assert not here(REGISTRY["view.level"], "detail")


def test_the_page_of_keys_says_what_the_registry_says() -> None:
    """Mended by `python docs/screen.py`."""
    docs = Path(__file__).parents[2] / "docs"
    text = (docs / "screen.md").read_text()
    assert runpy.run_path(str(docs / "screen.py"))["page"](text) == text
