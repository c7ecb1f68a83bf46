"""Time as bars of eighth blocks under a ruler. Pure.

While a run lives, the scale ends at a round time ahead of now, so that bars of what is over stand still;
once it is over, the scale fits it exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells
from aethermind.tui.rows.gaps import Gap

_STEPS = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 420, 600, 900, 1_200, 1_800, 2_700, 3_600)
"""Seconds; beyond, every half hour."""


class Piece(NamedTuple):
    """A stretch of time (epoch ms). `kind` names its style: `bar.` + kind."""

    start: int
    end: int
    kind: str
    wait: bool = False
    """Drawn lighter: nothing was done."""


class Scale(NamedTuple):
    start: int
    span: int
    """ms"""
    gaps: tuple[Gap, ...] = ()
    """What is left out, in order."""

    def place(self, at: int) -> int:
        """How far (ms) a time (epoch ms) is from the beginning, without what is left out before it."""
        return at - self.start - sum(min(at, end) - begin for begin, end in self.gaps if at > begin)

    def elapsed_at(self, place: int) -> int:
        """How much time (ms) has really passed there: the other way round."""
        return place + sum(end - begin for begin, end in self.gaps if self.place(begin) < place)


def scale(start: int, end: int, *, live: bool, gaps: tuple[Gap, ...] = ()) -> Scale:
    left_out = sum(min(over, end) - begin for begin, over in gaps if begin < end)
    elapsed = max(end - start - left_out, 1)
    return Scale(start, nice_span(elapsed) if live else max(elapsed, 100), gaps)


def nice_span(elapsed: int) -> int:
    """The next round span (ms) that is longer than this."""
    for seconds in _STEPS:
        if elapsed < seconds * 1_000:
            return seconds * 1_000
    return (elapsed // 1_800_000 + 1) * 1_800_000


CUT = "/"
"""Where time was left out."""


def ruler(a_scale: Scale, width: int) -> str:
    """Times at regular places, exactly `width` cells; a `/` where some was left out."""
    if width < 4:
        return " " * max(width, 0)
    last = _tick(a_scale.elapsed_at(a_scale.span))
    marks = max(min(width // 12, 6), 1)
    cuts = {min(a_scale.place(begin) * width // a_scale.span, width - 1) for begin, _ in a_scale.gaps}
    chars = [CUT if column in cuts else " " for column in range(width)]
    for n in range(marks):
        at, place = width * n // marks, a_scale.span * n // marks
        label = _tick(a_scale.elapsed_at(place))
        if within := cuts.intersection(range(at, at + len(label) + 1)):
            at = max(within) + 1
            label = _tick(a_scale.elapsed_at(-(-a_scale.span * at // width)))
        if at + len(label) < width - len(last) - 1:
            chars[at : at + len(label)] = label
    chars[width - len(last) :] = last
    return "".join(chars)[:width]


def _tick(ms: int) -> str:
    if ms == 0:
        return "0s"
    if ms < 10_000 and ms % 1_000:
        return f"{ms / 1000:.1f}s"
    seconds = ms // 1000
    if seconds < 120:
        return f"{seconds}s"
    return fmt.duration(ms)


def bar(
    a_scale: Scale, pieces: Sequence[Piece], width: int, glyphs: Glyphs, *, failed: bool = False
) -> Cells:
    """The pieces (in order of time) as at most `width` cells; `failed` puts a mark behind the last."""
    if width <= 0 or not pieces:
        return []
    chars = [" "] * width
    kinds = [""] * width
    last = 0
    for piece in pieces:
        last = max(last, _draw(a_scale, piece, width, glyphs, chars, kinds))
    if failed:
        at = min(last, width - 1)
        chars[at], kinds[at] = glyphs.bar_fail, "bar.mark"
        last = at + 1
    return _runs(chars[:last], kinds[:last])


def _draw(
    a_scale: Scale, piece: Piece, width: int, glyphs: Glyphs, chars: list[str], kinds: list[str]
) -> int:
    """Draw one piece; returns the column after it."""
    eighths = width * 8
    begin = min(max(a_scale.place(piece.start) * eighths // a_scale.span, 0), eighths - 1)
    end = min(max(-(-a_scale.place(piece.end) * eighths // a_scale.span), begin + 1), eighths)
    first, head = divmod(begin, 8)
    final, tail = divmod(end, 8)
    kind = f"bar.{piece.kind}"
    if piece.wait or glyphs.ascii:
        sign = glyphs.bar_wait if piece.wait else glyphs.bar[8]
        if piece.wait and head and chars[first] != " ":
            first += 1  # what was done is drawn over what was waited
        stop = max(final + (1 if tail >= 4 else 0), first + 1)
        for column in range(first, min(stop, width)):
            chars[column], kinds[column] = sign, kind
        return min(stop, width)
    if first == final:
        chars[first], kinds[first] = (
            glyphs.bar[tail - head] if not head else glyphs.bar[max(tail - head, 2)],
            kind,
        )
        return first + 1
    if head:
        chars[first], kinds[first] = glyphs.bar[head], kind + ".r"
    else:
        chars[first], kinds[first] = glyphs.bar[8], kind
    for column in range(first + 1, final):
        chars[column], kinds[column] = glyphs.bar[8], kind
    if tail:
        chars[final], kinds[final] = glyphs.bar[tail], kind
        return final + 1
    return final


def _runs(chars: Sequence[str], kinds: Sequence[str]) -> Cells:
    """Neighbours of one style as one cell."""
    found: Cells = []
    start = 0
    for at in range(1, len(chars) + 1):
        if at == len(chars) or kinds[at] != kinds[start]:
            found.append(("".join(chars[start:at]), kinds[start]))
            start = at
    return found


def spark(values: Sequence[int], glyphs: Glyphs) -> str:
    """Values as heights; all nothing is a flat line."""
    most = max(values, default=0)
    if most <= 0:
        return glyphs.spark[0] * len(values)
    top = len(glyphs.spark) - 1
    return "".join(glyphs.spark[-(-value * top // most) if value > 0 else 0] for value in values)
