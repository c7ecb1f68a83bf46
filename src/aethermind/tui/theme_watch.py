"""The theme files, as they are now: read after the first paint, and again when one is changed.

A file that is saved with a mistake is said once and leaves the colours as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aethermind.tui import themes

if TYPE_CHECKING:
    from aethermind.tui.app import AethermindApp

PERIOD_S = 2.0
"""How soon an edit shows; coming back from another window looks at once."""


class ThemeWatch:
    """Belongs to the app, which is told about other colours only when there are some."""

    def __init__(self, app: AethermindApp, dirs: Sequence[Path]) -> None:
        self._app = app
        self._dirs = dirs
        self._seen: dict[Path, int] | None = None
        self._said: set[str] = set()
        """Problems that need not be said again."""
        self._first: list[str] = []

    def first(self, name: str) -> None:
        """The theme to begin with, or the fallback; the others are read after the first paint."""
        app = self._app
        wanted = themes.find(self._dirs, name)
        if isinstance(wanted, themes.ThemeProblem):
            self._first.append(f"theme {wanted}")
            wanted = None
        if wanted is None and name not in app.available_themes:
            if not self._first:
                self._first.append(f"there is no theme {name}")
            found = themes.find(self._dirs, themes.FALLBACK)
            wanted = themes.fallback() if found is None or isinstance(found, themes.ThemeProblem) else found
        if wanted is not None:
            app.register_theme(wanted)
            name = wanted.name
        app.theme = "ansi-dark" if app.no_color else name

    def begin(self) -> list[str]:
        """Read all themes, and keep an eye on them; gives what was wrong with the first one."""
        self._said = set(self._first)
        self.load(themes.stamps(self._dirs))
        self._app.set_interval(PERIOD_S, self._due)
        return self._first

    def _due(self) -> None:
        self._app.run_worker(self._look(), group="themes", exclusive=True, exit_on_error=False)

    async def _look(self) -> None:
        """A slow disk holds up nothing but this."""
        self.changed(await asyncio.to_thread(themes.stamps, self._dirs))

    def look(self) -> None:
        """Now, and on the spot."""
        self.changed(themes.stamps(self._dirs))

    def changed(self, stamps: dict[Path, int]) -> None:
        """Read everything again if a file is another one than last time."""
        if self._seen is None or stamps == self._seen:
            return
        self.load(stamps)
        self._app.recolor()

    def load(self, stamps: dict[Path, int]) -> None:
        """Register all themes that can be used, and say what is new about the others."""
        self._seen = stamps
        found, problems = themes.load_dirs(self._dirs)
        for theme in found.values():
            self._app.register_theme(theme)
        texts = [f"theme {problem}" for problem in problems]
        for text in texts:
            if text not in self._said:
                self._app.toast(text, "warning")
        self._said = set(texts)
