"""Cells to strips: the last place where text is made harmless, and the one where styles become looks."""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
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
    if used < width:
        kept.append((" " * (width - used), ""))
    segments = _segments(kept, palette, under)
    if edges is None:
        return Strip(segments, width)
    return Strip([edges[0], *segments, edges[1]], width + 2)


def _segments(cells: Iterable[Cell], palette: Palette, under: str) -> list[Segment]:
    """Blanks join what stands before them where nobody can see it: each change of style is some forty bytes
    on the line.
    """
    style = palette.style
    segments: list[Segment] = []
    last: Style | None = None
    for text, name in cells:
        look = style(name, under)
        if last is not None and (
            look is last or (text.isspace() and look.bgcolor == last.bgcolor and not _marks(look, last))
        ):
            segments[-1] = Segment(segments[-1].text + text, last)
            continue
        segments.append(Segment(text, look))
        last = look
    return segments


def _marks(*looks: Style) -> bool:
    """Whether one of them shows on a blank too."""
    return any(look.underline or look.reverse for look in looks)


_narrow = re.compile("[ -~\u2500-\u259f]*").fullmatch
"""Text whose characters surely take a cell each: ASCII, the frames, the pieces of bars."""


def difference(old: Strip, new: Strip) -> tuple[int, int] | None:
    """Columns (from, to) that differ; None if nothing does."""
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
    start = sum([width_of(segment.text) for segment in after[:head]])
    end = new.cell_length - sum([width_of(segment.text) for segment in after[len(after) - tail :]])
    end = max(end, start)
    if head < len(after) - tail and head < len(before) - tail:
        start += _common(before[head], after[head], end - start)
        end -= _common(before[-1 - tail], after[-1 - tail], end - start, backward=True)
    if start >= end:  # a segment of the old one is gone, and what is left is as it was
        return None
    return start, end


def _common(one: Segment, other: Segment, most: int, *, backward: bool = False) -> int:
    """How many cells at the beginning (or end) of two segments are the same."""
    text, against = one.text, other.text
    if one.style is not other.style or not (_narrow(text) and _narrow(against)):
        return 0
    if backward:
        text, against = text[::-1], against[::-1]
    count = 0
    for a, b in zip(text, against, strict=False):
        if a != b or count >= most:
            break
        count += 1
    return count


def _same(one: Segment, other: Segment) -> bool:
    return one.text == other.text and (one.style is other.style or one.style == other.style)
