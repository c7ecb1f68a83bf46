"""Cells to strips: the last place where text is made harmless, and the one where styles become looks."""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from textual.strip import Strip

from aethermind.infra.sanitize import clean_line, is_clean_line
from aethermind.tui.rows.cells import Cell, cells_width, cut, width_of
from aethermind.tui.themes import Palette


def to_strip(
    cells: Iterable[Cell],
    width: int,
    palette: Palette,
    under: str = "",
    *,
    ellipsis: str = "",
    edges: tuple[Segment, Segment] | None = None,
) -> Strip:
    """Exactly `width` cells, what is too long cut off; `edges` are put around them (a cell each)."""
    kept = list(cells)
    if not is_clean_line("".join([text for text, _ in kept])):
        kept = [(clean_line(text), name) for text, name in kept]
    used = cells_width(kept)
    if used > width:
        kept = cut(kept, width, ellipsis=ellipsis)
        used = cells_width(kept)
    style = palette.style
    segments = [Segment(text, style(name, under)) for text, name in kept]
    if used < width:
        segments.append(Segment(" " * (width - used), style("", under)))
    if edges is None:
        return Strip(segments, width)
    return Strip([edges[0], *segments, edges[1]], width + 2)


def difference(old: Strip, new: Strip) -> tuple[int, int] | None:
    """Columns (from, to) that differ, in whole segments; None if nothing does."""
    before, after = old._segments, new._segments  # noqa: SLF001 - iterating a Strip copies it
    if before is after:
        return None
    head = 0
    most = min(len(before), len(after))
    while head < most and _same(before[head], after[head]):
        head += 1
    if head == len(before) == len(after):
        return None
    tail = 0
    while tail < most - head and _same(before[-1 - tail], after[-1 - tail]):
        tail += 1
    start = sum(width_of(segment.text) for segment in after[:head])
    end = new.cell_length - (sum(width_of(segment.text) for segment in after[-tail:]) if tail else 0)
    return start, end


def _same(one: Segment, other: Segment) -> bool:
    return one.text == other.text and (one.style is other.style or one.style == other.style)
