"""Hostile texts through every pane and screen of the real program: what of them reaches the terminal?"""

from __future__ import annotations

import re

from bench.engine.goals import Line
from bench.tui.large import SCREENS
from bench.tui.plan import Plan
from bench.tui.session import KEYS, Session
from tests.hostile import HOSTILE, UNSAFE

OURS = re.compile(
    r"\x1b\[[0-9;:]*[mHrKn]|\x1b\[\?\d+(?:;\d+)*[hl]|\x1b\[\?\d+\$p|\x1b\[2J|\x1b\[[<>=]?\d*u"
    r"|\x1b\]22;[a-z-]*\x07"  # the shape of the mouse pointer
)
"""What the program itself says to a terminal."""
QUIET_S = 0.15
PAGES = 12


def lines(plan: Plan) -> list[Line]:
    with Session() as session:
        session.ready()
        begin = session.tty.mark
        visited = 0
        for run in session.ask("hostile")["runs"]:
            session.ask("open", run)
            session.tty.settle(QUIET_S)
            session.quiet()
            visited += _walk(session)
        session.tty.settle()
        written = session.tty.raw(begin).decode("utf-8", "replace")
    rest = OURS.sub("", written).replace("\r\n", "").replace("\n", "").replace("\r", "")
    bad = [found.group() for found in UNSAFE.finditer(rest)]
    # Colours and cursor moves look like ours: these are looked for as they were given.
    whole = [text for text in HOSTILE if re.search("\x1b\\[.*[A-Za-z]", text) and text in written]
    note = f"{len(HOSTILE)} texts in logs, outputs, errors, names; {visited} screens, {len(written):,} bytes"
    if bad or whole:
        note += f"; {sorted(set(bad))[:5]!r} {whole[:3]!r}"
    return [
        Line(
            part="hostile",
            what="unsafe bytes on the terminal",
            measured=len(bad) + len(whole),
            goal=0,
            note=note,
        )
    ]


def _walk(session: Session) -> int:
    """Every screen, from top to bottom."""
    visited = 0
    for screen in SCREENS:
        for key in screen.before:
            session.tty.type(key)
            session.tty.settle(QUIET_S)
        session.tty.type(session.typed(screen.action))
        session.tty.settle(QUIET_S)
        visited += 1
        for _ in range(PAGES):
            mark = session.tty.mark
            session.tty.type(KEYS["pagedown"])
            session.tty.settle(QUIET_S)
            if session.tty.mark == mark:
                break
        if screen.shown == "MainScreen":
            session.tty.type("z")
        session.tty.settle(QUIET_S)
        session.quiet()
    return visited
