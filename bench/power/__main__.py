"""Power fails at a random moment of a recorded workload, thousands of times; then the store is opened again.

    python -m bench.power [--seeds 10000] [--first 0] [--json]

Of what was synced before the cut everything is kept; of what was written since, any part, torn at sectors.
Two rows: `power` (synchronous=FULL, the default), in which nothing acknowledged may be lost, and `process`
(NORMAL) with a tenth of the seeds, whose losses show that the check can fail. Exit code 1 if the first row
has a loss, or anything is found that is not whole.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from aethermind.infra.stores.database import Durability
from tests.disk.power import Finding, record, strike

AT_ONCE = 500
"""Seeds of one recording: the next ones get a workload in which the threads met in another way."""


async def trials(durability: Durability, seeds: range, directory: Path) -> list[Finding]:
    found: list[Finding] = []
    for first in range(seeds.start, seeds.stop, AT_ONCE):
        part = seeds[first - seeds.start : first - seeds.start + AT_ONCE]
        with tempfile.TemporaryDirectory(dir=directory) as before, tempfile.TemporaryDirectory() as after:
            found += await strike(await record(Path(before), durability), part, Path(after))
        print(f"{durability}: {len(found)} of {len(seeds)}", file=sys.stderr)
    return found


def row(durability: str, findings: list[Finding]) -> dict[str, Any]:
    return {
        "durability": durability,
        "losses of power": len(findings),
        "with acknowledged records lost": sum(1 for f in findings if f.lost),
        "acknowledged records": sum(f.acknowledged for f in findings),
        "of them lost": sum(f.lost for f in findings),
        "not whole": sum(1 for f in findings if f.wrong),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    with tempfile.TemporaryDirectory() as directory:
        full = asyncio.run(trials("power", seeds, Path(directory)))
        normal = asyncio.run(trials("process", seeds[: max(len(seeds) // 10, 1)], Path(directory)))
    rows = [row("power (FULL)", full), row("process (NORMAL)", normal)]
    if given.json:
        print(json.dumps(rows))
    else:
        for name in rows[0]:
            print(f"{name:32}" + "".join(f"{r[name]!s:>18}" for r in rows))
    bad = [f for f in full if f.lost or f.wrong] + [f for f in normal if f.wrong]
    for finding in bad[:10]:
        print(f"seed {finding.seed}, cut {finding.cut}: {finding.lost} lost {finding.wrong}", file=sys.stderr)
    if bad:
        sys.exit(1)


if __name__ == "__main__":
    main()
