from __future__ import annotations

from typing import Any

import pytest

from aethermind.tui.actions import REGISTRY
from aethermind.tui.keymap import PRESETS, UNBOUND, build, doubtful, normal, report, shown, summary
from aethermind.tui.screens.detail.lines import plain
from aethermind.tui.screens.keys import key_lines


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
        ({"view.zoom": "ctrl+b"}, "tui.keymap: view.zoom: ^b may never come: tmux takes it"),
        ({"view.zoom": "contrl+y"}, "tui.keymap: view.zoom: there is no key 'contrl' (did you mean ctrl?)"),
        ({"view.zoom": "pgdn"}, "tui.keymap: view.zoom: there is no key 'pgdn' (did you mean pagedown?)"),
        (
            {"view.zoom": "pagedwn"},
            "tui.keymap: view.zoom: there is no key 'pagedwn' (did you mean pagedown?)",
        ),
    ],
)
def test_what_is_wrong_is_said_and_never_fatal(mapping: dict[str, Any], said: str) -> None:
    assert said in report(build(REGISTRY, mapping))


def test_no_default_key_and_none_of_a_preset_is_doubtful() -> None:
    keys = {normal(key) for action in REGISTRY for key in action.keys}
    keys |= {normal(key) for preset in PRESETS.values() for found in preset.values() for key in found}
    assert [wrong for key in keys if (wrong := doubtful(key))] == []
    assert doubtful(normal("ctrl+-")) == doubtful("ctrl+shift+f5") == doubtful(normal("ü")) == ""


def test_one_line_at_the_start_says_what_is_wrong_or_where_to_look() -> None:
    assert summary(build(REGISTRY), "K") == ""
    one = build(REGISTRY, {"run.cancle": "x"})
    assert summary(one, "K") == report(one)[0]
    several = build(REGISTRY, {"run.cancle": "x", "run.pause": "x"})
    assert summary(several, "K") == "2 keys of [tui.keymap] can't be as they are: K tells which"
    assert ":keys tells" in summary(several, "")


def test_the_report_shows_what_is_wrong_what_is_ones_own_and_every_id() -> None:
    said = [plain(line) for line in key_lines(build(REGISTRY, {"run.pause": "x", "view.zoom": ""}))]
    text = "\n".join(said)
    assert "x is run.pause's; run.cancel does not get it" in text
    assert any(line.split()[:2] == ["none", "view.zoom"] and "(was z)" in line for line in said)
    assert all(any(action.id in line.split() for line in said) for action in REGISTRY)


def test_dialogs_keep_their_way_out() -> None:
    assert build(REGISTRY, {"preset": "emacs"}).overrides["dialog.back"] == "escape,ctrl+g"
    assert "dialog.back" not in build(REGISTRY, {"move.back": ""}).overrides
