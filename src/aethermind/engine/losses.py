"""What follows from attempts that were under way when their process died."""

from __future__ import annotations

from aethermind.domain import recovery
from aethermind.domain.events import AnyEvent, AskOpened
from aethermind.domain.run import Run


def lost_events(run: Run) -> tuple[AnyEvent, ...]:
    """Each is recorded as lost; what may have taken effect is asked about, unless its step says."""
    found: list[AnyEvent] = []
    for node in run.nodes.values():
        if node.mode != "leaf" or node.status != "running":
            continue
        event = recovery.lost(node)
        found.append(event)
        if event.resolution == "ask" and node.path not in run.stops:
            found.append(
                AskOpened(
                    step=node.path,
                    attempt=event.attempt,
                    about="in_doubt",
                    message=f"{node.path} was running when its process died; "
                    "whether it took effect is unknown.",
                    fields={"choice": {"type": "string", "enum": ["retry", "skip", "fail"]}},
                )
            )
    return tuple(found)
