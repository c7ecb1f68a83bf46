"""Routes, one file per noun: each takes the room and gives its handlers."""

from __future__ import annotations

from aethermind.api.routes import (
    access,
    acts,
    agents,
    costs,
    engine,
    logs,
    metrics,
    models,
    runs,
    workflows,
)

NOUNS = (engine, runs, acts, logs, costs, models, agents, workflows, access, metrics)
