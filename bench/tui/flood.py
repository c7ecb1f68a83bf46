"""The screen beside an engine that never rests: keys, bytes, stalls, and what it costs the engine."""

from __future__ import annotations

import time
from typing import Any

from bench.engine.goals import Line, median, quantile
from bench.tui.plan import Plan
from bench.tui.session import Session

EVENTS = 20_000
"""A second."""
LOGS = 20_000
LOGS_AT_MOST = 180_000
"""Of one run: after 200,000 the store keeps none."""
ITEMS = 200_000
"""Of the run that emits the events: it is not to come to its end meanwhile."""
KEY_GOAL_EVENTS_MS, KEY_GOAL_LOGS_MS = 50.0, 25.0
STALL_GOAL_MS = 100.0
SLOWDOWN_GOAL = 0.15
UNREAD_S = 6.0
SLOW_LINE = 20_000


def keys(plan: Plan) -> list[Line]:
    """Key to paint, idle and under both floods."""
    made: list[Line] = []
    with Session() as session:
        session.ready()
        made.append(_keys("key → paint p95, idle", session.keys(plan.keys // 2), None, ""))
        session.ask("events", EVENTS, ITEMS)
        found, note = _flooded(session, plan)
        made.append(_keys("key → paint p95, 20,000 events/s", found, KEY_GOAL_EVENTS_MS, note))
        session.quiet()
        found = []
        while len(found) < plan.keys:
            session.ask("logs", LOGS)
            began = time.perf_counter()
            more, note = _flooded(session, plan, until=began + LOGS_AT_MOST / LOGS - 1)
            found += more
            session.quiet()
        made.append(_keys("key → paint p95, 20,000 log lines/s", found, KEY_GOAL_LOGS_MS, note))
    return made


def _keys(what: str, found: list[float], goal: float | None, note: str) -> Line:
    told = f"p50 {median(found):.1f} ms, worst {max(found):.0f}, {len(found)} keys"
    return Line(
        part="keys",
        what=what,
        measured=quantile(found, 0.95),
        unit="ms",
        goal=goal,
        note=f"{told}; {note}" if note else told,
    )


def _flooded(session: Session, plan: Plan, *, until: float = float("inf")) -> tuple[list[float], str]:
    """Keys while something floods; and how much came through meanwhile."""
    time.sleep(1.5)  # until it flows evenly
    before = session.ask("beat")
    found: list[float] = []
    while len(found) < plan.keys and time.perf_counter() < until:
        found += session.keys(2)
    after = session.ask("beat")
    return (
        found,
        f"{_per_s(before, after, 'made'):,.0f}/s made, {_per_s(before, after, 'received'):,.0f} shown",
    )


def _per_s(before: dict[str, Any], after: dict[str, Any], what: str) -> float:
    return float((after[what] - before[what]) / (after["at"] - before["at"]))


def traffic(plan: Plan) -> list[Line]:
    """Bytes a second, at 120×40."""
    made: list[Line] = []
    for ssh, flood_goal in ((False, 45.0), (True, 22.0)):
        with Session(ssh=ssh) as session:
            session.ready()
            hz = f"{session.ask('screen')['hz']:g} Hz"
            if not ssh:
                time.sleep(5)  # a first toast has gone
                session.tty.settle()
                made.append(_bytes("idle", session, plan, 0.0))
                session.ask("events", 20, ITEMS)
                time.sleep(2)
                made.append(_bytes("20 events/s", session, plan, 2.0))
                session.quiet()
            session.ask("events", EVENTS, ITEMS)
            time.sleep(1.5)
            made.append(_bytes(f"20,000 events/s, {hz}", session, plan, flood_goal))
            session.quiet()
            session.ask("logs", LOGS)
            time.sleep(1.5)
            made.append(_bytes(f"20,000 log lines/s, {hz}", session, plan, flood_goal))
            session.tty.type("4z")
            time.sleep(0.5)
            made.append(_bytes(f"the same, logs on the whole screen, {hz}", session, plan, None))
            session.quiet()
    return made


def _bytes(what: str, session: Session, plan: Plan, goal: float | None) -> Line:
    began = time.perf_counter()
    time.sleep(plan.seconds if goal is not None else min(plan.seconds, 2.0))
    rate = session.tty.taken(began) / (time.perf_counter() - began) / 1_000
    return Line(part="bytes", what=what, measured=rate, unit="kB/s", goal=goal)


def stall(plan: Plan) -> list[Line]:
    """The terminal is not read for a while, with much to show."""
    with Session() as session:
        session.ready()
        session.ask("logs", LOGS / 2)
        time.sleep(1.5)
        session.tty.stop_reading()
        session.tty.type("zz")
        before = session.ask("beat")
        time.sleep(UNREAD_S)
        after = session.ask("beat")
        session.tty.go_on_reading()
        session.quiet()
    note = (
        f"{_per_s(before, after, 'made'):,.0f} of {LOGS / 2:,.0f} lines/s made, "
        f"the screen's own loop {after['ui_stall_ms']:.0f} ms"
    )
    return [
        Line(
            part="stall",
            what=f"the engine's longest, terminal unread for {UNREAD_S:g} s",
            measured=after["engine_stall_ms"],
            unit="ms",
            goal=STALL_GOAL_MS,
            note=note,
        )
    ]


def slowdown(plan: Plan) -> list[Line]:
    """Events per CPU second of the whole process, with the screen and without, round by round."""
    made = []
    for shape, what in (
        ("crowd", "many small runs"),
        ("vast", "a run of 50,000 steps, watched"),
        ("wide", "runs of 5,000 steps, one after the other opened, below the card of the first"),
    ):
        alone: list[dict[str, Any]] = []
        shown: list[dict[str, Any]] = []
        for _ in range(min(plan.rounds, 3)):
            for found, options in ((alone, ["--headless"]), (shown, [])):
                with Session(*options) as session:
                    if not options:
                        session.ready()
                    session.ask("saturate", 1, shape)
                    found.append(session.ask("saturate", plan.seconds, shape))
        speed = [median([one["events_per_cpu_s"] for one in found]) for found in (alone, shown)]
        wall = [median([one["events_per_s"] for one in found]) for found in (alone, shown)]
        made.append(
            Line(
                part="slowdown",
                what=f"of the engine by the screen, saturated: {what}",
                measured=1 - speed[1] / speed[0],
                unit="%",
                goal=SLOWDOWN_GOAL,
                note=f"{speed[0]:,.0f} → {speed[1]:,.0f} events/CPU s, {wall[0]:,.0f} → {wall[1]:,.0f}/s",
            )
        )
    return made


def slow_line(plan: Plan) -> list[Line]:
    """A line of 20 kB/s, and more to show than fits into it."""
    made = []
    for options, ssh, what in (
        ([], False, ""),
        ([], True, " over SSH"),
        (["--low-bandwidth"], True, " --low-bandwidth"),
    ):
        with Session(*options, ssh=ssh, bytes_per_s=SLOW_LINE) as session:
            session.ready()
            session.ask("logs", LOGS / 2)
            time.sleep(4)
            before, began = session.ask("beat"), time.perf_counter()
            found = session.keys(max(plan.keys // 5, 20), pause_s=0.3)
            after = session.ask("beat")
            rate = session.tty.taken(began) / (time.perf_counter() - began) / 1_000
            hz = session.ask("screen")["hz"]
            session.quiet()
        note = (
            f"p50 {median(found):.0f} ms, worst {max(found):.0f}; {rate:.1f} kB/s at {hz:.2g} Hz; "
            f"{_per_s(before, after, 'made'):,.0f} of {LOGS / 2:,.0f} lines/s, "
            f"engine's longest stall {after['engine_stall_ms']:.0f} ms"
        )
        made.append(
            Line(
                part="slow line",
                what=f"key → paint p95 at 20 kB/s{what}",
                measured=quantile(found, 0.95),
                unit="ms",
                note=note,
            )
        )
    return made
