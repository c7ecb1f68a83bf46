"""Routes, one file per noun: each takes the room and gives its handlers."""

from __future__ import annotations

from aethermind.api.routes import acts, engine, runs

NOUNS = (engine, runs, acts)
