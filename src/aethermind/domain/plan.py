"""What is due now: a function of the state alone, so that "fold the log, plan" is crash recovery.

`plan` is level-triggered: it returns everything that is due each time it is asked, until the event
that answers it is applied. Its cost is O(returned), not O(steps).
"""

from __future__ import annotations

from heapq import heappop

from aethermind.domain import progress
from aethermind.domain.commands import Command, Expire, Finish, Room, Start, Stop, Wake
from aethermind.domain.run import Run
from aethermind.domain.state import FREE


def plan(run: Run, now: int, room: Room) -> list[Command]:
    """Commands due at `now` (epoch ms), with at most `room` starts among them.

    Order: stops, then expansions and skips, then starts, then the end of the run or the time to plan
    again. Timers that are due are moved to the ready set, which changes no outcome.
    """
    if run.finished is not None:
        return []
    due: list[Command] = [Stop(n.path, n.attempts[-1].n) for n in run.stops.values()]
    if run.exhausted:
        due.append(Finish(run.verdict()))
        return due
    if run.paused or run.cancelling:
        return due
    timers = run.timers
    while timers and timers[0][0] <= now:
        at, path = heappop(timers)
        node = run.nodes.get(path)
        if node is None or node.due_at != at:
            continue
        node.due_at = None
        if node.status == "waiting_answer":
            run.todo[path] = Expire(path)
        elif node.status == "retry_wait":
            progress.enqueue(run, node)
        else:
            progress.release(run, node, now)
    due.extend(run.todo.values())
    left = room.total
    for lane, bucket in run.ready.items():
        if lane == FREE:
            due.extend(Start(node.path, len(node.attempts) + 1) for node in bucket.values())
            continue
        if left <= 0:
            continue
        free = min(left, room.agents.get(lane, left)) if lane else left
        for node in bucket.values():
            if free <= 0:
                break
            due.append(Start(node.path, len(node.attempts) + 1))
            free -= 1
            left -= 1
    if timers:
        due.append(Wake(timers[0][0]))
    return due
