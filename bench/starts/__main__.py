"""Many processes of the program that start on one data directory at the same moment: one must own it.

    python -m bench.starts [--processes 200] [--rounds 1] [--json]

Each runs the same workflow: the one that owns the data drives its run, the others have theirs driven by it,
or by the next owner. Each run must have taken place once; who can't speak with the owner must say so in one
line that names its pid (exit 75). Exit code 1 if it was otherwise.
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
name: quick
steps:
  - {id: only, run: [sh, -c, "echo ran >> effects.txt"]}
"""
SECONDS = 300.0


def trial(count: int, directory: Path) -> dict[str, Any]:
    (directory / "said").mkdir()
    (directory / "quick.yaml").write_text(WORKFLOW)
    root = Path(__file__).resolve().parents[2]
    crowd = subprocess.Popen(
        [
            *(sys.executable, "-m", "tests.e2e.crowd", str(count), str(directory / "said")),
            *("run", str(directory / "quick.yaml"), "--trust", "-q"),
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
    for _ in range(count):
        _, left, code = crowd.stdout.readline().split()
        codes[int(left)] = int(code)
        took.append(time.monotonic() - began)
    crowd.communicate(timeout=SECONDS)
    named = 0
    for number, pid in enumerate(pids):
        said = (directory / "said" / f"{number}.err").read_text()
        found = re.search(r"pid (\d+)", said)
        named += codes[pid] == 75 and said.count("\n") == 1 and found is not None and int(found[1]) in codes
    return {
        "processes": count,
        "exit 0": sum(code == 0 for code in codes.values()),
        "exit 75": sum(code == 75 for code in codes.values()),
        "naming an owner's pid": named,
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
    if any(
        row["exit 0"] < 1
        or row["exit 0"] + row["exit 75"] != row["processes"]
        or row["naming an owner's pid"] != row["exit 75"]
        or row["times it ran"] != row["exit 0"]
        for row in rows
    ):
        sys.exit(1)


if __name__ == "__main__":
    main()
