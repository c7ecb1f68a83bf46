"""Which keys do what: the defaults of the registry, a preset, and what the user mapped in his config.

    [tui.keymap]
    preset = "vim"              # vim (default), emacs, plain
    "run.cancel" = "ctrl+x"     # one key, a list of keys, or "" for none

Rules
- A mapping replaces all keys of its action. The last word wins: preset, then config.
- Two actions of one place on one key are a clash: the first in the registry keeps the key, and the
  report says so. Nothing is fatal: a bad line of a config never keeps the program from starting.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from textual.keys import KEY_NAME_REPLACEMENTS, Keys, format_key

from aethermind.tui.actions.registry import Action, Registry, Where

Json = Any

PRESETS: dict[str, dict[str, tuple[str, ...]]] = {
    "vim": {},
    "emacs": {
        "move.down": ("ctrl+n", "down"),
        "move.up": ("alt+p", "up"),
        "move.left": ("alt+b", "left"),
        "move.right": ("ctrl+f", "right"),
        "move.top": ("alt+less_than_sign", "home"),
        "move.bottom": ("alt+greater_than_sign", "end"),
        "move.page_down": ("ctrl+v", "pagedown"),
        "move.page_up": ("alt+v", "pageup"),
        "find.find": ("ctrl+s",),
        "global.command": ("alt+x", "colon"),
        "move.back": ("escape", "ctrl+g"),
    },
    "plain": {
        "move.down": ("down",),
        "move.up": ("up",),
        "move.left": ("left",),
        "move.right": ("right",),
        "move.top": ("home",),
        "move.bottom": ("end",),
        "move.page_down": ("pagedown",),
        "move.page_up": ("pageup",),
    },
}

_ALIASES = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+j": "newline", "ctrl+h": "backspace"}
"""Keys that a terminal can't tell from others."""
_TAKEN = {
    "ctrl+a": "screen",
    "ctrl+b": "tmux",
    "ctrl+q": "docker and flow control",
}
"""Keys that often never get here, and who takes them."""
_MODIFIERS = frozenset({"alt", "ctrl", "hyper", "meta", "shift", "super"})
_NAMED = frozenset(key.value for key in Keys) | frozenset({"space", "comma"})

UNBOUND = "unbound"
"""A key that no terminal sends: how `App.set_keymap` is told that an action has none."""


@dataclass(frozen=True)
class Clash:
    """A key that two actions of one place want; the first one has it."""

    key: str
    kept: str
    lost: str

    def __str__(self) -> str:
        return f"{shown(self.key)} is {self.kept}'s; {self.lost} does not get it"


@dataclass(frozen=True)
class Keymap:
    """Keys by action id; `problems` are lines for people, `clashes` what could not be had both."""

    keys: Mapping[str, tuple[str, ...]]
    clashes: tuple[Clash, ...] = ()
    problems: tuple[str, ...] = ()
    overrides: Mapping[str, str] = field(default_factory=dict)
    """For `App.set_keymap`: ids whose keys differ from the registry's, comma-separated."""
    preset: str = "vim"

    def of(self, action: Action) -> tuple[str, ...]:
        return self.keys.get(action.id, ())

    def shown(self, action: Action, *, limit: int = 3, ascii: bool = False) -> str:
        """For help and footer: `j ↓`."""
        return " ".join(shown(key, ascii=ascii) for key in self.of(action)[:limit])


def normal(key: str) -> str:
    """A key as Textual names it: `?` → `question_mark`, `ctrl+[` → `ctrl+left_square_bracket`."""
    head, plus, last = key.rpartition("+")
    if plus and not last:  # the key is, or ends in, the plus sign itself
        head, last = head.rstrip("+"), "+"
    if len(last) == 1 and not last.isalnum():
        name = unicodedata.name(last, last).lower().replace("-", "_").replace(" ", "_")
        last = KEY_NAME_REPLACEMENTS.get(name, name)
    return f"{head}+{last}" if head else last


def shown(key: str, *, ascii: bool = False) -> str:
    """A key as people write it: `^p`, `?`, `↵`; `ascii` writes names for signs that are not."""
    *modifiers, last = key.split("+")
    name = "↵" if last == "enter" else format_key(last)
    if ascii and not name.isascii():
        name = last
    return "".join("^" if m == "ctrl" else f"{m}+" for m in modifiers) + name


