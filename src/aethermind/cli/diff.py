"""`aethermind diff`."""

from __future__ import annotations

from difflib import unified_diff
from functools import partial
from typing import Any

import click

from aethermind.cli import streams, text
from aethermind.cli.ending import cost_line
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.session import compose, engine_of
from aethermind.cli.show import find
from aethermind.domain import views
from aethermind.domain.run import Run
from aethermind.domain.state import RunStatus
from aethermind.infra.sanitize import clean, clean_line

Json = Any
COMPARED = ("status", "output_same", "attempts", "tokens", "cost_micro_usd")
"""What makes two steps differ. Time alone does not: it is never the same twice."""
COLOURS = {"+": 32, "-": 31, "@": 36}


@verb("diff")
@click.argument("left", metavar="RUN")
@click.argument("right", metavar="RUN")
@click.option("--all", "everything", is_flag=True, help="Also the steps and outputs that are the same.")
@as_json
@click.pass_obj
def command(given: Given, left: str, right: str, everything: bool, as_json: bool) -> int:
    """Compare two runs: their outputs, and what their steps took."""
    with engine_of(compose(given), look=True) as engine:
        pair = [engine.call(partial(find, ref=ref)).result() for ref in (left, right)]
    found = views.diff_object(pair[0][0], pair[1][0])
    for shown, (_, status) in zip(found["runs"], pair, strict=True):
        shown["status"] = status
    if as_json:
        streams.say(text.json_line(found))
        return 0
    for mark, (run, status) in zip("-+", pair, strict=True):
        streams.say(_head(mark, run, status))
    _print_outputs(found, everything=everything)
    _print_steps(found["steps"], everything=everything)
    return 0


def _head(mark: str, run: Run, status: RunStatus) -> str:
    parts = [run.id, clean_line(run.created.workflow), text.paint(status, status, streams.OUT)]
    if spent := text.took(views.duration(run.created_at, run.finished_at)):
        parts.append(spent)
    if run.tally.calls:
        parts.append(cost_line(run))
    elif run.created.simulated:
        parts.append("sim")
    if run.created.forked_from is not None:
        parts.append(f"fork of {run.created.forked_from}")
    return f"{mark} {'  '.join(parts)}"


def _print_outputs(found: dict[str, Json], *, everything: bool) -> None:
    ids = [run["id"] for run in found["runs"]]
    same = [clean_line(output["name"]) for output in found["outputs"] if output["same"]]
    for output in found["outputs"]:
        if output["same"]:
            continue
        name = clean_line(output["name"])
        streams.say()
        before, after = (clean(text.as_text(output[side])).splitlines() for side in ("left", "right"))
        lines = unified_diff(before, after, f"{name} ({ids[0]})", f"{name} ({ids[1]})", lineterm="")
        told = False
        for line in lines:
            told = True
            streams.say(_painted(line))
        if not told:  # a text and a value that reads the same
            kinds = [type(output[side]).__name__ for side in ("left", "right")]
            streams.say(f"{name}: reads the same, but is {kinds[0]} here and {kinds[1]} there")
    if same and (everything or len(same) == len(found["outputs"])):
        streams.say(f"\nthe same: {', '.join(same)}")


def _painted(line: str) -> str:
    code = COLOURS.get(line[:1])
    return f"\x1b[{code}m{line}\x1b[0m" if code is not None and streams.colours(streams.OUT) else line


def _print_steps(steps: list[dict[str, Json]], *, everything: bool) -> None:
    rows = [_row(step) for step in steps if everything or _differs(step)]
    streams.say()
    if rows:
        heads = ["STEP", "STATUS", "OUTPUT", "TRIES", "TIME", "TOKENS", "COST"]
        text.show_table(heads, rows)
    if left_out := len(steps) - len(rows):
        streams.say(f"{left_out} {'more ' if rows else ''}step{'s' if left_out > 1 else ''} the same")


def _differs(step: dict[str, Json]) -> bool:
    left, right = step["left"], step["right"]
    if step["taken_over"]:
        return False
    if left is None or right is None:
        return True
    return not left["output_same"] or any(left[name] != right[name] for name in COMPARED)


def _row(step: dict[str, Json]) -> list[str]:
    sides = [step["left"], step["right"]]
    both = all(side is not None for side in sides)
    arrow = " → " if streams.unicode_fits(streams.OUT) else " -> "
    none = "—" if streams.unicode_fits(streams.OUT) else "-"

    def cell(told: list[str]) -> str:
        return told[0] if told[0] == told[1] else arrow.join(told)

    def side_by_side(tell: Any) -> str:
        return cell([none if side is None else tell(side) or none for side in sides])

    return [
        step["id"],
        side_by_side(lambda side: side["status"]),
        ("same" if sides[0]["output_same"] else "differs") if both else none,
        "taken over" if step["taken_over"] else side_by_side(lambda side: str(side["attempts"])),
        side_by_side(lambda side: text.took(side["duration_ms"])),
        side_by_side(lambda side: text.tokens(side["tokens"]) if side["tokens"] else ""),
        side_by_side(_cost),
    ]


def _cost(side: dict[str, Json]) -> str:
    micro, unpriced = side["cost_micro_usd"], side["unpriced_calls"]
    return text.money(micro, unpriced=unpriced) if micro is not None or unpriced else ""
