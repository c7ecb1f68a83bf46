"""What the screen costs, measured through a pty: how soon a key shows, bytes a second, CPU.

    python -m bench.screen [--json]

Figures depend on the machine and on what else runs; the ratios between the lines say more. A key counts as
shown when the line that it changes has been written to the terminal.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.tui.terminal import Terminal

RATES = (0, 100, 2_000, 20_000)
KEYS = 60
TITLE = b"\x1b[2;"
"""Moving to the trace's title, which names the row under the cursor."""


class Bench:
    def __init__(self) -> None:
        self.terminal = Terminal(120, 40)
        self.terminal.until(lambda: "gather" in self.terminal.text() and "help" in self.terminal.text())
        self.terminal.settle()

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.terminal.process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    def drain(self, seconds: float) -> int:
        """Take what is written for so long; returns how many bytes."""
        end = time.monotonic() + seconds
        taken = 0
        while (left := end - time.monotonic()) > 0:
            if select.select([self.terminal.master], [], [], left)[0]:
                taken += len(os.read(self.terminal.master, 65_536))
        return taken

    def key(self, name: str) -> float:
        """Milliseconds from the key to the line that it changes."""
        begin = time.perf_counter()
        self.terminal.type(name)
        written = b""
        while TITLE not in written:
            if not select.select([self.terminal.master], [], [], 5)[0]:
                raise SystemExit("a key was not answered in 5 s")
            written += os.read(self.terminal.master, 65_536)
        return (time.perf_counter() - begin) * 1_000

    def at(self, rate: int) -> dict[str, Any]:
        self.terminal.ask(f"flood {rate}")
        self.drain(1)
        before, cpu, begin = self.terminal.ask(), self.cpu(), time.monotonic()
        taken = self.drain(4)
        seconds, after = time.monotonic() - begin, self.terminal.ask()
        busy = (self.cpu() - cpu) / seconds
        times = []
        for n in range(KEYS):
            self.drain(0.05)
            times.append(self.key("jk"[n % 2]))
        quantiles = statistics.quantiles(times, n=20)
        return {
            "log_lines_per_s": round((after["made"] - before["made"]) / seconds),
            "taken_in_per_s": round((after["received"] - before["received"]) / seconds),
            "bytes_per_s": round(taken / seconds),
            "cpu": round(busy, 3),
            "key_ms_p50": round(quantiles[9], 1),
            "key_ms_p95": round(quantiles[18], 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    bench = Bench()
    try:
        found: dict[str, Any] = {
            "first_screen_cpu_s": round(bench.cpu(), 2),
            "first_screen_bytes": bench.terminal.ask()["bytes"],
            "floods": [bench.at(rate) for rate in RATES],
        }
    finally:
        bench.terminal.close()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print(f"first screen: {found['first_screen_cpu_s']} s CPU, {found['first_screen_bytes']} bytes")
    print(f"{'lines/s':>9} {'taken in':>9} {'bytes/s':>9} {'cpu':>6} {'key p50':>9} {'key p95':>9}")
    for row in found["floods"]:
        print(
            f"{row['log_lines_per_s']:>9} {row['taken_in_per_s']:>9} {row['bytes_per_s']:>9} {row['cpu']:>6}"
            f" {row['key_ms_p50']:>6} ms {row['key_ms_p95']:>6} ms"
        )


if __name__ == "__main__":
    main()
