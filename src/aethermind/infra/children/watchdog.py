"""Kills the children of an engine that died. A process of its own: `python -I -S watchdog.py MARK SINCE`.

Rules:
- Only the standard library and only a few modules of it: the script must start in milliseconds and must
  not depend on where the package is installed.
- The engine holds the other end of standard input and never passes it on. Lines: `+PID START` a child was
  started, `-PID` it has ended, `q` the engine leaves in good order. The end of the input, with or without
  `q`, means: kill now, then exit.
- No SIGTERM first: whoever could have been asked was the engine's to ask.
- A process is killed if it bears the mark, is in the group or session of a registered child, or descends
  from such a process. A registered number that the system has since given to another process
  (its start time differs) counts for nothing.

The engine imports the functions that find processes; both sides see the same.
"""

# ruff: noqa: PTH208, SIM105 - every import delays the start
from __future__ import annotations

import os
import signal
import sys
import time

MARK = "AETHERMIND_CHILD"
"""Environment variable of every child: comma-separated marks, its own engine's first, then those that the
engine itself inherited (an engine may run inside a step of another)."""

_PATIENCE = 10.0
_QUIET = 3


class Process:
    """A living process. `start` is in clock ticks since boot, 0 where the system does not say."""

    __slots__ = ("group", "marks", "parent", "pid", "session", "start")

    def __init__(self, pid: int, parent: int, group: int, session: int, start: int, marks: str) -> None:
        self.pid = pid
        self.parent = parent
        self.group = group
        self.session = session
        self.start = start
        self.marks = marks

    def bears(self, mark: str) -> bool:
        """Whether one of its marks begins with `mark`."""
        return any(part.startswith(mark) for part in self.marks.split(","))


def processes(since: int = 0) -> list[Process]:
    """All living processes (zombies are not). Marks are read only of those not started before `since`."""
    try:
        names = os.listdir("/proc")
    except OSError:
        names = []
    if "self" not in names:
        return processes_by_ps()
    found = []
    for name in names:
        if name.isdigit():
            fields = stat(int(name))
            if fields and fields[0] not in "ZX":
                _, parent, group, session, start = fields
                marks = _marks(name) if start >= since else ""
                found.append(Process(int(name), parent, group, session, start, marks))
    return found


def stat(pid: int) -> tuple[str, int, int, int, int] | None:
    """State, parent, group, session and start time of a process, zombies too; None if there is none."""
    raw = _read(f"/proc/{pid}/stat")
    if not raw:
        return None
    # The name stands in brackets and may itself hold brackets and spaces.
    fields = raw[raw.rindex(b")") + 2 :].split()
    return fields[0].decode(), int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19])


def start_of(pid: int) -> int:
    """The start time of a process, 0 if unknown."""
    fields = stat(pid)
    return fields[4] if fields else 0


def processes_by_ps() -> list[Process]:
    """The same through ps(1), for systems without /proc. Some (macOS, for its own programs) hide the
    environment; such processes are found by their group or their parents."""
    import re
    import subprocess

    options = ["-A", "-E", "-ww"] if sys.platform == "darwin" else ["axeww"]
    argv = ["ps", *options, "-o", "pid=,ppid=,pgid=,stat=,command="]
    done = subprocess.run(argv, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    found = []
    for line in done.stdout.decode(errors="replace").splitlines():
        fields = line.split(None, 4)
        if len(fields) < 4 or not fields[0].isdigit() or fields[3][0] in "ZX":
            continue
        marks = re.search(rf"(?:^|\s){MARK}=(\S+)", fields[4]) if len(fields) > 4 else None
        pid, parent, group = (int(field) for field in fields[:3])
        found.append(Process(pid, parent, group, group, 0, marks[1] if marks else ""))
    return found


def family(found: list[Process], mark: str, roots: dict[int, int]) -> list[Process]:
    """Who of `found` bears a mark that starts with `mark`, is one of the `roots` (pid → start time) or in
    the group or session of one, or descends from such a process. Never the caller."""
    starts = {process.pid: process.start for process in found}
    valid = {pid for pid, start in roots.items() if starts.get(pid, start) == start}
    members = {
        process.pid
        for process in found
        if not valid.isdisjoint((process.pid, process.group, process.session)) or process.bears(mark)
    }
    grown = True
    while grown:
        heirs = {p.pid for p in found if p.parent in members} - members
        members |= heirs
        grown = bool(heirs)
    members -= {0, 1, os.getpid()}
    return [process for process in found if process.pid in members]


def send(process: Process, number: int) -> None:
    """Signal a process unless it is gone, another by now, or not ours to signal."""
    if process.start and start_of(process.pid) != process.start:
        return
    try:
        os.kill(process.pid, number)
    except OSError:
        pass


def kill(mark: str, roots: dict[int, int], since: int, quiet: int = 1) -> bool:
    """Kill a family until `quiet` looks in a row have found nobody. False if somebody will not die. Who
    was seen once stays known (in `roots`), also when the parents it was known by are dead."""
    deadline = time.monotonic() + _PATIENCE
    empty = 0
    while empty < quiet:
        if time.monotonic() > deadline:
            return False
        found = family(processes(since), mark, roots)
        for process in found:
            roots[process.pid] = process.start
            send(process, signal.SIGKILL)
        empty = 0 if found else empty + 1
        if empty < quiet:
            time.sleep(0.01 if found else 0.05)
    return True


def watch(mark: str, since: int) -> None:
    for name in ("HUP", "INT", "QUIT", "TERM", "TSTP", "TTIN", "TTOU"):
        signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_IGN)
    roots: dict[int, int] = {}
    orderly = False
    rest = b""
    while data := os.read(0, 65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            if line == b"q":
                orderly = True
            elif line.startswith(b"+"):
                pid, start = line[1:].split()
                roots[int(pid)] = int(start)
            else:
                roots.pop(int(line[1:]), None)
    # A child may have been born in the engine's last moment and bear its mark only after its exec.
    kill(mark, roots, since, quiet=1 if orderly else _QUIET)


def _marks(pid: str) -> str:
    raw = b"\0" + _read(f"/proc/{pid}/environ")
    at = raw.find(f"\0{MARK}=".encode())
    if at < 0:
        return ""
    at += len(MARK) + 2
    end = raw.find(b"\0", at)
    return raw[at : end if end >= 0 else None].decode(errors="replace")


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
        return b"".join(parts)
    except OSError:  # it ended while being read
        return b""
    finally:
        os.close(fd)


if __name__ == "__main__":
    watch(sys.argv[1], int(sys.argv[2]))
