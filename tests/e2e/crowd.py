"""Many processes of the real program that start at the same moment.

    python -m tests.e2e.crowd COUNT DIRECTORY ARGUMENT…

One process imports what the program needs and forks COUNT times; each child then waits at a barrier, which
falls when this one's stdin gets a line, and becomes the program with these arguments. What child N writes
goes to DIRECTORY/N.out and N.err. Printed: `pid PID` for each, then `end PID CODE` as they end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def child(barrier: int, directory: Path, number: int) -> None:
    for fd, name in ((1, "out"), (2, "err")):
        file = os.open(directory / f"{number}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, fd)
        os.close(file)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.read(barrier, 1)
    os.close(barrier)
    from aethermind.__main__ import main

    code = 1
    try:
        code = main()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def start(count: int, directory: Path, arguments: list[str]) -> None:
    import aethermind.cli.run
    import aethermind.definitions.loader
    import aethermind.engine.engine
    import aethermind.infra.children.local
    import aethermind.infra.stores.sqlite  # noqa: F401  # so that no child has to

    sys.argv = ["aethermind", *arguments]
    reading, writing = os.pipe()
    for number in range(count):
        pid = os.fork()
        if pid == 0:
            os.close(writing)
            child(reading, directory, number)
        _say(f"pid {pid}")
    os.close(reading)
    sys.stdin.readline()
    os.close(writing)
    for _ in range(count):
        pid, status = os.wait()
        _say(f"end {pid} {os.waitstatus_to_exitcode(status)}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    start(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
