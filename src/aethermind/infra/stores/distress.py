"""What keeps the writer from recording and heals by itself: no room, a foreign lock, a foreign reader.

Rules
- Called by the writer's thread alone, except for `watch`.
- Room is looked for when something was committed, and every `LOOK_S` seconds while it lacks; never else.
- It is over only when there is clearly room again, and the ballast with it: else a run would be held and
  let go with every kilobyte.
"""

from __future__ import annotations

import contextlib
import time
from asyncio import AbstractEventLoop
from collections.abc import Callable
from pathlib import Path

from aethermind.engine.trouble import Trouble
from aethermind.infra.stores import holders
from aethermind.infra.stores.ballast import Ballast, free_bytes

LOOK_S = 2.0
ENOUGH = 24 << 20
"""Free bytes that end a full disk where there is no ballast to make."""

Tell = Callable[[Trouble | None], None]


class Distress:
    def __init__(self, path: Path, ballast: Ballast | None) -> None:
        self._path = path
        self._ballast = ballast
        self._enough = ENOUGH if ballast is None else ballast.needs
        self._watchers: list[tuple[AbstractEventLoop, Tell]] = []
        self._looked_at = 0.0
        self.now: Trouble | None = None

    def prepare(self) -> None:
        """The database is open: have the ballast there."""
        if self._ballast is not None:
            self._ballast.make()

    def watch(self, loop: AbstractEventLoop, tell: Tell) -> None:
        """From any thread: tell whoever lives in this loop of each change, and of what is already."""
        self._watchers.append((loop, tell))
        if (trouble := self.now) is not None:
            self._tell(trouble, self._watchers[-1:])

    # --- it begins -----------------------------------------------------------------------------

    def full(self, precious: bool) -> bool:
        """No room for a batch; whether some was made. `precious`: there are events in it."""
        self._looked_at = time.monotonic()
        made = precious and self._ballast is not None and self._ballast.spend()
        self._begin(
            Trouble(
                kind="full",
                message=f"the disk that holds {self._path} is full: nothing new is started until "
                f"{self._enough >> 20} MB are free (what is under way may end; nothing recorded is lost)",
            )
        )
        return made

    def locked(self) -> None:
        """Another connection held the write lock for longer than SQLite waits."""
        if self.now is None or self.now.kind not in {"full", "locked"}:
            who = holders.writers(self._path) or "another program"
            self._begin(
                Trouble(kind="locked", message=f"{self._path} is locked by {who}: waiting until it lets go")
            )

    def unread(self, waiting: int, bound: int) -> None:
        """After a checkpoint: so many bytes can't be put away, because somebody reads what was before."""
        if waiting > bound:
            if self.now is None:
                who = holders.readers(self._path) or "another program"
                self._begin(
                    Trouble(
                        kind="reader",
                        message=f"{who} has kept {self._path} open for reading for long: "
                        f"{self._path.name}-wal grows until it ends ({waiting >> 20} MB now)",
                        holds=False,
                    )
                )
        elif self.now is not None and self.now.kind == "reader" and not waiting:
            self._end()

    # --- it ends -------------------------------------------------------------------------------

    def unlocked(self) -> None:
        """Something was committed."""
        if self.now is not None and self.now.kind == "locked":
            self._end()

    def look(self) -> None:
        """Is there room again?"""
        if self.now is None or self.now.kind != "full":
            return
        now = time.monotonic()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        ballast = self._ballast
        room = free_bytes(self._path.parent) >= ENOUGH if ballast is None else ballast.make()
        if room:
            self._end()

    def patience(self, idle: float | None) -> float | None:
        """How long (seconds) to wait for work before looking again; None: until there is some."""
        if self.now is None or self.now.kind != "full":
            return idle
        return LOOK_S if idle is None else min(idle, LOOK_S)

    # --- help ----------------------------------------------------------------------------------

    def _begin(self, trouble: Trouble) -> None:
        if self.now is None or self.now.kind != trouble.kind:
            self.now = trouble
            self._tell(trouble, self._watchers)

    def _end(self) -> None:
        self.now = None
        self._tell(None, self._watchers)

    def _tell(self, trouble: Trouble | None, watchers: list[tuple[AbstractEventLoop, Tell]]) -> None:
        for loop, tell in watchers:
            with contextlib.suppress(RuntimeError):  # that loop is closed: nobody is there to be told
                loop.call_soon_threadsafe(tell, trouble)