def build(registry: Registry, mapping: Mapping[str, Json] | None = None) -> Keymap:
    """The keys of all actions, with what is wrong in `mapping` (the table `[tui.keymap]`) reported."""
    mapping = dict(mapping or {})
    problems: list[str] = []
    preset = str(mapping.pop("preset", "vim"))
    if preset not in PRESETS:
        problems.append(f"tui.keymap: no preset {preset!r} (there are {', '.join(PRESETS)})")
        preset = "vim"
    wanted = {action.id: tuple(normal(key) for key in action.keys) for action in registry}
    defaults = dict(wanted)
    wanted |= {id: tuple(normal(key) for key in keys) for id, keys in PRESETS[preset].items()}
    for id, value in mapping.items():
        if id not in registry:
            near = difflib.get_close_matches(id, wanted, 1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            problems.append(f"tui.keymap: no action {id!r}{hint}")
            continue
        keys = _read(value)
        if keys is None:
            problems.append(f"tui.keymap: {id} must be a key or a list of keys")
            continue
        problems.extend(f"tui.keymap: {id}: {wrong}" for key in keys if (wrong := doubtful(key)))
        wanted[id] = keys
    keys_by_id, clashes = _settle(registry, wanted, custom=set(mapping))
    overrides = {id: ",".join(keys) or UNBOUND for id, keys in keys_by_id.items() if keys != defaults[id]}
    if back := keys_by_id["move.back"]:  # dialogs have their own way out, which is never lost
        more = [key for key in back if key != "escape"]
        overrides |= {"dialog.back": ",".join(["escape", *more])} if more else {}
    if (told := keys_by_id["global.help"]) and "global.help" in overrides:
        overrides["dialog.help"] = ",".join(told)
    return Keymap(keys_by_id, tuple(clashes), tuple(problems), overrides, preset)


def doubtful(key: str) -> str:
    """Why this key (by its normal name) will not do; "" if nothing speaks against it."""
    if key in _ALIASES:
        return f"a terminal sends {key} as {_ALIASES[key]}"
    if key in _TAKEN:
        return f"{shown(key)} may never come: {_TAKEN[key]} takes it"
    *modifiers, last = key.split("+")
    wrong = next((name for name in modifiers if name not in _MODIFIERS), "")
    if wrong:
        near = difflib.get_close_matches(wrong, _MODIFIERS, 1)
    elif last in _NAMED or len(last) == 1 or last in _signs():
        return ""
    else:
        wrong, near = last, difflib.get_close_matches(last, _NAMED, 1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"there is no key {wrong!r}{hint}"


@cache
def _signs() -> frozenset[str]:
    """What signs are called: `question_mark`."""
    return frozenset(normal(chr(code)) for code in range(0x21, 0x250))


def _read(value: Json) -> tuple[str, ...] | None:
    if isinstance(value, str):
        value = [value] if value in {",", " "} else [part.strip() for part in value.split(",")]
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        return None
    return tuple(normal("space" if key == " " else key) for key in value if key)


def _settle(
    registry: Registry, wanted: Mapping[str, tuple[str, ...]], *, custom: set[str]
) -> tuple[dict[str, tuple[str, ...]], list[Clash]]:
    """Who gets which key. What the user mapped himself comes before defaults."""
    holders: dict[tuple[Where, str], str] = {}
    given: dict[str, tuple[str, ...]] = {}
    clashes: list[Clash] = []
    for action in sorted(registry, key=lambda a: a.id not in custom):
        kept: list[str] = []
        for key in wanted[action.id]:
            holder = next((h for w in action.where if (h := holders.get((w, key))) is not None), None)
            if holder is not None:
                clashes.append(Clash(key, holder, action.id))
                continue
            kept.append(key)
            holders |= dict.fromkeys(((place, key) for place in action.where), action.id)
        given[action.id] = tuple(kept)
    return {action.id: given[action.id] for action in registry}, clashes


def report(keymap: Keymap) -> Sequence[str]:
    """Everything that is wrong with a keymap, a line each."""
    return [*keymap.problems, *(str(clash) for clash in keymap.clashes)]


def summary(keymap: Keymap, more: str) -> str:
    """The same in one line; "" if nothing is wrong. `more`: the key that shows all of it."""
    found = report(keymap)
    if len(found) < 2:
        return "".join(found)
    return f"{len(found)} keys of [tui.keymap] can't be as they are: {more or ':keys'} tells which"
