"""What follows from attempts that were under way when their process died."""

from __future__ import annotations

import msgspec

from aethermind import wire
from aethermind.domain import journal, recovery
from aethermind.domain.events import AnyEvent, AskOpened
from aethermind.domain.run import Run
from aethermind.domain.state import Node


def lost_events(run: Run) -> tuple[AnyEvent, ...]:
    """Each is recorded as lost; what may have taken effect is asked about, unless its step says."""
    found: list[AnyEvent] = []
    for node in run.nodes.values():
        if node.mode != "leaf" or node.status != "running":
            continue
        event = recovery.lost(node)
        found.append(event)
        if event.resolution == "ask" and node.path not in run.stops:
            found.append(_question(node, event.attempt))
    return tuple(found)


def _question(node: Node, attempt: int) -> AskOpened:
    """What is to become of it. A tool call that was under way is shown; the model may be told instead that
    nobody knows."""
    tools = journal.in_doubt(node)
    names = ", ".join(tool.tool for tool in tools)
    what = f"the tool {names} of {node.path}" if tools else node.path
    choices = ["retry", "tell", "skip", "fail"] if tools else ["retry", "skip", "fail"]
    return AskOpened(
        step=node.path,
        attempt=attempt,
        about="in_doubt",
        message=f"{what} was running when its process died; whether it took effect is unknown.",
        fields={"choice": {"type": "string", "enum": choices}},
        show="\n".join(f"{tool.tool} {_pretty(tool.arguments)}" for tool in tools) or None,
    )


def _pretty(arguments: object) -> str:
    return msgspec.json.format(wire.encode_json(arguments), indent=2).decode()
