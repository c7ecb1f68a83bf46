"""What an action is about: the screen on top, the run, the step, the call."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.domain.who import words
from aethermind.tui.actions.registry import Where

if TYPE_CHECKING:
    from aethermind.tui.context import Context


@runtime_checkable
class Place(Protocol):
    """A screen other than the main one on which actions work."""

    where: ClassVar[Where]

    def leave(self) -> None:
        """Go back to where one came from."""
        ...


@runtime_checkable
class Readable(Protocol):
    """A screen that shows a text."""

    def find(self, text: str) -> bool: ...

    def find_next(self, delta: int) -> bool: ...

    def text_to_copy(self) -> str:
        """What `y` takes."""
        ...

    def toggle_wrap(self) -> bool: ...


@runtime_checkable
class Choosing(Protocol):
    """A screen on which enter does something with the row under the cursor."""

    def choose(self) -> None: ...


@runtime_checkable
class OfStep(Protocol):
    """A screen about one step of one run (path "" is the run itself)."""

    run_id: str
    path: str

    @property
    def calls(self) -> int:
        """How many attempts and calls there are to go through."""
        ...

    def cycle_call(self, delta: int) -> bool: ...

    def cycle_section(self, delta: int) -> None: ...

    def show_section(self, index: int) -> bool: ...

    def unfold(self, *, everything: bool) -> None: ...


def screen_of(context: Context) -> Place | None:
    """The screen on top, if it is not the main one."""
    screen = context.app.screen
    return screen if isinstance(screen, Place) else None


def place_of(context: Context) -> Where:
    """Where the focus is."""
    screen = screen_of(context)
    return screen.where if screen is not None else context.main.focused_pane


def run_id_of(context: Context) -> str | None:
    """The run that an action means."""
    screen = context.app.screen
    return screen.run_id if isinstance(screen, OfStep) else context.main.selected_run_id


def step_path_of(context: Context) -> str | None:
    """The step that an action means; None: the run as a whole."""
    screen = context.app.screen
    if isinstance(screen, OfStep):
        return screen.path or None
    if context.main.focused_pane == "trace" and context.main.selected_run_id == context.main.open_run_id:
        return context.main.selected_node_path or None
    return None


def run_of(context: Context) -> Run | None:
    """The fold of the run that an action means, if the screen holds it."""
    run_id = run_id_of(context)
    return context.run(run_id) if run_id is not None else None


def node_of(context: Context) -> Node | None:
    run, path = run_of(context), step_path_of(context)
    return run.nodes.get(path) if run is not None and path is not None else None


def status_of(context: Context) -> str | None:
    """The status of the run that an action means, from its fold or from the list of runs."""
    run_id = run_id_of(context)
    for item in context.main.runs:
        if item.id == run_id and item.status == "interrupted":
            return "interrupted"
    run = run_of(context)
    if run is not None:
        return run.status
    return next((item.status for item in context.main.runs if item.id == run_id), None)


def short(run_id: str) -> str:
    """A run's id as it is shown."""
    return run_id[:16]


def by(context: Context) -> str:
    """Who decides, for the record."""
    return words(context.settings.here or context.settings.place, "tui") or "tui"
