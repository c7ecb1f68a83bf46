"""The steps of a run (or of a part of it) by layers: what could run at the same time stands in one. Pure.

Two drawings of the same: boxes, where there is room for some beside each other, and a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aethermind.domain.state import Node
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line, fit, width_of
from aethermind.tui.rows.draw import STYLE, elapsed, money

BOXES_FROM = 100
"""Columns from which on steps are boxes."""
_LEAST, _MOST = 18, 32
_GAP = 2
HIGH = 3
"""Lines of a box."""


@dataclass(frozen=True)
class Place:
    """A step, where it stands, and what it hangs together with."""

    node: Node
    layer: int
    needs: tuple[str, ...]
    """Names of what it waits for, in the same part of the run."""

    @property
    def name(self) -> str:
        return name_of(self.node)


def name_of(node: Node) -> str:
    return node.path.rpartition("/")[2] or node.path


def places(container: Node) -> list[Place]:
    """The steps right in this container, layer by layer, in the order of the definition inside a layer.

    Items of a fan-out are one layer; each round of a loop waits for the one before.
    """
    children = list(container.children)
    if container.mode == "fan_out":
        return [Place(node, 0, ()) for node in children]
    if container.mode == "loop":
        names = [name_of(node) for node in children]
        return [Place(node, n, (names[n - 1],) if n else ()) for n, node in enumerate(children)]
    by_id = {node.step.id: node for node in children}
    level: dict[str, int] = {}
    for node in _sorted(children, by_id):
        level[node.step.id] = max((level[need] + 1 for need in node.step.needs if need in level), default=0)
    found = [
        Place(node, level[node.step.id], tuple(need for need in node.step.needs if need in by_id))
        for node in children
    ]
    return sorted(found, key=lambda place: place.layer)


def _sorted(children: Sequence[Node], by_id: dict[str, Node]) -> list[Node]:
    """What is needed comes before what needs it. (There are no cycles: definitions are checked.)"""
    found: dict[str, Node] = {}
    for start in children:
        stack = [start]
        while stack:
            node = stack[-1]
            missing = [by_id[n] for n in node.step.needs if n in by_id and n not in found]
            if missing and len(stack) <= len(children):
                stack.append(missing[0])
            else:
                found.setdefault(node.step.id, stack.pop())
    return list(found.values())


def related(found: Sequence[Place], selected: int) -> dict[int, str]:
    """Index → `needed` or `needs it`: what the selected step waits for, and what waits for it."""
    if not 0 <= selected < len(found):
        return {}
    place = found[selected]
    words = {n: "needed" for n, other in enumerate(found) if other.name in place.needs}
    return words | {n: "needs it" for n, other in enumerate(found) if place.name in other.needs}


# --- boxes ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Grid:
    """Rows of boxes: which steps (by index) each holds, and how wide a box is."""

    rows: tuple[tuple[int, ...], ...]
    layers: tuple[int, ...]
    """Row → its layer."""
    box: int

    @property
    def lines(self) -> int:
        """A box is three lines high; a layer begins after a line of its own."""
        return len(self.rows) * HIGH + (self.layers[-1] + 1 if self.layers else 0)

    def first_line(self, row: int) -> int:
        return row * HIGH + self.layers[row] + 1

    def at(self, line: int) -> tuple[int, int]:
        """(row, line of the box); -1 is the line above a layer's first row."""
        low, high = 0, len(self.rows) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self.first_line(middle) - self._above(middle) <= line:
                low = middle
            else:
                high = middle - 1
        return low, line - self.first_line(low)

    def _above(self, row: int) -> int:
        return 1 if row == 0 or self.layers[row] != self.layers[row - 1] else 0

    def row_of(self, index: int) -> int:
        return next((n for n, row in enumerate(self.rows) if index in row), 0)


