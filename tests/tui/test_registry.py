from __future__ import annotations

from collections.abc import Iterable

import pytest
from textual.binding import Binding, BindingType

from aethermind.domain.errors import InvalidError
from aethermind.tui.actions import REGISTRY, Registry, bindings, hints, main_bindings, warm
from aethermind.tui.actions.registry import GROUPS, MAIN, PANES, SCREENS, Action
from aethermind.tui.keymap import normal
from aethermind.tui.screens.detail import markdown
from tests.tui import histories
from tests.tui.stage import Stage

ACTIONS = list(REGISTRY)


def ids_of(found: Iterable[BindingType]) -> set[str | None]:
    return {binding.id for binding in found if isinstance(binding, Binding)}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.id)
def test_an_action_says_what_it_is(action: Action) -> None:
    noun, dot, verb = action.id.partition(".")
    assert all((noun, dot, verb))
    assert action.title
    assert action.title[0].isupper()
    assert action.description.endswith(".")
    assert action.group in GROUPS
    assert action.where


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.id)
def test_an_action_has_a_key_or_a_reason_for_none(action: Action) -> None:
    assert bool(action.keys) != bool(action.no_key)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda a: a.id)
def test_an_action_has_a_cli_verb_or_a_reason_for_none(action: Action) -> None:
    assert bool(action.cli) != bool(action.no_cli)
    if action.cli:
        assert action.cli.startswith("aethermind ")


@pytest.mark.parametrize("action", [a for a in ACTIONS if a.group == "run"], ids=lambda a: a.id)
def test_what_acts_on_a_run_has_a_cli_verb(action: Action) -> None:
    if not action.id.startswith("detail."):
        assert action.cli


def test_a_key_stands_for_one_action_in_each_place() -> None:
    for place in (*PANES, *sorted(SCREENS), "detail", "list", "text"):
        seen: dict[str, str] = {}
        for action in REGISTRY.at(place):
            for key in map(normal, action.keys):
                assert key not in seen, f"{key} in {place}: {seen.get(key)} and {action.id}"
                seen[key] = action.id


def test_no_key_is_shared_on_the_main_screen() -> None:
    # All panes share one screen's bindings.
    keys = [normal(key) for action in REGISTRY.at(*PANES) for key in action.keys]
    assert len(keys) == len(set(keys))


def test_no_default_key_is_one_that_terminals_or_multiplexers_keep() -> None:
    keys = {normal(key) for action in REGISTRY if action.id != "global.suspend" for key in action.keys}
    assert REGISTRY["global.suspend"].keys == ("ctrl+z",)  # what it means in any shell
    assert not keys & {"ctrl+i", "ctrl+m", "ctrl+j", "ctrl+h", "ctrl+a", "ctrl+b", "ctrl+q", "ctrl+z"}


def test_commands_are_words_and_differ() -> None:
    words = [action.command for action in REGISTRY if action.command]
    assert len(words) == len(set(words))
    assert all(word.isalpha() and word.islower() for word in words)


def test_the_main_screen_binds_every_action_of_its_panes() -> None:
    bound = ids_of(main_bindings())
    assert bound == {action.id for action in REGISTRY if action.where & MAIN}


def test_moving_is_the_widgets_business_off_the_main_screen() -> None:
    bound = ids_of(bindings(REGISTRY, "detail"))
    assert "move.down" not in bound
    assert "move.back" in bound


def test_two_actions_of_one_id_are_a_defect() -> None:
    with pytest.raises(ValueError, match=r"run\.open"):
        Registry([REGISTRY["run.open"], REGISTRY["run.open"]])


def test_a_beginning_finds_a_command_if_it_fits_one_only() -> None:
    assert REGISTRY.command("canc") is REGISTRY["run.cancel"]
    assert REGISTRY.command("co") is None  # costs, copy
    assert REGISTRY.command("") is None


def test_what_keys_open_can_be_imported_beforehand() -> None:
    warm()
    assert markdown.ready()


# --- the footer ------------------------------------------------------------------------------------


async def test_hints_fit_and_keep_help_and_quit_to_the_last() -> None:
    stage = Stage(histories.research())
    async with stage.run_test():
        for width in (30, 60, 80, 120):
            found = hints(stage.context, width)
            assert [word for _, word in found[-2:]] == ["help", "quit"]
            assert sum(len(f"{key} {word}  ") for key, word in found) <= width
        assert ("↵", "open") in hints(stage.context, 80)


async def test_hints_leave_out_what_can_not_be_done_now() -> None:
    stage = Stage(histories.research())
    async with stage.run_test():
        live = hints(stage.context, 200)
    stage = Stage(histories.failed())
    async with stage.run_test():
        over = hints(stage.context, 200)
    assert ("x", "cancel") in live
    assert ("R", "retry") not in live
    assert ("x", "cancel") not in over
    assert ("R", "retry") in over
    assert not any(word == "answer" for _, word in live)


def test_a_title_is_found_by_the_word_typed_for_it() -> None:
    from aethermind.tui.commands import parse

    action, argument = parse(REGISTRY, ":run research brief ")
    assert (action.id, argument) == ("run.start", "research brief")
    with pytest.raises(InvalidError, match="takes nothing"):
        parse(REGISTRY, "zoom in")
    with pytest.raises(InvalidError, match="could be"):
        parse(REGISTRY, "co")
    with pytest.raises(InvalidError, match="no command 'canccel'") as caught:
        parse(REGISTRY, "canccel")
    assert caught.value.hint == "did you mean cancel?"
    with pytest.raises(InvalidError, match="type a command"):
        parse(REGISTRY, " ")
