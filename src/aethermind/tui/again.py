"""A step run again: in its run or in a new one, as it is or with another prompt. What that keeps and runs.

Asks the engine; shows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aethermind.definitions.edited import Place
from aethermind.definitions.reworded import prompt_of, reworded
from aethermind.domain import events as e
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.domain.run import Run
from aethermind.domain.state import FINISHED_RUN
from aethermind.engine import adoption
from aethermind.tui.mending import Found, Reworded, Unchanged, Wrong

if TYPE_CHECKING:
    from pathlib import Path

    from aethermind.tui.context import Context

STILL = FINISHED_RUN | {"interrupted", "parked"}
"""Nobody drives runs of these statuses, so they can be given another definition."""


@dataclass(frozen=True)
class Course:
    """What stays done, and what would run: names of steps."""

    keeps: tuple[str, ...]
    runs: tuple[str, ...]


def reopened(run: Run, path: str, at: int) -> Course:
    """Of a finished run that is retried from this step. Changes `run`: give it a copy of your own."""
    done = [node.path for node in run.walk() if node.mode == "leaf" and node.over]
    run.apply(e.RunReopened(steps=(path,), generation=run.generation + 1), at)
    # What was made of a list, or in a later round, is gone until it is made anew: its maker stands for it.
    todo = [node for node in run.walk() if node.parent is not None and not node.over]
    ends = [node.path for node in todo if all(inner.over for inner in node.children)]
    kept = [name for name in done if name in run.nodes and run.nodes[name].over]
    return Course(tuple(kept), tuple(ends))


def forked(run: Run, path: str) -> Course:
    """Of a new run that takes over what is not downstream of this step."""
    taken = adoption.adopted(run, run.definition, path, {})
    names = [step.id for step in run.definition.steps]
    return Course(tuple(taken), tuple(name for name in names if name not in taken))


def has_prompt(run: Run, path: str) -> bool:
    node = run.nodes.get(path)
    return node is not None and node.step.kind == "prompt"


class Rewording:
    """The prompt of a step in a file of its own, held against the run."""

    def __init__(self, run: Run, path: str, file: Path, *, anew: bool) -> None:
        """`anew`: for a new run, else for this one. Writes the file."""
        self.run = run
        self.path = path
        self.file = file
        self.anew = anew
        self._before = prompt_of(run.definition, path)
        file.write_text(self._before, encoding="utf-8", errors="replace")

    async def look(self, context: Context) -> Found:
        """What the file means now."""
        at = Place(self.file, 1)
        try:
            text = self.file.read_text(encoding="utf-8").removesuffix("\n")
        except (OSError, UnicodeDecodeError) as error:
            return Wrong(f"the prompt can't be read: {error}", at)
        if text == self._before.removesuffix("\n"):
            return Unchanged(at)
        try:
            definition = reworded(self.run.definition, self.path, text)
        except AethermindError as error:
            line = error.line_no if isinstance(error, InvalidError) and error.line_no is not None else 1
            return Wrong(error.line(), Place(self.file, line))
        if self.anew:
            course = forked(self.run, self.path)
            return Reworded(definition, course.keeps, course.runs, at)
        from aethermind.definitions.edited import done

        kept = await context.engine.ask(lambda client: client.edited(self.run.id, definition))
        stays = done(self.run, kept)
        steps = [step.id for step in definition.steps]
        return Reworded(definition, tuple(stays), tuple(n for n in steps if n not in stays), at)


def named(names: Sequence[str], *, most: int = 12, clean: Callable[[str], str] = str) -> str:
    """`plan, reader and 3 more`"""
    shown: Iterable[str] = map(clean, names[:most])
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return (", ".join(shown) or "nothing") + more
