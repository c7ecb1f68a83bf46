"""The lines around the panes: header, tabs, message, footer, and what each shows when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from aethermind.tui.actions import Hint
from aethermind.tui.context import Pane, Settings
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.held import Held
from aethermind.tui.rows import header, message
from aethermind.tui.rows.cells import Cells, Line
from aethermind.tui.themes import Palette
from aethermind.tui.widgets.keys_line import KeysLine
from aethermind.tui.widgets.line import OneLine
from aethermind.tui.widgets.tabs import Tabs

_RECENT_MS = 24_000
"""What the sparkline of a live run looks back on."""


class Chrome:
    """Owns the four widgets; the screen composes them and says when to draw."""

    def __init__(
        self, settings: Settings, palette: Palette, glyphs: Glyphs, key_of: Callable[[str], str]
    ) -> None:
        self._glyphs = glyphs
        self._key_of = key_of
        self._place = settings.place
        self._pace = ""
        self._bears: float | None = None
        self.settle(settings)
        self.header = OneLine(palette, id="header")
        self.tabs = Tabs(palette, glyphs)
        self.message = KeysLine(palette, id="message")
        self.footer = KeysLine(palette, id="footer")
        self.held = ""
        """What is wrong with the engine, in the header: nothing new starts, or it can't be reached."""
        self.note = ""
        """A passing message."""

    def settle(self, settings: Settings) -> None:
        """How often the screen is renewed is told in the header."""
        self._settings = settings
        self.line_bears(self._bears)

    def line_bears(self, hz: float | None) -> None:
        """So many frames a second at most; None: as many as are wanted."""
        self._bears = hz
        wanted = self._settings.frame_hz
        kind = "ssh" if self._settings.ssh else "live"
        slowed = hz is not None and hz < wanted
        self._pace = f"{'slow' if slowed else kind} {hz if slowed else wanted:g}Hz"

    def redress(self, glyphs: Glyphs) -> None:
        """Other signs."""
        self._glyphs = self.tabs.glyphs = glyphs

    def repalette(self, palette: Palette) -> None:
        for line in (self.header, self.tabs, self.message, self.footer):
            line.repalette(palette)

    def show_header(self, held: Held | None, status: str, width: int, now: int, *, tiny: bool) -> None:
        run = held.run if held is not None else None
        glyphs = self._glyphs
        if tiny:
            self.header.show(header.tiny(run, width, now, glyphs, status=status))
            return
        rate: Sequence[int] = ()
        flowing = 0
        if held is not None:
            created, finished = held.run.created_at, held.run.finished_at
            end = finished if finished is not None else now
            begin = created if finished is not None else max(end - _RECENT_MS, created)
            rate = held.rate.buckets(begin, max(end, begin + 1_000), header.SPARK)
            flowing = held.streams.tokens("")
        cells = header.cells(
            run,
            width,
            now,
            glyphs,
            status=status,
            rate=rate,
            flowing=flowing,
            pace=self._pace,
            place=self._place,
            away=self._settings.attached is not None,
            held=self.held,
        )
        self.header.show(cells)

    def show_tabs(self, active: Pane, counts: Mapping[Pane, int], failed: int) -> None:
        self.tabs.update(active, counts, failed)

    def show_message(self, held: Held | None, failed: Sequence[str], status: str, width: int) -> None:
        run = held.run if held is not None else None
        nodes = [run.nodes[path] for path in failed if path in run.nodes] if run is not None else []
        self.message.show(
            message.cells(run, nodes, width, self._glyphs, self._key_of, status=status, note=self.note)
        )

    def show_footer(self, hints: Sequence[Hint], width: int) -> None:
        self.footer.show(footer_cells(hints, width, self._glyphs))


def footer_cells(hints: Sequence[Hint], width: int, glyphs: Glyphs) -> Cells:
    """Keys and their words, dim where they can't be used now; help and quit stand at the right end."""
    last = [hint for hint in hints if hint.word in {"help", "quit"}]
    line = _hints([hint for hint in hints if hint not in last], glyphs)
    right = _hints(last, glyphs)
    return line.to(max(width - right.width - 1, line.width)).extend(right.cells).cells


def _hints(hints: Sequence[Hint], glyphs: Glyphs) -> Line:
    line = Line(ellipsis=glyphs.ellipsis)
    line.add(" ")
    for n, (key, word, can) in enumerate(hints):
        line.add("  " if n else "").add(key.replace("↵", glyphs.enter), "key" if can else "key.off")
        line.add(f" {word}", "muted" if can else "faint")
    return line
