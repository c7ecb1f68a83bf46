"""A family of processes: see `processes.tree`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys


def say(name: str) -> None:
    os.write(1, f"{name} {os.getpid()}\n".encode())


def be(kind: str, ready: int) -> None:
    if "stubborn" in kind:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if "session" in kind:
        os.setsid()
    if kind == "daemon":
        if os.fork():
            os._exit(0)
        os.setsid()
        if os.fork():
            os._exit(0)
    say(kind)
    if kind == "daemon":
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(nothing, fd)
    os.close(ready)
    while True:
        signal.pause()


def main() -> None:
    if sys.argv[1:2] == ["--be"]:
        be(sys.argv[2], int(sys.argv[3]))
    for kind in sys.argv[1:]:
        ready, other_end = os.pipe()
        subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, "--be", kind, str(other_end)], pass_fds=[other_end]
        )
        os.close(other_end)
        os.read(ready, 1)
    say("tree")
    signal.pause()


if __name__ == "__main__":
    main()
