"""Two runs side by side: outputs, then steps with what each took. Pure; see `domain.views.diff_object`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Literal

from aethermind.domain import views
from aethermind.domain.run import Run
from aethermind.infra.sanitize import clean
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line
from aethermind.tui.rows.draw import STYLE

Json = Any
Side = dict[str, Json]
Cell = Callable[[Side], str]
COMPARED = ("status", "output_same", "attempts", "tokens", "cost_micro_usd", "unpriced_calls")
"""What makes two steps differ. Time alone does not: it is never the same twice."""


@dataclass(frozen=True)
class Pair:
    """An output or a step of both runs; a side that has none is None."""

    kind: Literal["output", "step"]
    name: str
    left: Json
    right: Json
    same: bool
    """Nothing but, perhaps, the time differs."""
    output_same: bool
    taken_over: bool = False
    """One of the runs is a fork that has it from an earlier one."""


def pairs(left: Run, right: Run) -> list[Pair]:
    """Outputs, then steps in the order of the tree."""
    found = views.diff_object(left, right)
    rows = [Pair("output", o["name"], o["left"], o["right"], o["same"], o["same"]) for o in found["outputs"]]
    for step in found["steps"]:
        one, other = step["left"], step["right"]
        both = one is not None and other is not None
        same = both and one["output_same"] and all(one[name] == other[name] for name in COMPARED)
        taken = step["taken_over"]
        alike = both and one["output_same"]
        rows.append(Pair("step", step["id"], one, other, same or taken, alike, taken))
    return rows


def outcome(run: Run, mark: str, width: int, glyphs: Glyphs, *, beside: Run | None = None) -> Cells:
    """One run in a line: `- r_8f1e research ✓ succeeded 03:10 $0.4127 41.2k tok`. With `beside` also how much
    more or less it took than that one.
    """
    line = Line(ellipsis=glyphs.ellipsis)
    status, tally = run.status, run.tally
    line.add(f" {mark} ", "failed" if mark == "-" else "ok").say(run.id[:6], "id", width=7)
    line.say(run.created.workflow, "strong").add("  ")
    line.add(f"{glyphs.status_of(status)} {status}", STYLE.get(status, ""))
    took = views.duration(run.created_at, run.finished_at)
    line.add("  ").add(fmt.duration(took) or glyphs.dash, "time")
    line.add("  ").add(
        (glyphs.at_least if tally.unpriced and tally.cost else "") + fmt.usd(tally.cost, unknown=glyphs.dash),
        "money",
    )
    if run.created.simulated:
        line.add(" sim", "sim")
    line.add("  ").add(f"{fmt.short(tally.usage.total_tokens)} tok", "tokens")
    if beside is not None:
        before = views.duration(beside.created_at, beside.finished_at)
        if took is not None and before is not None:
            line.add("  ").add(signed(took - before, fmt.duration), "faint")
        if (
            tally.cost is not None
            and beside.tally.cost is not None
            and run.created.simulated == beside.created.simulated
        ):
            line.add("  ").add(signed(tally.cost - beside.tally.cost, fmt.usd), "faint")
    if run.created.forked_from is not None:
        line.add("  fork of ", "faint").say(run.created.forked_from, "id")
    return line.to(width).cells


def signed(delta: int, tell: Callable[[int], str]) -> str:
    """`+1.2s`, `-$0.0300`, `=`."""
    if not delta:
        return "="
    return ("+" if delta > 0 else "-") + tell(abs(delta))


# --- rows ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Columns:
    """Widths in cells; 0 leaves a column out."""

    name: int
    status: int
    output: int
    tries: int
    time: int
    tokens: int
    cost: int

    @staticmethod
    def of(width: int) -> Columns:
        if width >= 110:
            return Columns(width - 88, 24, 9, 8, 16, 14, 17)
        if width >= 74:
            return Columns(width - 50, 0, 9, 8, 16, 0, 17)
        return Columns(max(width - 41, 10), 0, 9, 0, 15, 0, 17)


def head(width: int) -> Cells:
    columns = Columns.of(width)
    line = Line().field(" OUTPUTS AND STEPS", columns.name, "head")
    for name, size in (
        ("STATUS", columns.status), ("OUTPUT", columns.output), ("TRIES", columns.tries),
        ("TIME", columns.time), ("TOK", columns.tokens), ("COST", columns.cost),
    ):  # fmt: skip
        if size:
            line.field(name, size, "head")
    return line.to(width).cells


def cells(pair: Pair, width: int, glyphs: Glyphs) -> Cells:
    columns = Columns.of(width)
    line = Line(ellipsis=glyphs.ellipsis)
    sign, style = _sign(pair)
    line.add(f" {sign} ", style)
    name = f"{pair.name} (output)" if pair.kind == "output" else pair.name
    line.say(name, "faint" if pair.same else "strong", width=columns.name - 4).add(" ")
    gone = pair.kind == "step" and (pair.left is None or pair.right is None)
    if columns.status:
        told = _both(pair, lambda side: str(side["status"]), glyphs) if pair.kind == "step" else ""
        line.field(told, columns.status, "" if not pair.same else "faint")
    word = "" if gone else "same" if pair.output_same else "differs"
    line.field(word, columns.output, "faint" if pair.output_same else "note")
    if pair.kind == "output":
        return line.to(width).cells
    if columns.tries:
        tries = "kept" if pair.taken_over else _both(pair, lambda side: str(side["attempts"]), glyphs)
        line.field(tries, columns.tries, "time")
    line.field(_both(pair, lambda side: fmt.duration(side["duration_ms"]), glyphs), columns.time, "time")
    if columns.tokens:
        line.field(_both(pair, _tokens, glyphs), columns.tokens, "tokens")
    line.field(_both(pair, _cost(glyphs), glyphs), columns.cost, "money")
    return line.to(width).cells


def _sign(pair: Pair) -> tuple[str, str]:
    if pair.taken_over:
        return " ", ""
    if pair.kind == "step" and pair.right is None:
        return "-", "failed"
    if pair.kind == "step" and pair.left is None:
        return "+", "ok"
    return (" ", "") if pair.same else ("*", "note")


def _both(pair: Pair, tell: Cell, glyphs: Glyphs) -> str:
    """Once if both say the same, else with an arrow between."""
    one, other = (
        (tell(side) or glyphs.dash) if side is not None else glyphs.dash for side in (pair.left, pair.right)
    )
    return one if one == other else f"{one} {'->' if glyphs.ascii else '→'} {other}"


def _tokens(side: Side) -> str:
    return fmt.short(side["tokens"]) if side["tokens"] else ""


def _cost(glyphs: Glyphs) -> Cell:
    def tell(side: Side) -> str:
        cost, unpriced = side["cost_micro_usd"], side["unpriced_calls"]
        if cost is None:
            return "unpriced" if unpriced else ""
        return (glyphs.at_least if unpriced else "") + fmt.usd(cost)

    return tell


def text_diff(one: str, other: str, names: tuple[str, str]) -> list[str]:
    """A unified diff of two texts, cleaned; empty if they read the same."""
    before, after = clean(one).splitlines(), clean(other).splitlines()
    return list(unified_diff(before, after, *names, lineterm=""))
