"""What is written to the terminal for a frame: only the cells that changed, and only what changes of a style.

Textual crops a changed stretch of a line on its right side alone, and gives every piece its whole style and a
reset: some 45 bytes a piece. Here both sides are cropped, and colours are said when they change.

Written against Textual 8.2's compositor, which is not public: a test compares the screens that both make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from rich.color import ColorSystem
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from aethermind.tui.glass import Glass


class Look(NamedTuple):
    """A style as codes: attributes, and what sets its two colours."""

    attributes: frozenset[str]
    front: str
    back: str


PLAIN = Look(frozenset(), "39", "49")


@lru_cache(4_096)
def look_of(style: Style, system: ColorSystem) -> Look:
    """Colours that the terminal hasn't got become the nearest it has."""
    names = {"bold": "1", "dim": "2", "italic": "3", "underline": "4", "blink": "5", "reverse": "7"}
    names |= {"conceal": "8", "strike": "9", "underline2": "21", "overline": "53"}
    attributes = frozenset(code for name, code in names.items() if getattr(style, name))
    color, bgcolor = style.color, style.bgcolor
    front = ";".join(color.downgrade(system).get_ansi_codes()) if color is not None else "39"
    back = (
        ";".join(bgcolor.downgrade(system).get_ansi_codes(foreground=False)) if bgcolor is not None else "49"
    )
    return Look(attributes, front, back)


def change(old: Look, new: Look) -> str:
    """The shortest sequence from one look to another."""
    if old == new:
        return ""
    if not old.attributes <= new.attributes:
        codes = ["0", *sorted(new.attributes)]
        old = PLAIN
    else:
        codes = sorted(new.attributes - old.attributes)
    if new.front != old.front:
        codes.append(new.front)
    if new.back != old.back:
        codes.append(new.back)
    return f"\x1b[{';'.join(codes)}m"


class Pen:
    """Writes segments one after the other and remembers in which look."""

    def __init__(self, console: Console) -> None:
        self._system = console._color_system or ColorSystem.TRUECOLOR  # noqa: SLF001 - as Strip.render does
        self._look = PLAIN
        self._out: list[str] = []

    def move(self, x: int, y: int) -> None:
        self._out.append(f"\x1b[{y + 1};{x + 1}H")

    def write(self, segments: Iterable[Segment]) -> None:
        out = self._out
        for text, style, control in segments:
            if not text:
                continue
            if control:
                out.append(text)
                continue
            if style is None:
                look = PLAIN
            elif style.link:  # its sequences are Rich's business
                out.append(change(self._look, PLAIN))
                self._look = PLAIN
                out.append(style.render(text, color_system=self._system))
                continue
            else:
                look = look_of(style, self._system)
            if look is not self._look:
                out.append(change(self._look, look))
                self._look = look
            out.append(text)

    def end(self) -> str:
        """All of it; the terminal is left plain."""
        self._out.append(change(self._look, PLAIN))
        return "".join(self._out)


class Frame(CompositorUpdate):
    """Stands in for an update of Textual's and writes what differs of the same cells, in fewer bytes."""

    def __init__(self, update: ChopsUpdate | LayoutUpdate, glass: Glass, size: tuple[int, int]) -> None:
        self.update = update
        self._glass = glass
        self._size = size
        """Of the terminal."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return self.update.__rich_console__(console, options)

    def render_segments(self, console: Console) -> str:
        pen = Pen(console)
        update = self.update
        if isinstance(update, ChopsUpdate):
            for y, begin, end in update.spans:
                for x, part in _parts(update.chops[y].items(), update.chop_ends[y], begin, end):
                    self._write(pen, x, y, part)
        else:
            for y, strips in enumerate(update.strips, update.region.y):
                self._write(pen, update.region.x, y, Strip.join(strips))
        return pen.end()

    def _write(self, pen: Pen, x: int, y: int, part: Strip) -> None:
        fresh = self._glass.put(x, y, part, self._size)
        if fresh is not None:
            pen.move(fresh[0], y)
            pen.write(fresh[1]._segments)  # noqa: SLF001 - iterating a Strip copies it


def _parts(
    chops: Iterable[tuple[int, Strip | None]], ends: Iterable[int], begin: int, end: int
) -> Iterator[tuple[int, Strip]]:
    """Columns `begin` to `end` of a line that is cut into strips, what is side by side as one."""
    at, start = -1, -1
    parts: list[Strip] = []
    for (x, strip), last in zip(chops, ends, strict=False):
        if strip is None or x >= end or last <= begin:
            continue
        first = max(begin, x)
        stop = min(last, end)
        part = strip if (first, stop) == (x, last) else strip.crop(first - x, stop - x)
        if at != first:
            if parts:
                yield start, Strip.join(parts)
            start, parts = first, []
        parts.append(part)
        at = stop
    if parts:
        yield start, Strip.join(parts)


def tight(update: RenderableType | None, glass: Glass, size: tuple[int, int]) -> RenderableType | None:
    """The update to display on a terminal of that size: ours in place of Textual's, where it is one that we
    know.
    """
    if isinstance(update, ChopsUpdate | LayoutUpdate):
        return Frame(update, glass, size)
    return update
