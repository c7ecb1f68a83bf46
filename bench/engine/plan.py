"""How much is measured: sizes and rounds, for a whole run of the bench and for a quick one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    rounds: int = 5
    peers: bool = True
    peer_power: bool = True
    """The peers power-safe, too (where they can be)."""
    idle_runs: int = 2_000
    lag_s: float = 10.0
    resume_steps: int = 10_000
    many_runs: int = 100
    wide: int = 100_000
    """Steps of one large run."""
    past_runs: int = 100_000
    log_lines: int = 10_000_000
    pages: int = 20
    """How often each page is asked for."""
    rebuild_runs: int = 10_000


def quick(rounds: int) -> Plan:
    """Small enough for three minutes: it shows that all of it works, and large mistakes."""
    return Plan(
        rounds=rounds,
        peer_power=False,
        idle_runs=500,
        lag_s=3.0,
        resume_steps=2_000,
        many_runs=20,
        wide=10_000,
        past_runs=5_000,
        log_lines=200_000,
        pages=20,
        rebuild_runs=1_000,
    )
