"""What actions and screens are given: the app, the engine, and the main screen as a small facade.

Rules
- Nothing here blocks. What asks the engine goes through `Context.engine.ask(lambda client: …)`.
- `Run` objects that are handed out are the screen's own folded copies: read them, never change them,
  and don't keep them over a frame; ask again (`Context.run`).
- Text that came from outside is cleaned by `toast` and `copy`'s toast; what a screen draws itself, it
  cleans itself (`aethermind.infra.sanitize`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.engine.client import Attachment, Client, FeedItem, RunRequest
from aethermind.tui.history import History

if TYPE_CHECKING:
    from textual.screen import Screen
    from textual.worker import Worker

    from aethermind.tui.app import AethermindApp
    from aethermind.tui.glyphs import Glyphs
    from aethermind.tui.keymap import Keymap
    from aethermind.tui.rows.runs import RunItem
    from aethermind.tui.rows.waits import Wait

T = TypeVar("T")
Pane = Literal["agents", "runs", "trace", "logs", "cost"]
PANES: tuple[Pane, ...] = ("agents", "runs", "trace", "logs", "cost")
"""In the order of their number keys."""
Severity = Literal["information", "warning", "error"]
Move = Literal[
    "up", "down", "left", "right", "page_up", "page_down", "half_up", "half_down", "top", "bottom", "parent"
]


class Subscription(Protocol):
    """A bounded bridge from the engine's thread; see `engine.hosting`."""

    def drain(self, limit: int = 5_000) -> list[FeedItem]:
        """What has come since, in order; never blocks."""
        ...

    def close(self) -> None: ...


class Engine(Protocol):
    """The engine in its own thread, as `engine.hosting.EngineThread` offers it."""

    def call(self, ask: Callable[[Client], Awaitable[T]]) -> Future[T]: ...

    async def ask(self, ask: Callable[[Client], Awaitable[T]]) -> T: ...

    def subscribe(
        self,
        *,
        run_id: str | None = None,
        after: int | None = None,
        wake: Callable[[], None] | None = None,
        bound: int = 10_000,
    ) -> Subscription: ...


CLIPBOARDS: tuple[Literal["auto"], Literal["native"], Literal["osc52"], Literal["file"]] = (
    "auto",
    "native",
    "osc52",
    "file",
)
FAST_HZ, SSH_HZ, SLOW_HZ = 10.0, 4.0, 1.0


def hz(*, ssh: bool, slow: bool) -> float:
    """Frames a second, at most."""
    return SLOW_HZ if slow else SSH_HZ if ssh else FAST_HZ


@dataclass(frozen=True, kw_only=True)
class StartIntent:
    """What the TUI does first. All None: it shows the newest run, or the start form if there is none."""

    request: RunRequest | None = None
    """Start this and watch it."""
    run_id: str | None = None
    """Watch this."""
    workflow: str | None = None
    """Open the start form of this workflow (a file or a name)."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the TUI looks and behaves: flags and config, already read."""

    theme: str = "aether-dark"
    theme_dirs: tuple[Path, ...] = ()
    """The product's own themes, then the user's; later ones win."""
    ascii: bool = False
    frame_hz: float = 10.0
    """Repaints a second of what changes by itself; keys always paint at once."""
    low_bandwidth: bool = False
    density: Literal["normal", "dense"] = "normal"
    """Dense gives the trace more room."""
    animations: bool = False
    clipboard: Literal["auto", "native", "osc52", "file"] = "auto"
    notify: Literal["auto", "off", "bell", "osc9"] = "auto"
    """How the screen calls when a run ends or waits while nobody looks."""
    keymap: dict[str, Any] = field(default_factory=dict)
    """The table `[tui.keymap]` of the config."""
    place: str = ""
    """`me@box`, at the right end of the header; empty for none."""
    here: str = ""
    """`me@laptop`: who acts, and from where, for the record; `place` if empty."""
    ssh: bool = False
    attached: Attachment | None = None
    """Where the engine is, if it is another process's."""
    wall: Callable[[], int] | None = None
    """Epoch milliseconds, injected by tests; None is the real clock."""


@dataclass(frozen=True)
class Changes:
    """What one frame changed in the run that is open."""

    run_id: str
    nodes: frozenset[str]
    """Paths of steps about which something was recorded."""
    texts: frozenset[tuple[str, int, int]]
    """(step, attempt, call) of calls that streamed something."""
    logs: int = 0
    """How many log records came."""


