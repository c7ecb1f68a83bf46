"""The real program as a child process, and workflows that are quick to run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent.parent / "sample_workflows"
PATIENCE = 40.0
"""Seconds."""

Said = Callable[..., tuple[int, str, str]]
"""A command line run in this process: exit code, stdout, stderr (the fixture `said`)."""

COMMAND = [sys.executable, "-m", "aethermind"]


def aethermind(
    *arguments: str, cwd: Path | None = None, stdin: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; no traceback ever."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        input=stdin,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert "Traceback" not in done.stderr + done.stdout, done.stderr
    return done


class Started:
    """It, while it runs: read lines of its stderr, send signals."""

    def __init__(self, *arguments: str, cwd: Path | None = None, stdout: int | None = None) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []

    def until(self, *words: str) -> str:
        """Read stderr up to the line that has all these words."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if all(word in line for word in words):
                return line
        raise AssertionError(f"{words} never came: {''.join(self.lines)}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Exit code, stdout, and what of stderr was not read before."""
        try:
            out, err = self.process.communicate(timeout=PATIENCE)
        finally:
            self.process.kill()
        assert "Traceback" not in err
        return self.process.returncode, out or "", err


def quick(name: str, into: Path, *, faster: float = 30.0, change: Callable[[str], str] = str) -> Path:
    """A copy of a sample whose simulated models do not dawdle."""

    def shorter(found: re.Match[str]) -> str:
        ms = float(found[2]) * (1 if found[3] == "ms" else 1_000)
        return f"{found[1]}delay: {max(round(ms / faster), 1)}ms"

    source = SAMPLES / f"{name}.yaml"
    replies = (SAMPLES / f"{name}.sim.yaml").read_text()
    replies = re.sub(r"(?m)^( *)delay: ([\d.]+)(ms|s)$", shorter, replies)
    replies = re.sub(
        r"(?m)^( *)tokens_per_second: (\d+)$",
        lambda found: f"{found[1]}tokens_per_second: {float(found[2]) * faster:.0f}",
        replies,
    )
    (into / f"{name}.sim.yaml").write_text(replies)
    target = into / f"{name}.yaml"
    target.write_text(change(source.read_text()))
    return target


def gate(directory: Path) -> tuple[Path, Path]:
    """A named pipe that a step waits at, and a workflow with a step before, at and after it.

    Each step writes its name into `effects.txt` in the working directory.
    """
    pipe = directory / "gate"
    os.mkfifo(pipe)
    target = directory / "gated.yaml"
    target.write_text(
        "name: gated\n"
        "steps:\n"
        '  - {id: first, run: [sh, -c, "echo first >> effects.txt; echo one"]}\n'
        '  - {id: middle, run: [sh, -c, "echo middle >> effects.txt; cat gate"], depends_on: [first]}\n'
        '  - {id: last, run: [sh, -c, "echo last >> effects.txt; echo three"], depends_on: [middle]}\n'
        'outputs: {all: "{{ first }} {{ middle }} {{ last }}"}\n'
    )
    return pipe, target


def effects(directory: Path) -> list[str]:
    return (directory / "effects.txt").read_text().split()
