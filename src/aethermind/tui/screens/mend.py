"""What an edited file means for the run it belongs to: what is wrong with it, or what stays and what runs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import assert_never

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets.option_list import Option

from aethermind.domain.errors import AethermindError
from aethermind.infra.sanitize import clean, clean_line
from aethermind.tui.mending import Found, Ready, Reworded, Unchanged, Wrong
from aethermind.tui.screens.choices import Choices
from aethermind.tui.screens.dialog import Dialog, Guard, Line, glyphs_of, safe_line

NAMED = 40
"""Steps that are named; of more, the number."""
Again = Callable[[Found], Awaitable[Found]]
"""Edits the file at the place of what was found, and looks again."""


class MendScreen(Dialog[Ready | Reworded]):
    """Answers what the run is to go on with, or None to leave it as it is. Enter goes on if the file can be
    taken, and edits again if not. It stays while the editor has the terminal, so that no key that was meant
    for the editor acts on what lies below.
    """

    AUTO_FOCUS = "Choices"

    def __init__(
        self, name: str, found: Found, again: Again, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self.file = name
        self.found = found
        self._again = again
        self._clock = clock
        self._guard = Guard(clock)
        self._editing = False

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog confirm mend") as box:
            box.border_title = safe_line(f"{self.file}, edited")
            yield Line("", id="mend-found")
            yield Choices(id="mend-choices", markup=False, compact=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.show(self.found)

    def show(self, found: Found) -> None:
        """This was found. Keys count from half a second on."""
        self.found = found
        self._guard = Guard(self._clock)
        self.query_one("#mend-found", Line).show(_told(found))
        rows = [("e", "edit it again", "edit"), ("esc", "leave the run as it is", "leave")]
        if isinstance(found, Ready | Reworded):
            what = "edited file" if isinstance(found, Ready) else "new prompt"
            rows.insert(0, (glyphs_of(self.app).enter, f"go on with the {what}", "go"))
        choices = self.query_one(Choices)
        choices.set_options([Option(_label(key, words), id=id) for key, words, id in rows])
        choices.highlighted = 0

    def key_e(self) -> None:
        self._do("edit")

    def on_option_list_option_selected(self, event: Choices.OptionSelected) -> None:
        event.stop()
        self._do(str(event.option.id))

    def _do(self, what: str) -> None:
        if what == "leave":
            self.answer(None)
        elif self._editing or not self._guard.open:
            return
        elif what == "go" and isinstance(self.found, Ready | Reworded):
            self.answer(self.found)
        elif what == "edit":
            self._editing = True
            self.run_worker(self._edit(), exit_on_error=False)

    async def _edit(self) -> None:
        try:
            self.show(await self._again(self.found))
        except AethermindError as error:
            self.query_one("#mend-found", Line).show(safe_line(error.line(), "$text-error"))
        finally:
            self._editing = False


def _told(found: Found) -> Content:
    match found:
        case Unchanged():
            return Content("Nothing has changed: it says what the run has done.")
        case Wrong(problem=problem, excerpt=excerpt):
            lines = [safe_line(problem, "$text-error")]
            if excerpt:
                lines += [Content(""), Content.styled(clean(excerpt), "$text-muted")]
            return Content("\n").join(lines)
        case Ready(stays=stays, runs=runs) | Reworded(stays=stays, runs=runs):
            return Content("\n").join([_steps("keeps", stays), _steps("runs", runs)])
        case _:
            assert_never(found)


def _steps(word: str, names: Sequence[str]) -> Content:
    shown = ", ".join(names[:NAMED]) or "nothing"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return Content.assemble((clean_line(f"{word:<6} "), "bold"), clean_line(shown + more))


def _label(key: str, words: str) -> Content:
    return Content.assemble((clean_line(f"{key:>5}  "), "bold $accent"), clean_line(words))