def grid(found: Sequence[Place], width: int) -> Grid:
    """As many boxes beside each other as fit."""
    longest = max((width_of(place.name) for place in found), default=0)
    box = max(_LEAST, min(longest + 6, _MOST))
    per_row = max((width - 1) // (box + _GAP), 1)
    rows: list[tuple[int, ...]] = []
    layers: list[int] = []
    row: list[int] = []
    for index, place in enumerate(found):
        if row and (len(row) == per_row or found[row[-1]].layer != place.layer):
            rows.append(tuple(row))
            layers.append(found[row[-1]].layer)
            row = []
        row.append(index)
    if row:
        rows.append(tuple(row))
        layers.append(found[row[-1]].layer)
    return Grid(tuple(rows), tuple(layers), box)


def box_line(
    found: Sequence[Place],
    a_grid: Grid,
    line: int,
    selected: int,
    words: Mapping[int, str],
    now: int,
    glyphs: Glyphs,
) -> Cells:
    """One line of the drawing. `words`: what `related` says of the selected step."""
    row, part = a_grid.at(line)
    if part < 0:
        layer = a_grid.layers[row]
        return [(f" {glyphs.more_below if layer else ' '} {layer + 1}", "faint")]
    drawn = Line(ellipsis=glyphs.ellipsis).add(" ")
    for index in a_grid.rows[row]:
        place, here = found[index], index == selected
        side = "border.focus" if here else "key" if index in words else STYLE.get(place.node.status, "border")
        drawn.extend(_part(place, part, a_grid.box, side, words.get(index, ""), now, glyphs, here=here))
        drawn.add(" " * _GAP)
    return drawn.cells


def _part(
    place: Place, part: int, width: int, side: str, word: str, now: int, glyphs: Glyphs, *, here: bool
) -> Cells:
    frame = ("########" if glyphs.ascii else "┏━┓┃┛━┗┃") if here else glyphs.box
    node, inner = place.node, width - 4
    line = Line(ellipsis=glyphs.ellipsis)
    if part == 0:
        sign = glyphs.status_of(node.status)
        line.add(frame[0] + " ", side).add(sign, STYLE.get(node.status, "")).add(" ")
        line.say(place.name, "strong", width=min(width_of(place.name), inner - 2)).add(" ")
        return [*line.cells, (frame[1] * (width - 1 - line.width), side), (frame[2], side)]
    if part == 1:
        line.add(frame[7] + " ", side).extend(_facts(node, inner, now, glyphs))
        return line.to(width - 2).add(" ").add(frame[3], side).cells
    label = f" {word} " if word else ""
    line.add(frame[6] + frame[5], side).add(label, side)
    return [*line.cells, (frame[5] * (width - 1 - line.width), side), (frame[4], side)]


def _facts(node: Node, width: int, now: int, glyphs: Glyphs) -> Cells:
    """How far, how long, for how much."""
    line = Line(ellipsis=glyphs.ellipsis)
    time = elapsed(node.started_at, node.finished_at, now)
    cost = ("", "")
    if node.tally is not None:
        cost = money(node.tally.cost, node.tally.unpriced, glyphs, started=node.started_at is not None)
    word = progress(node, glyphs)
    line.say(word or time or node.status.replace("_", " "), "time" if time else "faint")
    right = time if word else ""
    tail = _beside(right, cost)
    if line.width + 1 + tail.width > width and cost[1] == "money" and node.tally is not None:
        # An amount is never cut: it would be another one.
        about = (glyphs.at_least if node.tally.unpriced else "") + fmt.usd_short(node.tally.cost)
        tail = _beside(right, (about, "money"))
        if line.width + 1 + tail.width > width:
            tail = _beside("", (about, "money"))
    line.to(max(width - tail.width, line.width + 1)).extend(tail.cells)
    return line.to(width).cells


def _beside(time: str, cost: tuple[str, str]) -> Line:
    return Line().add(time, "time").add(" " if time and cost[0] else "").add(*cost)


def progress(node: Node, glyphs: Glyphs) -> str:
    """`2/5` of a container's parts that are over; empty for a step."""
    if not node.children:
        return ""
    over = sum(child.over for child in node.children)
    sign = glyphs.parallel if node.mode == "fan_out" else ""
    return f"{over}/{len(node.children)}{sign}"


# --- the list ------------------------------------------------------------------------------------


def list_head(width: int) -> Cells:
    return Line().add(" LAYER", "head").add("  STEP", "head").to(width).cells


def list_line(
    found: Sequence[Place], index: int, words: Mapping[int, str], width: int, now: int, glyphs: Glyphs
) -> Cells:
    """One step of the list; its layer is told at the first one of it. `words`: as for `box_line`."""
    place = found[index]
    node = place.node
    first = index == 0 or found[index - 1].layer != place.layer
    word = words.get(index, "")
    line = Line(ellipsis=glyphs.ellipsis)
    line.add(fit(str(place.layer + 1) if first else "", 4, right=True), "faint").add("  ")
    line.add(glyphs.status_of(node.status), STYLE.get(node.status, "")).add(" ")
    cost = ("", "")
    if node.tally is not None:
        cost = money(node.tally.cost, node.tally.unpriced, glyphs, started=node.started_at is not None)
    room = width - line.width - 18
    name = Line(ellipsis=glyphs.ellipsis).say(place.name, "strong" if node.children else "")
    if parts := progress(node, glyphs):
        name.add(f" {parts}", "note")
    if word:
        name.add(f" {word}", "key")
    elif place.needs:
        name.add(f" {glyphs.needs}", "faint").say(",".join(place.needs), "faint")
    line.extend(name.to(room).cells)
    line.field(elapsed(node.started_at, node.finished_at, now), 7, "time", right=True)
    return line.field(cost[0], 10, cost[1], right=True).to(width).cells
