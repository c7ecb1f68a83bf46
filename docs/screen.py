"""Writes the tables of `docs/screen.md`, keys and commands of the terminal UI, from its registry of actions.

python docs/screen.py            write them
python docs/screen.py --check    fail if the page says something else than the code
"""

from __future__ import annotations

import sys
from pathlib import Path

from aethermind.tui.actions import REGISTRY
from aethermind.tui.actions.reach import TITLES
from aethermind.tui.actions.registry import GROUPS, MAIN, SCREENS, WHOLE, Action, Where
from aethermind.tui.keymap import PRESETS, build

PAGE = Path(__file__).with_name("screen.md")
BEGIN, END = "<!-- made by docs/screen.py -->", "<!-- until here -->"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def where(action: Action) -> str:
    """Where it works, in few words."""
    if len(WHOLE - action.where) <= 1:
        return "everywhere"
    places: list[str] = []
    if action.where >= MAIN:
        places.append("main screen")
    else:
        places += [TITLES[place] for place in TITLES if place in action.where & MAIN]
    others: frozenset[Where] = action.where - MAIN - {"list", "form", "text"}
    if others >= SCREENS:
        places.append("screens of rows")
        others -= SCREENS
    return ", ".join([*places, *(TITLES[place] for place in TITLES if place in others)])


def keys(action: Action, preset: str) -> str:
    shown = build(REGISTRY, {"preset": preset}).shown(action, limit=9)
    return " ".join(f"`{cell(key)}`" for key in shown.split())


def tables() -> str:
    """A table for each group: keys, what to type, what it does, the command of the shell, its id."""
    lines: list[str] = []
    for group, actions in REGISTRY.grouped(list(REGISTRY)):
        lines += ["", f"### {GROUPS[group]}", "", "| Key | `:` | Does | Where | In the shell | Id |"]
        lines.append("|---|---|---|---|---|---|")
        for action in actions:
            typed = f"{REGISTRY.typed(action)} {action.usage}".rstrip()
            shell = " · ".join(f"`{cell(part)}`" for part in action.cli.split(" · ")) if action.cli else ""
            lines.append(
                f"| {keys(action, 'vim')} | `{cell(typed)}` | {cell(action.description)} | {where(action)} "
                f"| {shell} | `{action.id}` |"
            )
    lines += ["", "### Other presets", "", "| Id | " + " | ".join(f"`{name}`" for name in PRESETS) + " |"]
    lines.append("|---|" + "---|" * len(PRESETS))
    changed = sorted({id for preset in PRESETS.values() for id in preset})
    lines += [
        f"| `{id}` | " + " | ".join(keys(REGISTRY[id], name) for name in PRESETS) + " |" for id in changed
    ]
    return "\n".join([BEGIN, *lines, "", END])


def page(text: str) -> str:
    """The page with its tables made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + tables() + tail


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    made = page(text)
    if "--check" in sys.argv:
        if made != text:
            print(f"{PAGE}: run python docs/screen.py", file=sys.stderr)
        return int(made != text)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
