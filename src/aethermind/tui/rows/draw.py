"""Rows of the trace as cells: guides, signs, times, tokens, money, bars. Pure.

The columns depend on the width alone (`Columns.of`), so that nothing jumps while numbers grow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aethermind.domain import tree
from aethermind.domain.state import Node, StepStatus
from aethermind.domain.tool_views import tool_said, tool_status, tool_title
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows import gantt
from aethermind.tui.rows.cells import Cells, Line, fit, width_of
from aethermind.tui.rows.gantt import Piece, Scale
from aethermind.tui.rows.trace import CallRef, Row, ToolRef, TraceRows
from aethermind.tui.rows.waits import Wait, brief

ACTIVE = frozenset({"running", "retry_wait", "waiting_answer", "waiting_budget", "in_doubt", "stopping"})
STYLE = {
    "pending": "pending",
    "ready": "queued",
    "queued": "queued",
    "running": "running",
    "stopping": "gate",
    "retry_wait": "waiting",
    "waiting_answer": "gate",
    "waiting_budget": "gate",
    "paused": "gate",
    "parked": "doubt",
    "interrupted": "doubt",
    "in_doubt": "doubt",
    "lost": "doubt",
    "succeeded": "ok",
    "skipped": "skipped",
    "failed": "failed",
    "cancelled": "skipped",
}
"""Status of anything → the name of its style."""


@dataclass(frozen=True)
class Columns:
    """Widths in cells; 0 leaves a column out."""

    step: int
    star: int
    time: int
    tokens: int
    cost: int
    bar: int

    @staticmethod
    def of(width: int) -> Columns:
        star, time = (2, 7) if width >= 36 else (0, 7 if width >= 24 else 0)
        tokens = 8 if width >= 84 else 0
        cost = 10 if width >= 44 else 0
        fixed = star + time + tokens + cost
        if width < 56:
            return Columns(width - fixed, star, time, tokens, cost, 0)
        rest = width - fixed - 2  # two cells before the bars
        step = max(min(rest * 9 // 20, 44), 22)
        return Columns(step, star, time, tokens, cost, rest - step)


@dataclass(frozen=True)
class Scene:
    """What all rows of one frame share."""

    rows: TraceRows
    columns: Columns
    scale: Scale
    now: int
    glyphs: Glyphs
    critical: frozenset[str]
    streaming: Callable[[str], int]
    """Path → tokens (an estimate) that its calls in flight have streamed; 0 for none."""
    call_streaming: Callable[[str, int, int], int]
    """The same of one call."""
    match: str = ""
    """What is sought, in lower case."""
    waiting: Callable[[Node, int], Wait | None] = lambda node, now: None
    """What a step under way waits for, at a time (epoch ms)."""


def head(columns: Columns, a_scale: Scale, glyphs: Glyphs) -> Cells:
    """The line above the rows: names of the columns and the ruler."""
    line = Line()
    line.field(" STEP", columns.step + columns.star, "head")
    for name, width in (("TIME", columns.time), ("TOK", columns.tokens), ("COST", columns.cost)):
        if width:
            line.field(name, width, "head", right=True)
    if columns.bar:
        line.add("  ").add(gantt.ruler(a_scale, columns.bar), "ruler")
    return line.cells


def cells(row: Row, scene: Scene) -> Cells:
    if isinstance(row, Node):
        return _run(row, scene) if row.parent is None else _node(row, scene)
    if isinstance(row, CallRef):
        return _call(row, scene)
    return _tool(row, scene)


# --- the left part -----------------------------------------------------------------------------


def _guides(row: Row, scene: Scene) -> Line:
    """Guides and the sign of folding."""
    glyphs = scene.glyphs
    line = Line(ellipsis=glyphs.ellipsis)
    rails = scene.rows.rails(row)
    for more in rails[:-1]:
        line.add(" " + (glyphs.rail if more else glyphs.gap)[:1], "guide")
    if rails:
        line.add(" " + (glyphs.tee if rails[-1] else glyphs.elbow), "guide")
    if scene.rows.foldable(row):
        line.add(glyphs.opened if scene.rows.is_open(row) else glyphs.closed, "fold")
    return line


def _label(line: Line, text: str, style: str, scene: Scene) -> None:
    """A name, with what is sought marked."""
    at = text.lower().find(scene.match) if scene.match else -1
    if at < 0:
        line.say(text, style)
        return
    end = at + len(scene.match)
    line.say(text[:at], style).say(text[at:end], "match").say(text[end:], style)


def _columns(
    line: Line, scene: Scene, path: str | None, *, time: str, tokens: str, cost: tuple[str, str]
) -> None:
    columns = scene.columns
    line.to(columns.step)
    if columns.star:
        star = path is not None and path in scene.critical
        line.field(f" {scene.glyphs.star}" if star else "", columns.star, "star")
    line.field(time, columns.time, "time", right=True)
    if columns.tokens:
        line.field(tokens, columns.tokens, "tokens", right=True)
    if columns.cost:
        line.field(cost[0], columns.cost, cost[1], right=True)


def _bar(line: Line, scene: Scene, pieces: list[Piece], *, failed: bool = False) -> Cells:
    if scene.columns.bar and pieces:
        line.add("  ").extend(gantt.bar(scene.scale, pieces, scene.columns.bar, scene.glyphs, failed=failed))
    return line.cells


def money(cost: int | None, unpriced: int, glyphs: Glyphs, *, started: bool = True) -> tuple[str, str]:
    """A cost and its style: `$0.0310`, `≥$0.0310` if part of it is unpriced, `unpriced` if all is."""
    if cost is None:
        if unpriced:
            return "unpriced", "unpriced"
        return ("", "money") if started else (glyphs.dash, "faint")
    return (glyphs.at_least if unpriced else "") + fmt.usd(cost), "money"


def _tokens(settled: int, flowing: int) -> str:
    if flowing:
        return "~" + fmt.short(settled + flowing)
    return fmt.short(settled) if settled else ""


def elapsed(start: int | None, end: int | None, now: int) -> str:
    if start is None:
        return ""
    return fmt.duration((end if end is not None else now) - start, live=end is None)


# --- rows --------------------------------------------------------------------------------------


def _run(node: Node, scene: Scene) -> Cells:
    run = scene.rows.run
    status = run.status
    line = _guides(node, scene)
    line.add(scene.glyphs.status_of(status), STYLE.get(status, "")).add(" ")
    _label(line, run.created.workflow, "strong", scene)
    if run.created.simulated:
        line.add("  sim", "sim")
    flowing = scene.streaming("")
    tally = run.tally
    start, end = run.created_at, run.finished_at
    _columns(
        line,
        scene,
        None,
        time=elapsed(start, end, scene.now),
        tokens=_tokens(tally.usage.total_tokens, flowing),
        cost=money(tally.cost, tally.unpriced, scene.glyphs),
    )
    over = end if end is not None else scene.now
    return _bar(line, scene, [Piece(start, over, "run")], failed=status == "failed")


def _node(node: Node, scene: Scene) -> Cells:
    glyphs = scene.glyphs
    line = _guides(node, scene)
    flowing = scene.streaming(node.path)
    style = STYLE.get(node.status, "")
    if flowing and node.mode == "leaf" and node.status == "running":
        line.add(glyphs.streaming, style)
    else:
        line.add(glyphs.status_of(node.status), style).add(" ")
    quiet = node.status in {"pending", "skipped", "cancelled"}
    _label(line, _name(node), "faint" if quiet else "strong" if node.children else "", scene)
    if note := _note(node, scene):
        line.add(" " if line.width + len(note) + 2 > scene.columns.step else "  ")
        line.say(note, "note.bad" if node.status == "failed" else "note")
    started = node.started_at is not None
    tally = node.tally
    _columns(
        line,
        scene,
        node.path,
        time=elapsed(node.started_at, node.finished_at, scene.now) or glyphs.dash,
        tokens=_tokens(tally.usage.total_tokens if tally is not None else 0, flowing)
        or ("" if started else glyphs.dash),
        cost=money(
            tally.cost if tally is not None else None,
            tally.unpriced if tally is not None else 0,
            glyphs,
            started=started,
        ),
    )
    return _bar(line, scene, _pieces(node, scene.now), failed=node.status == "failed")


def _name(node: Node) -> str:
    name = tree.label(node)
    if node.index is not None and isinstance(node.item, str):
        return f"{name} {node.item[:60]}"
    return name


def _note(node: Node, scene: Scene) -> str:
    glyphs = scene.glyphs
    if node.mode == "fan_out" and node.children and not scene.rows.is_open(node):
        return counts(scene.rows.tally(node, scene.now), glyphs)
    if node.mode == "group" and node.status == "running" and node.live > 1:
        return f"{node.live}{glyphs.parallel}"
    if node.status == "retry_wait" and node.attempts:
        left = (node.due_at or scene.now) - scene.now
        return f"{tree.note(node)} in {fmt.duration(max(left, 0), live=True)}"
    if node.mode == "leaf" and (wait := scene.waiting(node, scene.now)) is not None:
        return brief(wait, scene.now)
    return tree.note(node).replace("←", glyphs.needs)


_ORDER: tuple[StepStatus, ...] = (
    "failed",
    "running",
    "retry_wait",
    "waiting_answer",
    "waiting_budget",
    "in_doubt",
    "succeeded",
    "skipped",
    "cancelled",
    "ready",
    "pending",
)


def counts(by_status: Mapping[StepStatus, int], glyphs: Glyphs) -> str:
    """Items by status: `12✓ 3● 1✗ 84◷`."""
    return " ".join(f"{by_status[s]}{glyphs.status_of(s)}" for s in _ORDER if by_status.get(s))


def _pieces(node: Node, now: int) -> list[Piece]:
    """The bar of a step: its attempts with the waits between them, or a container from begin to end."""
    if node.started_at is None:
        return []
    if node.mode != "leaf":
        kind = {"failed": "failed", "cancelled": "skipped"}.get(node.status, "box")
        return [Piece(node.started_at, node.finished_at if node.finished_at is not None else now, kind)]
    pieces: list[Piece] = []
    waits = False
    for attempt in node.attempts:
        if waits and attempt.started_at > pieces[-1].end:
            pieces.append(Piece(pieces[-1].end, attempt.started_at, "waiting", wait=True))
        end = attempt.finished_at if attempt.finished_at is not None else now
        pieces.append(Piece(attempt.started_at, end, STYLE.get(attempt.status, "ok")))
        # What was over and was taken up again later did not wait in between.
        waits = attempt.retry_at is not None or attempt.status not in {"failed", "succeeded"}
    if node.status == "retry_wait":
        pieces.append(
            Piece(pieces[-1].end if pieces else now, max(now, pieces[-1].end), "waiting", wait=True)
        )
    return pieces


def _call(row: CallRef, scene: Scene) -> Cells:
    glyphs, call = scene.glyphs, row.call
    line = _guides(row, scene)
    flowing = scene.call_streaming(row.node.path, row.attempt.n, call.n)
    style = STYLE.get(call.status, "")
    if flowing and call.status == "running":
        line.add(glyphs.streaming, style)
    else:
        line.add(glyphs.status_of(call.status), style).add(" ")
    line.add(f"llm.chat #{call.n}")
    if len(row.node.attempts) > 1:
        line.add(f"  try {row.attempt.n}", "note")
    if call.error is not None:
        line.add("  ").say(call.error.message, "note.bad")
    elif flowing and call.status == "running":
        line.add("  stream", "note")
    if line.width + 4 < scene.columns.step:
        line.add("  ").say(fmt.model(call.model), "faint")
    tokens = call.usage.total_tokens if call.usage is not None else 0
    unpriced = call.cost is not None and call.cost.micro_usd is None
    cost = money(call.cost.micro_usd if call.cost is not None else None, unpriced, glyphs)
    if call.status == "running" and call.reserved:
        cost = (f"({fmt.usd(call.reserved)})", "faint")  # reserved, not spent
    _columns(
        line,
        scene,
        None,
        time=elapsed(call.started_at, call.finished_at, scene.now),
        tokens=_tokens(tokens, flowing if call.status == "running" else 0),
        cost=cost,
    )
    end = call.finished_at if call.finished_at is not None else scene.now
    return _bar(line, scene, [Piece(call.started_at, end, f"call.{STYLE.get(call.status, 'ok')}")])


def _tool(row: ToolRef, scene: Scene) -> Cells:
    tool = row.tool
    status = tool_status(tool)
    line = _guides(row, scene)
    line.add(scene.glyphs.status_of(status), STYLE[status]).add(" ").say(tool_title(tool))
    if said := tool_said(tool):
        line.add("  ").say(said, "note.bad" if status == "failed" else "note")
    _columns(
        line,
        scene,
        None,
        time=elapsed(tool.started_at, tool.finished_at, scene.now),
        tokens="",
        cost=("", ""),
    )
    end = tool.finished_at if tool.finished_at is not None else scene.now
    return _bar(line, scene, [Piece(tool.started_at, end, f"call.{STYLE[status]}")])


def crumbs(path: str, workflow: str, glyphs: Glyphs, width: int) -> str:
    """`research ▸ gather ▸ read_papers`, cut in the middle where it is too long."""
    parts = [workflow, *(p for p in path.split("/") if p)]
    text = glyphs.path.join(parts)
    left_out = 0
    while width_of(text) > width and left_out < len(parts) - 2:
        left_out += 1
        text = glyphs.path.join((parts[0], glyphs.ellipsis, *parts[1 + left_out :]))
    return text if width_of(text) <= width else fit(text, width, ellipsis=glyphs.ellipsis)
