"""Run several command lines, each in a process of its own, without importing the program for each anew.

    python each.py DIRECTORY < lines of JSON lists

Writes `N.out`, `N.err` and `N.code` into the directory; the code is negative if a signal ended the process.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from aethermind.cli.app import main


def child(place: Path, arguments: list[str]) -> int:
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(f"{place}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)
    try:
        return main(arguments)
    except BaseException:  # noqa: BLE001 - the interpreter would print it as well
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def each(directory: Path) -> None:
    lines = sys.stdin.read().splitlines()
    child(directory / "first", json.loads(lines[0]))  # imports what it needs, so that the others have it
    for number, line in enumerate(lines):
        pid = os.fork()
        if pid == 0:
            os._exit(child(directory / str(number), json.loads(line)))
        _, status = os.waitpid(pid, 0)
        (directory / f"{number}.code").write_text(str(os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    each(Path(sys.argv[1]))
