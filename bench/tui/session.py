"""The bench's side of `program`: its terminal, the channel to it, keys and what they show."""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import Any, Self

from bench.tui.tty import COLUMNS, PATIENCE_S, ROWS, Tty, python

SIGNS = {"question_mark": "?", "colon": ":", "slash": "/", "plus": "+", "underscore": "_", "dollar_sign": "$"}
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "space": " ",
    "pagedown": "\x1b[6~",
    "pageup": "\x1b[5~",
}
TITLE = b"\x1b[2;"
"""Moving to the trace's title, which names the row under the cursor."""


class Session:
    """One program with its screen (or `headless`), on a home of its own. Leave the block to end it."""

    def __init__(
        self,
        *options: str,
        database: Path | None = None,
        columns: int = COLUMNS,
        rows: int = ROWS,
        bytes_per_s: int = 0,
        ssh: bool = False,
    ) -> None:
        self._home = tempfile.TemporaryDirectory()
        home = Path(self._home.name)
        self.database = home / "aethermind.db"
        if database is not None:
            shutil.copyfile(database, self.database)
        (home / "config.toml").write_text('[tui]\nnotify = "off"\n')  # not the user's own
        mine, theirs = socket.socketpair()
        mine.settimeout(PATIENCE_S * 5)
        self.tty = Tty(
            python("bench.tui.program", theirs.fileno(), *options),
            columns=columns,
            rows=rows,
            bytes_per_s=bytes_per_s,
            pass_fds=(theirs.fileno(),),
            AETHERMIND_HOME=str(home),
            AETHERMIND_CONFIG=str(home / "config.toml"),
            SSH_CONNECTION="1.2.3.4 5 6.7.8.9 22" if ssh else "",
        )
        theirs.close()
        self._socket = mine
        self._channel = mine.makefile("rw")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._channel.close()
        self._socket.close()
        self.tty.close()
        self._home.cleanup()

    def ask(self, *words: object) -> dict[str, Any]:
        """Give an order and wait for its answer. Raises `RuntimeError` if it could not be done."""
        self._channel.write(" ".join(map(str, words)) + "\n")
        self._channel.flush()
        line = self._channel.readline()
        if not line:
            raise RuntimeError(
                f"the program died: exit {self.tty.process.poll()}\n{self.tty.raw()[-2_000:]!r}"
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{' '.join(map(str, words))}: {answer['error']}")
        return answer

    def quiet(self) -> None:
        """End what runs, and be back on the main screen."""
        self.ask("quiet")
        while (now := self.ask("screen"))["live"] or not now["over"]:
            time.sleep(0.05)
        time.sleep(0.2)  # its card comes with the next frame
        self.tty.settle()
        while self.ask("screen")["screen"] != "MainScreen":
            self.tty.type("\x1b")
            self.tty.settle()

    def ready(self) -> None:
        """Until the first screen is there."""
        self.tty.until(lambda seen: b"quit" in seen)
        self.tty.settle()

    def key(self, name: str, wanted: bytes = TITLE) -> float:
        """Milliseconds from a key to what it changes."""
        mark = self.tty.mark
        typed = self.tty.type(name)
        return (self.tty.until(lambda seen: wanted in seen, since=mark) - typed) * 1_000

    def typed(self, action: str) -> str:
        """What to type for an action. Raises `RuntimeError` if it has no key that can be."""
        for name in self.ask("key", action)["keys"]:
            if name in KEYS:
                return KEYS[name]
            if len(name) == 1 or name in SIGNS:
                return str(SIGNS.get(name, name))
        raise RuntimeError(f"{action} has no key")

    def keys(self, count: int, *, pause_s: float = 0.05) -> list[float]:
        """Down and up again, so often; what each took."""
        found = []
        for n in range(count):
            # Not in step with the frames, which would make all the same.
            time.sleep(pause_s * (0.7 + 0.6 * (n * 7 % 10) / 10))
            found.append(self.key("jk"[n % 2]))
        return found
