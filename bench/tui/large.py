"""Large things: each screen opens, and scrolls, with a run of 10,000 steps and 100,000 log lines beside 5,000
past runs. A screen is open when the last of its first picture has come.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from bench.engine import past
from bench.engine.goals import Line, median, quantile
from bench.tui.plan import Plan
from bench.tui.session import KEYS, Session
from bench.tui.tty import PATIENCE_S, Picture

OPEN_GOAL_MS = 300.0
SCROLL_GOAL_MS = 50.0
"""Promise 5 of the product: keys answer in under 50 ms."""
QUIET_S = 0.3
STEPS = "jjjjjjjjkkkk"
OLDEST = "kkkkkkkkjjjj"


class Screen(NamedTuple):
    name: str
    action: str
    shown: str
    """The class of the screen that is to be on top."""
    before: str = ""
    """Keys typed on the main screen, in its trace, so that the action means something."""


SCREENS = (
    Screen("full log", "view.zoom", "MainScreen", before="4"),
    Screen("trace unfolded, zoomed", "view.zoom", "MainScreen", before="3+"),
    Screen("start form's picker", "run.start", "PickerScreen"),
    Screen("step detail", "run.open", "DetailScreen", before="3j"),
    Screen("layers", "screen.layers", "LayersScreen"),
    Screen("spending", "screen.bill", "BillScreen"),
    Screen("inbox", "screen.inbox", "InboxScreen"),
    Screen("replay", "run.replay", "ReplayScreen"),
    Screen("settings", "screen.settings", "SettingsScreen"),
    Screen("help", "global.help", "HelpScreen"),
)


def lines(plan: Plan) -> list[Line]:
    made: list[Line] = []
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory) / "large.db"
        other, run = _make(plan, database)
        with Session(database=database) as session:
            session.ready()
            made.append(_main(session, run))
            for screen in SCREENS:
                try:
                    made += _screen(session, screen)
                except RuntimeError as error:
                    made.append(_failed(screen.name, error))
                    _back(session)
            made.append(_compare(session, other))
            _back(session)
            session.tty.type("2")
            session.tty.settle(QUIET_S)
            made += _scroll(session, "list of runs")
            made += _past(session, plan)
    return made


def _past(session: Session, plan: Plan) -> list[Line]:
    """To the oldest of the past runs, and up and down there."""
    mark, began = session.tty.mark, session.tty.type("G")
    while (listed := session.ask("screen")["runs"]) < plan.past_runs:
        if time.perf_counter() - began > PATIENCE_S:
            return [_failed("past runs", RuntimeError(f"{listed} of {plan.past_runs} were listed"))]
        time.sleep(0.005)
    ended = session.tty.settle(QUIET_S)
    note = f"{len(session.tty.raw(mark)) / 1_000:.1f} kB"
    made = [_open(f"end of {listed:,} runs", (ended - began) * 1_000, note)]
    return [*made, *_scroll(session, f"list of {listed:,} runs", keys=OLDEST)]


def _make(plan: Plan, database: Path) -> tuple[str, str]:
    """A database with two large runs; their ids."""
    with Session("--headless", database=past.cached(plan.past_runs, 0)) as session:
        other = session.ask("many", plan.steps, 100)["run"]
        run = session.ask("many", plan.steps, plan.log_lines)["run"]
        session.ask("leave")
        session.tty.process.wait(PATIENCE_S)
        with sqlite3.connect(session.database) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        shutil.copyfile(session.database, database)
    return other, run


def _loaded(session: Session) -> float:
    """Until all log lines of the open run are there; returns when."""
    while not session.ask("screen")["loaded"]:
        time.sleep(0.05)
    at = time.perf_counter()
    session.quiet()
    return at


def _main(session: Session, run: str) -> Line:
    mark, began = session.tty.mark, time.perf_counter()
    session.ask("open", run)
    while session.ask("screen")["run"] != run:
        time.sleep(0.01)
    loaded = _loaded(session)
    session.tty.settle(QUIET_S)
    picture = Picture(session.tty.columns, session.tty.rows)
    picture.take(session.tty.chunks[:mark])
    head = run[:8]
    shown = picture.first(session.tty.chunks[mark:], lambda text: head in text.partition("\n")[0])
    if shown is None:
        return _failed("main", RuntimeError(picture.text()))
    counts = session.ask("screen")
    note = (
        f"{counts['nodes'] - 1:,} steps, {counts['logs']:,} log lines, {counts['runs']:,} runs listed; "
        f"the last line read after {(loaded - began) * 1_000:,.0f} ms"
    )
    return _open("main", (shown - began) * 1_000, note)


def _open(name: str, ms: float, note: str = "") -> Line:
    return Line(part="large", what=f"{name} opens", measured=ms, unit="ms", goal=OPEN_GOAL_MS, note=note)


def _failed(name: str, error: RuntimeError) -> Line:
    return Line(part="large", what=f"{name}: failed", measured=1, goal=0, note=str(error)[:300])


def _screen(session: Session, screen: Screen) -> list[Line]:
    for key in screen.before:
        session.tty.type(key)
        session.tty.settle(QUIET_S)
    key = session.typed(screen.action)
    took, sizes = [], []
    for n in range(3):
        mark, began = session.tty.mark, session.tty.type(key)
        ended = session.tty.settle(QUIET_S)
        took.append((ended - began) * 1_000)
        sizes.append(len(session.tty.raw(mark)))
        now = session.ask("screen")["screen"]
        if now != screen.shown:
            raise RuntimeError(f"{screen.name}: {now} came in place of {screen.shown}")
        if n < 2:
            _close(session, screen)
    note = f"the first time {took[0]:.0f} ms; {sizes[0] / 1_000:.1f} kB"
    made = [_open(screen.name, median(took), note), *_scroll(session, screen.name)]
    _close(session, screen)
    return made


def _close(session: Session, screen: Screen) -> None:
    if screen.shown == "MainScreen":
        session.tty.type("z")
        session.tty.settle(QUIET_S)
    else:
        _back(session)


def _back(session: Session) -> None:
    for _ in range(5):
        if session.ask("screen")["screen"] == "MainScreen":
            return
        session.tty.type(KEYS["escape"])
        session.tty.settle(QUIET_S)
    raise RuntimeError("there is no way back to the main screen")


def _compare(session: Session, other: str) -> Line:
    """Both large runs marked, one after the other."""
    session.ask("act", "run.mark")
    session.ask("open", other)
    _loaded(session)
    key = session.typed("run.mark")
    began = session.tty.type(key)
    ended = session.tty.settle(QUIET_S)
    now = session.ask("screen")["screen"]
    if now != "CompareScreen":
        return _failed("comparison", RuntimeError(f"{now} came"))
    return _open("comparison of two such runs", (ended - began) * 1_000)


def _scroll(session: Session, name: str, *, keys: str = STEPS) -> list[Line]:
    """Rows and pages up and down; keys that change nothing (an end was reached) don't count."""
    found: list[float] = []
    for key in (*keys, *[KEYS[page] for page in ("pagedown", "pageup")] * 6):
        mark, typed = session.tty.mark, session.tty.type(key)
        session.tty.settle(0.06)
        if session.tty.mark > mark:
            found.append((session.tty.chunks[mark].at - typed) * 1_000)
    if len(found) < 4:
        return []
    return [
        Line(
            part="large",
            what=f"{name} scrolls, p95",
            measured=quantile(found, 0.95),
            unit="ms",
            goal=SCROLL_GOAL_MS,
            note=f"p50 {median(found):.1f} ms, {len(found)} keys",
        )
    ]
