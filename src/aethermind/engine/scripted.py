"""Answers to questions from a script of simulated replies (`NAME.sim.yaml`). Pure.

They are for simulated runs where nobody can be asked: a demonstration, a test, a pipe. Steps are named as in
the rest of the script: by instance, by path without instances, or by id; the most exact name wins. Of a list
the index of the innermost instance counts, else the first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aethermind.domain.ids import static_id, static_path
from aethermind.domain.run import Run
from aethermind.domain.state import Node

Json = Any
_INDEX = re.compile(r"\[(\d+)\]|#(\d+)")


def answer(run: Run, node: Node) -> dict[str, Json] | None:
    """What the script of a simulated run answers to the question of this step; None: nothing."""
    if not run.created.simulated or node.question is None or node.question.about != "ask":
        return None  # what a tool does is real, and so is who allows it
    script = run.created.sim
    steps = script.get("steps", script)
    names = (node.path, static_path(node.path), static_id(node.path))
    entry = next((steps[name] for name in names if name in steps), None)
    if isinstance(entry, Mapping) and ("reply" in entry or "replies" in entry):
        entry = entry.get("reply", entry.get("replies"))
    if isinstance(entry, list):
        entry = _of(node.path, entry)
    return dict(entry) if isinstance(entry, Mapping) else None


def _of(path: str, replies: list[Json]) -> Json:
    found = list(_INDEX.finditer(path))
    if not replies:
        return None
    if not found:
        return replies[0]
    item, round_ = found[-1].groups()
    return replies[min(int(item) if item is not None else int(round_) - 1, len(replies) - 1)]