class Main(Protocol):
    """The main screen, as actions see it."""

    @property
    def selected_run_id(self) -> str | None:
        """The run under the cursor where the runs pane has the focus, else the run that is open."""
        ...

    @property
    def open_run_id(self) -> str | None: ...

    @property
    def marked(self) -> str | None:
        """The run that is marked, to be compared with another."""
        ...

    def mark(self, run_id: str | None) -> None: ...

    @property
    def selected_node_path(self) -> str | None:
        """The trace's step under the cursor (a call's row counts for its step); None on the run's row."""
        ...

    @property
    def selected_call(self) -> tuple[int, int] | None:
        """(attempt, call) if the cursor of the trace is on a model call's row."""
        ...

    @property
    def focused_pane(self) -> Pane: ...

    @property
    def runs(self) -> Sequence[RunItem]:
        """All known runs, newest first."""
        ...

    def open_run(self, run_id: str) -> None:
        """Show this run in all panes."""
        ...

    def focus_pane(self, pane: Pane) -> None: ...

    def cycle_pane(self, delta: int) -> None:
        """The next (1) or previous (-1) pane."""
        ...

    def move(self, how: Move) -> None:
        """Move the cursor of the focused pane."""
        ...

    def select_node(self, path: str) -> None:
        """Unfold what is above this step and put the trace's cursor on it."""
        ...

    def zoom(self) -> None:
        """The focused pane fills the screen, or goes back to its place."""
        ...

    @property
    def filter_text(self) -> str:
        """The focused pane's filter."""
        ...

    def set_filter(self, text: str) -> None:
        """Show only what matches in the focused pane; empty shows all again."""
        ...

    def find_next(self, delta: int) -> bool:
        """Go to the next (1) or previous (-1) match of what was sought last; False if there is none."""
        ...

    def find(self, text: str) -> bool:
        """Seek in the focused pane, forward from the cursor; False if there is none."""
        ...

    def next_error(self, delta: int = 1) -> bool:
        """Go to the next failed step (in the logs: the next error); False if there is none."""
        ...

    def toggle_fold(self) -> None: ...

    def expand_all(self) -> None: ...

    def collapse_all(self) -> None: ...

    def critical_only(self) -> bool:
        """Show the critical path alone, or everything again; returns what holds now."""
        ...

    def toggle_follow(self) -> bool:
        """Whether the logs keep to their end; returns what holds now."""
        ...

    def cycle_level(self) -> str:
        """Raise the lowest level of the logs that is shown; returns it."""
        ...

    def logs_of(self, *, agent: str | None = None, step: str | None = None) -> str | None:
        """Logs of this agent, of this step and what is below it; "" shows those of all again. Returns whose
        alone are shown now.
        """
        ...

    zoomed: bool
    """Whether the focused pane fills the screen."""

    def logs_of_selected(self) -> bool:
        """Logs of the selected step alone, or of all; returns what holds now."""
        ...

    def text_to_copy(self) -> str:
        """What `y` copies: the row under the cursor as plain text."""
        ...


@dataclass(frozen=True)
class Context:
    """Given to every action and to every screen that acts."""

    app: AethermindApp
    engine: Engine
    main: Main
    settings: Settings
    composition: Any = None
    """`bootstrap.Composition`: samples, workflow directories, models and prices for the start form."""
    history: History = field(default_factory=History)
    """What was typed on the `:` line."""

    @property
    def glyphs(self) -> Glyphs:
        return self.app.glyphs

    @property
    def keymap(self) -> Keymap | None:
        return self.app.keymap

    def now(self) -> int:
        """Epoch milliseconds."""
        return self.app.now()

    def run(self, run_id: str) -> Run | None:
        """The TUI's own fold of this run, up to date with the last frame; None if it is not held (only the
        run that is open and the ones looked at last are): `engine.ask(lambda c: c.run(run_id))` then.
        """
        return self.app.bridge.run(run_id)

    def live_text(self, run_id: str, step: str, attempt: int, call: int) -> str:
        """What a call in flight has streamed so far (not cleaned); empty when unknown or over."""
        return self.app.bridge.live_text(run_id, step, attempt, call)

    def wait_of(self, run_id: str, node: Node) -> Wait | None:
        """What a step of a run that is held waits for just now, as its log says."""
        held = self.app.bridge.held(run_id)
        return held.waits.of(node, self.now()) if held is not None else None

    def on_frame(self, listener: Callable[[Changes], None]) -> Callable[[], None]:
        """Call `listener` once a frame with what changed in the open run; returns what ends it."""
        return self.app.bridge.listen(listener)

    def toast(self, text: str, severity: Severity = "information") -> None:
        """A short notice; `text` may come from anywhere, it is cleaned here."""
        self.app.toast(text, severity)

    def copy(self, text: str) -> None:
        """To the clipboard; a toast says by which way."""
        self.app.copy(text)

    def push(self, screen: Screen[Any]) -> None:
        _ = self.app.push_screen(screen)  # mounted in its own time

    async def ask(self, screen: Screen[T]) -> T | None:
        """Push a screen and wait for its answer; None if it was dismissed. Not from a message handler
        (it would wait for itself): from an action, which runs as a worker.
        """
        return await self.app.push_screen_wait(screen)

    def spawn(self, work: Awaitable[None]) -> Worker[None]:
        """Run this beside the screens; an error becomes a toast with its one line. What a key started has its
        turn until then: the next key is for what it opens.
        """
        return self.app.spawn(self.app.turns.until(work))
