"""What makes the screen one's own: what it remembers, how it calls, what it watches. Owned by the app, which
tells it what happens; it composes nothing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from aethermind.tui.attention import Attention, way_of
from aethermind.tui.remembered import COMMANDS, LONGEST, Filters, Remembered, load, save
from aethermind.tui.rows.runs import place

if TYPE_CHECKING:
    from aethermind.tui.app import AethermindApp
    from aethermind.tui.bridge import Frame
    from aethermind.tui.context import Settings
    from aethermind.tui.saving import Watching


def home_of(composition: Any) -> Path | None:
    """Where to remember; None in a screen without data of its own."""
    home = getattr(composition, "home", None)
    return home if isinstance(home, Path) else None


class Comfort:
    def __init__(self, app: AethermindApp, home: Path | None) -> None:
        self._app = app
        self._home = home
        self.remembered, self.problem = load(home) if home is not None else (Remembered(), "")
        self._begun = False
        """The screen is as it was left; before that, it says nothing about how it should be."""
        self.watching: Watching | None = None
        """The file whose edits run by themselves."""
        self.attention = Attention(way_of(app.settings.notify, os.environ), app.now())

    def begin(self) -> None:
        """After the first paint: the layout as it was left."""
        self._begun = True
        if self.problem:
            self._app.toast(self.problem, "warning")
        found, main = self.remembered, self._app.main_screen
        main.layout_sizes.side, main.layout_sizes.logs = found.side, found.logs
        main.agents.filter_text = found.filters.agents
        main.runs_pane.filter_text = found.filters.runs
        while main.logs.level != found.filters.level:
            main.cycle_level()
        for line in found.commands:
            self._app.context.history.add(line)
        main.zoomed = found.zoomed
        main.focus_pane(found.pane)

    def settle(self, settings: Settings) -> None:
        """Other settings."""
        self.attention.way = way_of(settings.notify, os.environ)

    def frame(self, found: Frame) -> None:
        """Once a frame: call if there is something to be called for."""
        if found.runs:
            app = self._app
            known = app.bridge.runs
            items = [item for run_id in found.runs if (item := known.get(run_id)) is not None]
            items.sort(key=place)
            app.to_terminal(self.attention.call(items, app.now()))

    @property
    def welcome_due(self) -> bool:
        """Whether this is somebody's first time."""
        return self._home is not None and not self.remembered.welcomed

    def welcomed(self) -> None:
        """Written at once: who leaves by a crash is not greeted twice."""
        self.remembered = msgspec.structs.replace(self.remembered, welcomed=True)
        if self._home is None:
            return
        try:
            save(self._home, self.remembered)
        except OSError as error:
            self._app.toast(f"{self._home}: {error.strerror or error}: nothing is remembered", "warning")

    def leave(self) -> None:
        """The screen goes: keep how it was."""
        if self._home is not None and self._begun and (now := self._now()) != self.remembered:
            with suppress(OSError):  # there is no screen any more to say it on
                save(self._home, now)

    def _now(self) -> Remembered:
        main = self._app.main_screen
        return msgspec.structs.replace(
            self.remembered,
            pane=main.focused_pane,
            zoomed=main.zoomed,
            side=main.layout_sizes.side,
            logs=main.layout_sizes.logs,
            commands=self._commands(),
            filters=Filters(
                agents=main.agents.filter_text[:200],
                runs=main.runs_pane.filter_text[:200],
                level=main.logs.level,
            ),
        )

    def _commands(self) -> tuple[str, ...]:
        """What of the `:` line may lie in a file: nothing long, and nothing that looks like a key."""
        redact = self._app.context.composition.redact
        lines = self._app.context.history.lines
        return tuple(line for line in lines if len(line) <= LONGEST and redact(line) == line)[-COMMANDS:]
