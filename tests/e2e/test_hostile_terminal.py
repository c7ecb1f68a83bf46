"""What a run says changes nothing on the terminal but the rows it belongs to."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from tests.e2e.terminal import Terminal, terminal
from tests.hostile import HOSTILE, UNSAFE

# Each on one line, and each would change something elsewhere.
ATTACKS = (
    "\x1b[2J\x1b[H wiped",
    "\x1b[1;1H\x1b[31mat the top",
    "\x1b[3A\x1b[2Kover there",
    "\x1b[?1049l\x1b[?25hleft",
    "\x1bc reset",
    "\x1b[1;5r\x1b[4hscrolled",
    "\x1b]0;owned\x07title",
    "\x1b]52;c;cm0gLXJmIH4K\x07clipboard",
    "\x1b]8;;file:///etc/passwd\x1b\\link\x1b]8;;\x1b\\",
    "\x1bPq#0;2;0;0;0~-\x1b\\ picture",
    "\x1b[6n\x1b[c asked",
    "\x9b2J\x9d0;owned\x9c in one character",
    "\x08\x08\x08\x08back\x07\x0e\x0f",
    "\u202egnp.exe \u2066mirrored",
    "pay\u200bpal\ufeff",
    "[/x] [bold red]loud[/] [@click=app.quit]quit[/]",
    "z" + "\u0335\u0321\u034e" * 20 + " stacked",
)
TALK = """\
import sys
sys.path.insert(0, ROOT)
from tests.hostile import HOSTILE
from tests.e2e.test_hostile_terminal import ATTACKS

def say(*lines):
    for line in lines:
        sys.stdout.buffer.write(line.encode("utf-8", "surrogatepass") + b"\\n")
    sys.stdout.buffer.flush()

say("all quiet")
open("first").read()
say(*(f"A{number} {attack} Z{number}" for number, attack in enumerate(ATTACKS)), "attacked")
open("second").read()
say(*HOSTILE, "all said")
open("third").read()
"""
OWN = re.compile(
    r"\x1b\[[0-9;:]*m"  # colours
    r"|\x1b\[[0-9]+;[0-9]+H"  # to a place
    r"|\x1b\[\?(1049|1000|1003|1015|1006|1004|2004|2026|25|7)[hl]"  # modes of the whole screen
    r"|\x1b\[(>25|<)u"  # the keyboard
    r"|\x1b\[\?(2026|2048)\$p"  # whether there are two further modes
    r"|\x1b\]22;[a-z]*\x07"  # the shape of the mouse pointer
    r"|\r\n"
)
"""What the screen sends of itself."""


def masked(row: str) -> str:
    """A row without what time changes: figures, bars, glyphs of progress."""
    return re.sub(r"[\d.:]+(ms|s)?|[▁▂▃▄▅▆▇█▉▊▋▌▍▎▏░]+|─+|\s+", " ", row)


def pane(screen: Terminal) -> tuple[int, int]:
    """First and last row of the logs' frame."""
    rows = screen.rows
    first = next(number for number, row in enumerate(rows) if "4 Logs" in row)
    return first, next(number for number in range(first, len(rows)) if "╰" in rows[number])


def around(screen: Terminal) -> list[str]:
    """All rows outside of the logs, without what time changes."""
    first, last = pane(screen)
    return [masked(row) for row in [*screen.rows[: first + 1], *screen.rows[last:]]]


def test_nothing_that_a_program_prints_acts_on_the_screen(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    (tmp_path / "talk.py").write_text(TALK.replace("ROOT", repr(str(root))))
    (tmp_path / "talk.yaml").write_text(
        "name: talk\nsteps:\n"
        f"  - {{id: talk, run: ['{sys.executable}', talk.py]}}\n"
        "outputs: {said: '{{ talk }}'}\n"
    )
    gates = [tmp_path / name for name in ("first", "second", "third")]
    for gate in gates:
        os.mkfifo(gate)
    with terminal("run", "talk.yaml", "--trust", "--tui", cwd=tmp_path, columns=120, lines=90) as screen:
        screen.shows("all quiet")
        screen.shows("x cancel")  # a step is selected, and its keys are drawn
        before = around(screen)
        gates[0].write_text("go")
        screen.shows("attacked")

        # One row for each, in its place; all else as it was.
        first, last = pane(screen)
        rows = [row for row in screen.rows[first:last] if re.search(r"\bA\d+ ", row)]
        assert len(rows) == len(ATTACKS)
        for number, row in enumerate(rows):
            assert f"A{number} " in row
            assert f" Z{number}" in row
        assert around(screen) == before

        # The whole corpus, then the result on the card and in the step's own screen.
        gates[1].write_text("go")
        screen.shows("all said")
        gates[2].write_text("go")
        screen.shows("make your own workflow")
        screen.press("\r", lambda: "1 Output" in screen.text, what="the step's own screen")
        screen.shows("A0 ␛[2J␛[H wiped Z0")
        assert screen.leave() == 0
    sent = screen.raw.decode()
    for attack in (*ATTACKS, *HOSTILE):
        if UNSAFE.search(attack) and len(attack) > 1:
            assert attack.encode("utf-8", "surrogatepass") not in screen.raw, ascii(attack)
    assert sent.count("\x1b[?1049h") == 1
    strange = OWN.sub("", sent)
    bell = "\a"
    assert strange.count(bell) == 1  # the run has ended, and nobody has touched a key
    strange = strange.replace(bell, "")
    assert not UNSAFE.search(strange), ascii(UNSAFE.findall(strange))
