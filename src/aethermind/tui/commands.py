"""The `:` line: a command's word, and what follows it. Pure but for what an action's `complete` looks up."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aethermind.domain.errors import InvalidError
from aethermind.tui.actions.registry import Action, Registry

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
        fit = [a for a in registry if a.command.startswith(word) and a.command]
        fit += [a for a in registry if a.command and word and word in a.command and a not in fit]
        return [
            Suggestion(
                a.command + (" " if a.usage else ""),
                f"{a.command} {a.usage}".rstrip(),
                a.enabled(context) or a.title,
            )
            for a in fit[:limit]
        ]
    action = registry.command(word)
    if action is None or action.complete is None:
        return []
    wanted = argument.strip().casefold()
    names = list(action.complete(context))
    fit_names = [n for n in names if n.casefold().startswith(wanted)]
    fit_names += [n for n in names if wanted in n.casefold() and n not in fit_names]
    return [Suggestion(f"{action.command} {name}", name) for name in fit_names[:limit]]
