"""A workflow that writes 2,000 log lines a second beside steps that only go on while the engine does.

What it does can be counted from outside, without the program's help: `beats.txt` has a line for each step
that was run, `noise.txt` one for each hundred lines that the noisy child could get rid of. Both end by
themselves when the file `stop` appears.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.waiting import PATIENCE, lines, until

LINES_A_SECOND = 2_000
PER_MARK = 100

_NOISE = f"""\
import os, select, time
started, written = time.monotonic(), 0
while not os.path.exists("stop"):
    due = int((time.monotonic() - started) * {LINES_A_SECOND})
    for number in range(written, due):
        os.write(1, b"line %d of the noise that a chatty program makes\\n" % number)
        if number % {PER_MARK} == 0:
            open("noise.txt", "a").write(f"{{number}}\\n")
    written = due
    select.select([], [], [], 0.01)
print("noise is over")
"""
_WORKFLOW = """\
name: flood
steps:
  - {id: noise, run: [PYTHON, -I, -S, noise.py]}
  - id: beat
    repeat: {until: "{{ beat == 'over' }}", max: 1000}
    run: [sh, -c, "echo x >> beats.txt; sleep 0.03; if [ -e stop ]; then echo over; else echo on; fi"]
outputs: {noise: "{{ beat }}"}
"""


@dataclass(frozen=True)
class Progress:
    at: float
    """Seconds of a clock that only goes forward."""
    beats: int
    noise: int
    """Lines."""

    def since(self, earlier: Progress) -> tuple[float, float]:
        """Steps and lines per second."""
        spent = self.at - earlier.at
        return (self.beats - earlier.beats) / spent, (self.noise - earlier.noise) / spent


class Flood:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "noise.py").write_text(_NOISE)
        self.file = directory / "flood.yaml"
        self.file.write_text(_WORKFLOW.replace("PYTHON", sys.executable))

    def progress(self) -> Progress:
        beats, noise = lines(self.directory / "beats.txt"), lines(self.directory / "noise.txt")
        return Progress(time.monotonic(), len(beats), int(noise[-1]) if noise else 0)

    def flows(self) -> bool:
        """Both have begun in earnest."""
        now = self.progress()
        return now.beats >= 3 and now.noise >= LINES_A_SECOND // 4

    def goes_on(self, seconds: float) -> Progress:
        """Wait, doing nothing, until as much noise was made as belongs to that many seconds."""
        before = self.progress()
        enough = before.noise + int(seconds * LINES_A_SECOND)
        until(
            lambda: self.progress().noise >= enough, seconds=seconds + PATIENCE, what="the noise", every=0.05
        )
        return self.progress()

    def stop(self) -> None:
        (self.directory / "stop").touch()
