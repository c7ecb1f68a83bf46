"""Many processes of the program that start on one data directory at the same moment: one must own it.

    python -m bench.starts [--processes 200] [--rounds 1] [--json]

Each runs the same workflow. The one that owns the data runs it; every other must exit 75 in one line that
names the owner's pid. Exit code 1 if it was otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WORKFLOW = """\
name: gated
steps:
  - {id: only, run: [sh, -c, "echo ran >> effects.txt; cat gate"]}
"""
SECONDS = 300.0


def trial(count: int, directory: Path) -> dict[str, Any]:
    (directory / "said").mkdir()
    (directory / "gated.yaml").write_text(WORKFLOW)
    os.mkfifo(directory / "gate")
    root = Path(__file__).resolve().parents[2]
    crowd = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.e2e.crowd", str(count), str(directory / "said")),
            *("run", str(directory / "gated.yaml"), "--trust", "-q"),
        ],
        cwd=directory,
        env=os.environ | {"AETHERMIND_HOME": str(directory / "home"), "PYTHONPATH": str(root)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert crowd.stdin is not None
    assert crowd.stdout is not None
    pids = [int(crowd.stdout.readline().split()[1]) for _ in range(count)]
    began = time.monotonic()
    crowd.stdin.write("now\n")
    crowd.stdin.flush()
    codes: dict[int, int] = {}
    took: list[float] = []
    for _ in range(count - 1):
        _, left, code = crowd.stdout.readline().split()
        codes[int(left)] = int(code)
        took.append(time.monotonic() - began)
    owners = set(pids) - set(codes)
    (directory / "gate").write_text("go on\n")
    _, left, code = crowd.stdout.readline().split()
    codes[int(left)] = int(code)
    crowd.communicate(timeout=SECONDS)
    named = 0
    for number, pid in enumerate(pids):
        said = (directory / "said" / f"{number}.err").read_text()
        found = re.search(r"pid (\d+)", said)
        named += pid not in owners and said.count("\n") == 1 and found is not None and int(found[1]) in owners
    return {
        "processes": count,
        "owners": sum(code == 0 for code in codes.values()),
        "exit 75": sum(code == 75 for code in codes.values()),
        "naming the owner's pid": named,
        "times it ran": (directory / "effects.txt").read_text().count("ran"),
        "seconds to the median exit": round(statistics.median(took), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = []
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as directory:
            rows.append(trial(given.processes, Path(directory)))
    if given.json:
        print(json.dumps(rows))
    else:
        for name in rows[0]:
            print(f"{name:28}" + "".join(f"{row[name]!s:>8}" for row in rows))
    others = given.processes - 1
    if any(
        row["owners"] != 1
        or row["exit 75"] != others
        or row["naming the owner's pid"] != others
        or row["times it ran"] != 1
        for row in rows
    ):
        sys.exit(1)


if __name__ == "__main__":
    main()
