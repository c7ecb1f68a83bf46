"""The tree of a run's steps as plain lines, for `show` and for the end of `run`."""

from __future__ import annotations

from collections.abc import Sequence

from aethermind.cli import streams, text
from aethermind.domain import views
from aethermind.domain.run import Run
from aethermind.domain.tree import TreeRow, tree_of
from aethermind.infra.sanitize import clean_line


def guides(row: TreeRow, *, unicode: bool) -> str:
    """`│ ├ ` before a row of the tree; nothing at its top level."""
    bar, fork, end = ("│ ", "├ ", "└ ") if unicode else ("| ", "|-", "`-")
    if not row.depth:
        return ""
    above = "".join(bar if more else "  " for more in row.rails[1:-1])
    return above + (fork if row.rails[-1] else end)


def print_tree(run: Run, *, limit: int) -> None:
    """Print the steps on stdout: what, how it went, time, tokens, cost."""
    tree = tree_of(run, limit=limit)
    if streams.PLAIN.is_set():
        for row in tree.rows:
            streams.say(spoken(row))
    else:
        _draw(tree.rows)
    if tree.hidden:
        streams.say(f"… {tree.hidden} more steps: aethermind show {run.id} --tree")


def spoken(row: TreeRow) -> str:
    """A row for whoever has it read aloud: `  gather, running, 21.0s, 9.9k tokens, $0.0912`."""
    spent = text.took(views.duration(row.started_at, row.finished_at))
    cost = text.money(row.cost_micro_usd, unpriced=row.unpriced) if row.tokens or row.unpriced else ""
    parts = [
        clean_line(row.label),
        row.status.replace("_", " "),
        clean_line(row.note),
        spent,
        f"{text.tokens(row.tokens)} tokens" if row.tokens else "",
        cost,
    ]
    return "  " * row.depth + ", ".join(part for part in parts if part)


def _draw(rows: Sequence[TreeRow]) -> None:
    unicode = streams.unicode_fits(streams.OUT)
    left: list[tuple[str, str, str]] = []
    right: list[tuple[str, str, str]] = []
    for row in rows:
        note = f"  {clean_line(row.note)}" if row.note else ""
        left.append((guides(row, unicode=unicode), row.status, f"{clean_line(row.label)}{note}"))
        cost = text.money(row.cost_micro_usd, unpriced=row.unpriced) if row.tokens or row.unpriced else ""
        spent = text.took(views.duration(row.started_at, row.finished_at))
        right.append((spent, text.tokens(row.tokens) if row.tokens else "", cost))
    width = max((len(g) + 2 + text.width(t) for g, _, t in left), default=0)
    sizes = [max((len(cells[i]) for cells in right), default=0) for i in range(3)]
    for (rails, status, told), cells in zip(left, right, strict=True):
        mark = text.paint(text.glyph(status, unicode=unicode), status, streams.OUT)
        gap = " " * (width - len(rails) - 2 - text.width(told))
        figures = "  ".join(cell.rjust(size) for cell, size in zip(cells, sizes, strict=True))
        streams.say(f"{rails}{mark} {told}{gap}  {figures}".rstrip())
