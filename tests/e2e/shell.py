"""A real shell with job control on a pseudo-terminal, for ctrl+z and fg."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.terminal import Terminal, terminal

PROMPT = "at-your-service>"


class Shell(Terminal):
    def run(self, line: str) -> None:
        """Type a command at the prompt."""
        self.until(lambda: self.before_cursor.strip() == PROMPT, what="the prompt")
        self.type(line + "\r")


@contextlib.contextmanager
def shell(cwd: Path) -> Iterator[Shell]:
    """bash; `a` is the program under test."""
    program = shlex.join([sys.executable, "-m", "aethermind"])
    begin = cwd / "begin.sh"
    begin.write_text(f"PS1='{PROMPT} '\nalias a={shlex.quote(program)}\nexport A={shlex.quote(program)}\n")
    bash = ["/bin/bash", "--noprofile", "--rcfile", os.fspath(begin), "-i"]
    with terminal(command=bash, cwd=cwd, made=Shell) as made:
        assert isinstance(made, Shell)
        yield made
