"""The one list of what can be done on a screen. Bindings, palette, `:` line, help and footer come from it.

Rules
- An action has an id (`noun.verb`), a title and a description, and keys or a stated reason for none.
- An action on runs names the CLI command that does the same, any other one says why there is none.
- Every action can be had by key, by the palette and by the `:` line; the latter two go through `reach`.
- `where` tells on which screens and panes it means something; a key stands for one action there.
- `enabled` gives None, or the reason why not, which is shown when somebody tries (`perform`).
- Moving about: on the main screen an action runs like any other; elsewhere the focused widget answers the
  same keys with its own action, `widget`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from aethermind.tui.context import Context

Group = Literal["move", "find", "run", "view", "out", "global"]
Where = Literal[
    "agents",
    "runs",
    "trace",
    "logs",
    "cost",
    "inbox",
    "bill",
    "diff",
    "layers",
    "replay",
    "settings",
    "detail",
    "list",
    "form",
    "text",
]
"""Panes of the main screen; screens of rows that fill the terminal; and what other screens are made of:
`detail` (a step), `list` (something to choose from), `form`, `text` (something to read)."""

GROUPS: dict[Group, str] = {
    "run": "Run",
    "find": "Find",
    "view": "View",
    "out": "Take out",
    "move": "Move",
    "global": "Everywhere",
}
PANES: tuple[Where, ...] = ("agents", "runs", "trace", "logs", "cost")
MAIN: frozenset[Where] = frozenset(PANES)
SCREENS: frozenset[Where] = frozenset({"inbox", "bill", "diff", "layers", "replay", "settings"})
"""Screens of rows, see `screens.listing`."""
WHOLE: frozenset[Where] = MAIN | SCREENS | {"detail"}
"""Everything that fills the terminal."""
EVERYWHERE: frozenset[Where] = WHOLE | {"list", "form", "text"}

Enabled = Callable[["Context"], "str | None"]
Effect = Callable[["Context", str], "Coroutine[Any, Any, None] | None"]
"""Given what was typed after the command's word, else "". A coroutine is run beside the screens."""
Completer = Callable[["Context"], "Iterable[str]"]


def always(context: Context) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing that can be done."""

    id: str
    title: str
    """For the palette: an imperative."""
    description: str
    """For the help: one sentence."""
    group: Group
    where: frozenset[Where]
    keys: tuple[str, ...] = ()
    """Textual's names of keys, or single characters."""
    no_key: str = ""
    """Why it has no key."""
    cli: str = ""
    """The command line that does the same."""
    no_cli: str = ""
    """Why there is none."""
    hint: str = ""
    """Its word in the footer; empty keeps it out."""
    hint_in: Mapping[Where, str] = field(default_factory=dict)
    """Another word in some places, or one there alone."""
    rank: int = 50
    """Place in the footer, low first; what does not fit is left out from the end."""
    family: str = ""
    """Help shows actions of one family in one line, with these words."""
    command: str = ""
    """Its word on the `:` line."""
    through: str = ""
    """In place of a word: the line that does it through another action, `section 3`."""
    usage: str = ""
    """What follows that word: `[RUN]`, `FILE`."""
    complete: Completer | None = None
    """Candidates for what follows."""
    widget: str = ""
    """The action of a focused widget that answers these keys where that widget is (lists, texts)."""
    enabled: Enabled = always
    run: Effect


class Registry:
    """Actions by id, in the order in which help shows them."""

    def __init__(self, actions: Iterable[Action]) -> None:
        self._by_id: dict[str, Action] = {}
        for action in actions:
            if action.id in self._by_id:
                raise ValueError(f"two actions are called {action.id}")
            self._by_id[action.id] = action

    def __iter__(self) -> Iterator[Action]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, id: object) -> bool:
        return id in self._by_id

    def __getitem__(self, id: str) -> Action:
        return self._by_id[id]

    def at(self, *places: Where) -> list[Action]:
        """The actions that mean something in one of these places."""
        wanted = set(places)
        return [action for action in self if action.where & wanted]

    def command(self, word: str) -> Action | None:
        """The action of a word typed after `:`, or the only one that begins so."""
        found = [action for action in self if action.command and action.command == word]
        if not found and word:
            found = [action for action in self if action.command.startswith(word)]
        return found[0] if len(found) == 1 else None

    def typed(self, action: Action) -> str:
        """What one types after `:` for this action."""
        return action.through or action.command

    def grouped(self, actions: Sequence[Action]) -> list[tuple[Group, list[Action]]]:
        """By group, in the order of `GROUPS`; groups without actions are left out."""
        parts = [(group, [a for a in actions if a.group == group]) for group in GROUPS]
        return [(group, found) for group, found in parts if found]
