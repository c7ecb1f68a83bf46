"""How much is measured: for a whole run of the bench, and for a quick one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    rounds: int = 5
    keys: int = 150
    """So many keys for each figure of keys."""
    seconds: float = 5.0
    """How long bytes and speed are looked at."""
    steps: int = 10_000
    log_lines: int = 100_000
    past_runs: int = 5_000
    ring_lines: int = 1_000_000
    trace_rows: int = 50_000


QUICK = Plan(rounds=1, keys=30, seconds=2.0, steps=2_000, log_lines=20_000, past_runs=1_000)
