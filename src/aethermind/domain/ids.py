"""Names of steps and their instances.

    plan                 a static step
    sections[3]          the instance of a fan-out for item 3 (0-based)
    polish#2             iteration 2 of a repeat (1-based)
    polish#2/judge       a step of a group, inside that iteration
    deep/plan            a step of a group or sub-workflow without repeat

A path is a plain `str`; this module is the only place that builds or takes one apart.
"""

from __future__ import annotations

import re

STEP_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
RESERVED = frozenset(
    {"inputs", "steps", "item", "index", "previous", "run", "env", "workflow", "output", "iteration"}
)
"""Names that a step may not take because expressions use them."""

_SUFFIX = re.compile(r"(\[\d+\]|#\d+)\Z")


def child(container: str, step_id: str) -> str:
    """Path of a step inside a group or sub-workflow; the root container is `""`."""
    return f"{container}/{step_id}" if container else step_id


def item(path: str, index: int) -> str:
    """Path of a fan-out's instance."""
    return f"{path}[{index}]"


def iteration(path: str, number: int) -> str:
    """Path of one round of a repeat; rounds count from 1."""
    return f"{path}#{number}"


def static_id(path: str) -> str:
    """The id in the definition: `polish#2/sections[3]` → `sections`."""
    last = path.rsplit("/", 1)[-1]
    while (short := _SUFFIX.sub("", last)) != last:
        last = short
    return last


def static_path(path: str) -> str:
    """The path without instances: `polish#2/sections[3]` → `polish/sections`."""
    return re.sub(r"\[\d+\]|#\d+", "", path)


def run_stream(run_id: str) -> str:
    return f"run/{run_id}"


def agent_stream(name: str) -> str:
    return f"agent/{name}"


def run_id_of(stream: str) -> str | None:
    """The run's id if this is a run's stream, else None."""
    return stream[4:] if stream.startswith("run/") else None


SYSTEM = "system"
"""The stream of tokens, trust, audit and registered definitions."""
