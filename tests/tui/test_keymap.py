from __future__ import annotations

from typing import Any

import pytest

from aethermind.tui.actions import REGISTRY
from aethermind.tui.keymap import PRESETS, UNBOUND, build, normal, report, shown


@pytest.mark.parametrize(
    "typed, name, seen",
    [
        ("?", "question_mark", "?"),
        ("/", "slash", "/"),
        ("+", "plus", "+"),
        ("_", "underscore", "_"),
        ("-", "minus", "-"),
        ("[", "left_square_bracket", "["),
        ("ctrl+p", "ctrl+p", "^p"),
        ("ctrl++", "ctrl+plus", "^+"),
        ("E", "E", "E"),
        ("f1", "f1", "f1"),
        ("enter", "enter", "↵"),
        ("shift+tab", "shift+tab", "shift+tab"),
        ("down", "down", "↓"),
    ],
)
def test_keys_are_named_and_shown(typed: str, name: str, seen: str) -> None:
    assert normal(typed) == name
    assert normal(name) == name
    assert shown(name) == seen


def test_the_defaults_have_nothing_wrong() -> None:
    keymap = build(REGISTRY)
    assert report(keymap) == []
    assert keymap.overrides == {}
    assert keymap.of(REGISTRY["run.cancel"]) == ("x",)


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_have_no_clashes(preset: str) -> None:
    keymap = build(REGISTRY, {"preset": preset})
    assert report(keymap) == []
    assert all(keymap.of(action) or action.no_key for action in REGISTRY)


def test_a_mapping_replaces_all_keys_of_its_action() -> None:
    keymap = build(REGISTRY, {"run.cancel": "ctrl+x", "run.pause": ["P", "f5"], "global.palette": "ctrl+p"})
    assert keymap.of(REGISTRY["run.cancel"]) == ("ctrl+x",)
    assert keymap.of(REGISTRY["run.pause"]) == ("P", "f5")
    assert keymap.overrides == {"run.cancel": "ctrl+x", "run.pause": "P,f5", "global.palette": "ctrl+p"}
    assert report(keymap) == []


def test_no_key_unbinds() -> None:
    keymap = build(REGISTRY, {"run.cancel": ""})
    assert keymap.of(REGISTRY["run.cancel"]) == ()
    assert keymap.overrides == {"run.cancel": UNBOUND}


def test_the_users_own_mapping_wins_a_clash_which_is_reported() -> None:
    keymap = build(REGISTRY, {"run.pause": "x"})
    assert keymap.of(REGISTRY["run.pause"]) == ("x",)
    assert keymap.of(REGISTRY["run.cancel"]) == ()
    assert report(keymap) == ["x is run.pause's; run.cancel does not get it"]


def test_a_key_may_mean_two_things_in_two_places() -> None:
    # F follows the logs; a step's screen has no such thing.
    keymap = build(REGISTRY, {"detail.next": "F"})
    assert report(keymap) == []


@pytest.mark.parametrize(
    "mapping, said",
    [
        ({"run.cancle": "x"}, "tui.keymap: no action 'run.cancle' (did you mean run.cancel?)"),
        ({"run.cancel": 3}, "tui.keymap: run.cancel must be a key or a list of keys"),
        ({"preset": "nano"}, "tui.keymap: no preset 'nano' (there are vim, emacs, plain)"),
        ({"view.zoom": "ctrl+m"}, "tui.keymap: view.zoom: a terminal sends ctrl+m as enter"),
    ],
)
def test_what_is_wrong_is_said_and_never_fatal(mapping: dict[str, Any], said: str) -> None:
    assert said in report(build(REGISTRY, mapping))
