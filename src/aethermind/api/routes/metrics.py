"""`GET /metrics`: what Prometheus reads, in its text format."""

from __future__ import annotations

from collections.abc import Iterable

from aethermind import __version__
from aethermind.api.room import Room
from aethermind.api.route import Answer, Routes
from aethermind.engine.client import Client
from aethermind.engine.info import EngineInfo
from aethermind.engine.lane import LaneState
from aethermind.engine.queries import CostFilter, CostRow, LedgerRow, RunFilter

TEXT = "text/plain; version=0.0.4; charset=utf-8"
MOST = 1_000
"""Unfinished runs that are counted by status."""

Sample = tuple[dict[str, str], float]
Found = tuple[EngineInfo, dict[str, int], list[tuple[bool, CostRow]], list[LaneState], LedgerRow, int]


def routes(room: Room) -> Routes:
    on = Routes("engine")

    @on.get("/metrics", str, "The text format of Prometheus.", media_type=TEXT)
    async def metrics() -> Answer:
        """Figures of the engine for Prometheus. Money is in micro-USD, simulated calls are marked."""
        return Answer(_text(room, await room.ask(_look)), media_type=TEXT)

    return on


async def _look(client: Client) -> Found:
    statuses: dict[str, int] = {}
    for row in (await client.runs(RunFilter(unfinished=True), limit=MOST)).items:
        statuses[row.status] = statuses.get(row.status, 0) + 1
    rows = [
        (simulated, row)
        for simulated in (False, True)
        for row in await client.costs(CostFilter(simulated=simulated))
    ]
    return (
        await client.engine_info(),
        statuses,
        rows,
        await client.lanes(),
        await client.day_budget(),
        await client.last_seq(),
    )


def _text(room: Room, found: Found) -> bytes:
    info, statuses, rows, lanes, day, seq = found
    lines: list[str] = []

    def family(name: str, kind: str, said: str, samples: Iterable[Sample]) -> None:
        lines.append(f"# HELP aethermind_{name} {said}")
        lines.append(f"# TYPE aethermind_{name} {kind}")
        lines.extend(f"aethermind_{name}{_labels(labels)} {value:.15g}" for labels, value in samples)

    def models(field: str) -> list[Sample]:
        return [
            ({"model": row.key, "simulated": str(simulated).lower()}, getattr(row, field) or 0)
            for simulated, row in rows
        ]

    family("info", "gauge", "The engine.", [({"version": __version__, "origin": info.origin}, 1)])
    started = info.started_at / 1000
    family("start_time_seconds", "gauge", "When its process began.", [({}, started)])
    family("runs_live", "gauge", "Runs at work.", [({}, info.live)])
    unfinished = [({"status": status}, float(n)) for status, n in sorted(statuses.items())]
    family("runs_unfinished", "gauge", f"Unfinished runs, of the newest {MOST}.", unfinished)
    family("events_recorded_total", "counter", "The seq of the last event.", [({}, seq)])
    family("calls_total", "counter", "Model calls.", models("calls"))
    family("cost_micro_usd_total", "counter", "Money of priced calls.", models("cost_micro_usd"))
    family("calls_unpriced_total", "counter", "Calls whose price is unknown.", models("unpriced_calls"))
    tokens = [
        (
            {"model": row.key, "kind": kind, "simulated": str(simulated).lower()},
            getattr(row.usage, f"{kind}_tokens"),
        )
        for simulated, row in rows
        for kind in ("input", "cached_input", "cache_write", "output", "reasoning")
    ]
    family("tokens_total", "counter", "Tokens.", tokens)
    family("calls_in_flight", "gauge", "Calls under way.", [({"model": s.lane}, s.in_flight) for s in lanes])
    family(
        "calls_waiting",
        "gauge",
        "Calls that wait for their turn.",
        [({"model": s.lane}, s.waiting) for s in lanes],
    )
    shut = [({"model": state.lane}, float(state.state != "open")) for state in lanes]
    family("lane_closed", "gauge", "1: the model may not be called just now.", shut)
    family("day_spent_micro_usd", "gauge", "Real money of this UTC day.", [({}, day.spent)])
    if day.cap is not None:
        family("day_cap_micro_usd", "gauge", "What may be spent on this UTC day.", [({}, day.cap)])
    served = [
        ({"method": method, "status": str(status)}, float(n))
        for (method, status), n in sorted(room.use.served.items())
    ]
    family("api_requests_total", "counter", "Requests that were answered.", served)
    family("api_watchers", "gauge", "Open WebSockets.", [({}, room.use.watchers)])
    family(
        "api_batches_total",
        "counter",
        "Batches of events that were sent to watchers.",
        [({}, room.hub.batches)],
    )
    return ("\n".join(lines) + "\n").encode()


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
