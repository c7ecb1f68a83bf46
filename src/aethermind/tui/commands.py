"""The `:` line: a command's word, and what follows it. Pure but for what an action's `complete` looks up."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aethermind.domain.errors import InvalidError
from aethermind.tui.actions.reach import here, why_not
from aethermind.tui.actions.registry import Action, Registry
from aethermind.tui.actions.target import place_of

if TYPE_CHECKING:
    from aethermind.tui.context import Context


@dataclass(frozen=True)
class Suggestion:
    """What the line could become, and a note beside it."""

    line: str
    label: str
    note: str = ""


def parse(registry: Registry, line: str) -> tuple[Action, str]:
    """`run research` → (the action, `research`). A beginning that fits one command only is enough.

    Raises `InvalidError`.
    """
    word, _, argument = line.strip().removeprefix(":").partition(" ")
    action = registry.command(word)
    if action is not None:
        argument = argument.strip()
        if argument and not action.usage:
            raise InvalidError(f"{action.command} takes nothing after it")
        return action, argument
    words = [a.command for a in registry if a.command]
    several = sorted(w for w in words if w.startswith(word))
    if word and several:
        raise InvalidError(f"{word} could be {', '.join(several)}")
    near = difflib.get_close_matches(word, words, 1)
    hint = f"did you mean {near[0]}?" if near else "tab shows what there is"
    raise InvalidError(f"no command {word!r}" if word else "type a command", hint=hint)


def suggest(registry: Registry, line: str, context: Context, *, limit: int = 8) -> list[Suggestion]:
    """How the line may go on, best first."""
    word, space, argument = line.lstrip().partition(" ")
    if not space:
        known = [a for a in registry if a.command]
        fit = [a for a in known if a.command.startswith(word)]
        fit += [a for a in known if word and word in a.command and a not in fit]
        place = place_of(context)
        fit.sort(key=lambda a: (a.command != word, not here(a, place)))
        return [
            Suggestion(
                a.command + (" " if a.usage else ""),
                f"{a.command} {a.usage}".rstrip(),
                why_not(context, a) or a.title,
            )
            for a in fit[:limit]
        ]
    action = registry.command(word)
    if action is None or action.complete is None:
        return []
    names = list(action.complete(context))
    found = _fitting(names, argument.strip())
    if not found and len(action.usage.split()) > 1:  # the word after the first
        head, _, last = argument.lstrip().rpartition(" ")
        return [Suggestion(f"{action.command} {head} {name}", name) for name in _fitting(names, last)[:limit]]
    return [Suggestion(f"{action.command} {name}", name) for name in found[:limit]]


def _fitting(names: list[str], wanted: str) -> list[str]:
    """Those that begin so, then those that hold it."""
    wanted = wanted.casefold()
    found = [name for name in names if name.casefold().startswith(wanted)]
    return found + [name for name in names if wanted in name.casefold() and name not in found]
