"""A stage for one screen: the app that a context needs, and a main screen that notes what it is told.

Screens and actions are tested on it alone; what they do together with the real main screen is tested
with the real app.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Static

from aethermind.domain.errors import AethermindError
from aethermind.domain.run import Run
from aethermind.tui import themes
from aethermind.tui.actions import REGISTRY, main_bindings, perform
from aethermind.tui.context import Changes, Context, Pane, Settings
from aethermind.tui.glyphs import ASCII, UNICODE, Glyphs
from aethermind.tui.held import Held
from aethermind.tui.keymap import Keymap, build
from tests.tui.fakes import FakeEngine
from tests.tui.histories import Script

THEME = themes.load_file(Path(__file__).parents[2] / "themes" / "aether-dark.yaml")


NOTHING = SimpleNamespace(
    samples_dir=None,
    workflow_dirs=[],
    config=SimpleNamespace(environ={"TOKEN": "t", "OTHER": "o"}),
    is_abroad=False,
)
"""A composition with nothing in it."""


class FakeBridge:
    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.listeners: list[Callable[[Changes], None]] = []
        self.texts: dict[tuple[str, str, int, int], str] = {}

    def held(self, run_id: str) -> Held | None:
        """None: these tests play no log lines of waits."""
        return None

    def run(self, run_id: str) -> Run | None:
        return self.stage.runs.get(run_id)

    def live_text(self, run_id: str, step: str, attempt: int, call: int) -> str:
        return self.texts.get((run_id, step, attempt, call), "")

    def listen(self, listener: Callable[[Changes], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)


class FakeMain:
    """Notes what it is told; answers what a test put into it."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.selected_run_id: str | None = None
        self.open_run_id: str | None = None
        self.selected_node_path: str | None = None
        self.selected_call: tuple[int, int] | None = None
        self.focused_pane: Pane = "trace"
        self.runs: Sequence[Any] = []
        self.filter_text = ""
        self.copyable = "a row"
        self.marked: str | None = None
        self.answers: dict[str, Any] = {}

    def open_run(self, run_id: str) -> None:
        self.told.append(("open_run", run_id))
        self.open_run_id = self.selected_run_id = run_id

    def mark(self, run_id: str | None) -> None:
        self.marked = run_id

    def set_filter(self, text: str) -> None:
        self.told.append(("set_filter", text))
        self.filter_text = text

    def text_to_copy(self) -> str:
        return self.copyable

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def note(*arguments: Any, **named: Any) -> Any:
            self.told.append((name, *arguments, *named.items()))
            return self.answers.get(name, True)

        return note


class Under(Screen[None]):
    """Where the main screen would be."""

    BINDINGS = main_bindings()

    def compose(self) -> ComposeResult:
        yield Static("the main screen")


class Stage(App[None]):
    CSS = "Screen { scrollbar-size: 0 0; }"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        *scripts: Script,
        now: int | None = None,
        ascii: bool = False,
        keymap: dict[str, Any] | None = None,
        composition: Any = None,
    ) -> None:
        super().__init__()
        self.engine = FakeEngine(*scripts)
        self.runs = {script.run_id: script.run for script in scripts}
        self.glyphs: Glyphs = ASCII if ascii else UNICODE
        self.keymap: Keymap = build(REGISTRY, keymap)
        self.bridge = FakeBridge(self)
        self.main = FakeMain()
        self.main.runs = [
            SimpleNamespace(
                id=s.run_id,
                workflow=s.run.created.workflow,
                status=s.run.status,
                created_at=s.run.created_at,
                started_at=s.run.started_at,
                finished_at=s.run.finished_at,
                cost_micro_usd=s.run.tally.cost,
                simulated=s.run.created.simulated,
                error=None,
                source=s.run.created.source,
            )
            for s in scripts
        ]
        if scripts:
            self.main.open_run_id = self.main.selected_run_id = scripts[0].run_id
        self._now = now if now is not None else (scripts[0].now if scripts else 0)
        self.settings = Settings(place="me@box")
        self.toasts: list[tuple[str, str]] = []
        self.copied: list[str] = []
        self.comfort = SimpleNamespace(welcomed=lambda: None)
        self.outlet = SimpleNamespace(redraw=lambda: self.toast("drawn again"))
        self.turns = SimpleNamespace(until=lambda work: work)
        self.leaving = SimpleNamespace(owns=True, keeps=False, kept=False, to_shell=None)
        self.context = Context(
            app=cast(Any, self),
            engine=cast(Any, self.engine),
            main=cast(Any, self.main),
            settings=self.settings,
            composition=composition or NOTHING,
        )

    def on_mount(self) -> None:
        self.register_theme(THEME)
        self.theme = THEME.name
        self.set_keymap(self.keymap.overrides)
        _ = self.push_screen(Under())

    @property
    def palette(self) -> themes.Palette:
        return themes.Palette(self.get_css_variables())

    def now(self) -> int:
        return self._now

    def toast(self, text: str, severity: str = "information") -> None:
        self.toasts.append((severity, text))

    def copy(self, text: str) -> None:
        self.copied.append(text)

    def spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        async def guarded() -> None:
            try:
                await work
            except AethermindError as error:
                self.toast(error.line(), "error")

        worker = self.run_worker(guarded(), exit_on_error=False)
        task = worker._task
        assert task is not None
        return task

    def key_of(self, id: str) -> str:
        return self.keymap.shown(REGISTRY[id], limit=1)

    def action_act(self, id: str) -> None:
        perform(self.context, id)

    def frame(self, run_id: str, *, nodes: Sequence[str] = (), texts: Sequence[Any] = ()) -> None:
        """What the frame clock would say."""
        for listener in list(self.bridge.listeners):
            listener(Changes(run_id, frozenset(nodes), frozenset(texts)))


@asynccontextmanager
async def stage(*scripts: Script, **main: Any) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    found = Stage(*scripts)
    for name, value in main.items():
        setattr(found.main, name, value)
    async with found.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        yield found, pilot
