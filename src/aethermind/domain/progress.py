"""How the tree of a run moves: opening containers, releasing steps, settling them, stopping branches.

Rules
- A step is released when its dependencies are over. It is then skipped, expanded or made ready.
- A failure with `on_error: fail` makes the containers above it *failing*, up to the first that has
  another `on_error`: nothing new starts in there, what runs may finish.
- A container is over when all its children are, or when it is halted and nothing below it is live.
- All changes of status go through `set_status`, which keeps the counters; everything is O(changed).
"""

from __future__ import annotations

from heapq import heappush
from typing import TYPE_CHECKING

from aethermind.domain import ids
from aethermind.domain.commands import Expand, Skip
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.state import FREE, LIVE, WAITING, Node, StepStatus, mode_of
from aethermind.domain.workflow import Group, StepDef, SubWorkflow, agent_of

if TYPE_CHECKING:
    from aethermind.domain.run import Run


def set_status(run: Run, node: Node, status: StepStatus) -> None:
    old = node.status
    if old == status:
        return
    node.status = status
    if node.mode == "leaf":
        counts = run.counts
        counts[old] -= 1
        counts[status] = counts.get(status, 0) + 1
        delta = (status in LIVE) - (old in LIVE)
        if delta:
            up: Node | None = node
            while up is not None:
                up.live += delta
                up = up.parent


# --- opening -----------------------------------------------------------------------------------


def _add(run: Run, parent: Node, node: Node) -> None:
    parent.children.append(node)
    parent.remaining += 1
    run.nodes[node.path] = node
    if run.retired and node.path in run.retired:
        node.attempts, node.tally = run.retired.pop(node.path)
        node.start_anew()
    node.agent = agent = agent_of(node.step)
    if agent is None:
        if node.step.inline:
            node.lane = FREE
    elif agent in run.limited:
        node.lane = agent
    if node.mode == "leaf":
        run.counts["pending"] = run.counts.get("pending", 0) + 1


def open_group(run: Run, group: Node, steps: tuple[StepDef, ...], at: int) -> None:
    """Create the group's steps and release those that wait for nothing."""
    group.started_at = group.started_at or at
    make_steps(run, group, steps)
    link(group)
    for node in group.children:
        if not node.blockers and not node.always:
            release(run, node, at)
    check(run, group, at)


def make_steps(run: Run, group: Node, steps: tuple[StepDef, ...]) -> None:
    for step in steps:
        node = Node(ids.child(group.path, step.id), step, group, mode_of(step))
        group.by_id[step.id] = node
        node.always = step.always and group.parent is None
        _add(run, group, node)
        if node.always:
            group.remaining -= 1  # counted apart: they start when the rest is over
            run.always_open += 1
            run.always.append(node)


def link(group: Node) -> None:
    """Count for each step what it waits for, and note who waits for it."""
    by_id = group.by_id
    for node in group.children:
        for need in node.step.needs:
            other = by_id[need]
            if other.always == node.always:
                node.blockers += 1
                other.followed_by(node)


def open_items(run: Run, fan_out: Node, items: tuple[object, ...], digests: tuple[str, ...], at: int) -> None:
    fan_out.started_at = at
    set_status(run, fan_out, "running")
    mode = mode_of(fan_out.step, item=True)
    for index, value in enumerate(items):
        path = ids.item(fan_out.path, index)
        node = Node(path, fan_out.step, fan_out, mode)
        node.item, node.index = value, index
        node.digest = digests[index] if index < len(digests) else None
        _add(run, fan_out, node)
    free = fan_out.step.max_parallel or len(items)
    fan_out.waiting = fan_out.children[free:][::-1]
    for node in fan_out.children[:free]:
        release(run, node, at)
    check(run, fan_out, at)


def open_round(run: Run, loop: Node, number: int, not_before: int | None, at: int) -> None:
    loop.started_at = loop.started_at or at
    set_status(run, loop, "running")
    path = ids.iteration(loop.path, number)
    node = Node(path, loop.step, loop, mode_of(loop.step, round_=True))
    node.iteration = number
    _add(run, loop, node)
    if not_before is not None and not_before > at:
        node.due_at = not_before
        heappush(run.timers, (not_before, path))
    else:
        release(run, node, at)


# --- releasing ---------------------------------------------------------------------------------


def blocked(run: Run, node: Node) -> bool:
    """Whether something above forbids that this node starts."""
    if run.cancelling or run.finished:
        return True
    below, up = node, node.parent
    while up is not None:
        if (up.failing or up.cancelled or up.over) and not (
            up.parent is None and below.always and run.closing
        ):
            return True
        below, up = up, up.parent
    return False


def release(run: Run, node: Node, at: int) -> None:
    """The node's dependencies are over: skip it, have it expanded, or make it ready."""
    if node.over or node.status == "running" or node.status in WAITING or blocked(run, node):
        return
    if reason := _skip_reason(node):
        run.todo[node.path] = Skip(node.path, reason)
    elif node.mode != "leaf" or (node.step.when is not None and _is_outermost(node)):
        run.todo[node.path] = Expand(node.path)
    else:
        set_status(run, node, "ready")
        enqueue(run, node)


def make_ready(run: Run, node: Node) -> None:
    if node.over or blocked(run, node):
        return
    set_status(run, node, "ready")
    enqueue(run, node)


def enqueue(run: Run, node: Node) -> None:
    run.ready.setdefault(node.lane, {})[node.path] = node


def unready(run: Run, node: Node) -> None:
    bucket = run.ready.get(node.lane)
    if bucket is not None and bucket.pop(node.path, None) is not None and not bucket:
        del run.ready[node.lane]
    run.todo.pop(node.path, None)


def _is_outermost(node: Node) -> bool:
    """The node for the step itself, not one of its items or rounds (their `when` was decided)."""
    return node.index is None and node.iteration is None


def _skip_reason(node: Node) -> str | None:
    step, parent = node.step, node.parent
    if parent is None or node.always or not _is_outermost(node):
        return None
    references = step.references
    if not references and not step.depends_on:
        return None
    peers = parent.by_id
    for needs in (step.depends_on, references):
        for need in needs:
            peer = peers[need]
            if peer.status == "failed" and peer.step.on_error == "skip_dependents":
                return f"{need} failed"
            if peer.status == "cancelled":
                return f"{need} was cancelled"
    used = [peers[r] for r in references if not peers[r].always]
    if used and all(p.status == "skipped" for p in used):
        return f"{', '.join(p.step.id for p in used)} skipped"
    return None


# --- settling ----------------------------------------------------------------------------------


def settle(run: Run, node: Node, status: StepStatus, at: int) -> None:
    """A node is over: count it, fail what is above if it must, release what waited for it."""
    held_back = node.status == "pending" and node.parent is not None and node in node.parent.waiting
    if node.status != "running" or node.mode != "leaf":  # what runs is neither ready nor to be expanded
        unready(run, node)
    set_status(run, node, status)
    node.finished_at = at
    node.due_at = None
    parent = node.parent
    if parent is None:
        return
    if node.always:
        run.always_open -= 1
    else:
        parent.remaining -= 1
    if status == "failed":
        _propagate(run, node, at)
    elif status == "cancelled" and parent.mode == "loop" and not parent.over:
        parent.cancelled = True
    for other in node.dependents:
        other.blockers -= 1
        if not other.blockers and not (other.always and not run.closing):
            release(run, other, at)
    if parent.mode == "fan_out" and not held_back:  # else it leaves no place to another
        while parent.waiting and not parent.failing and not parent.cancelled:
            following = parent.waiting.pop()
            if not following.over:
                release(run, following, at)
                break
    check(run, parent, at)


def _propagate(run: Run, node: Node, at: int) -> None:
    """Mark as failing what this failure dooms, and take back what was ready in there."""
    step, parent = node.step, node.parent
    while parent is not None and not parent.failing and not parent.over:
        is_loop = parent.mode == "loop"
        if step.on_error != "fail" and not is_loop:
            return
        parent.failing = True
        if parent.error is None:
            parent.error = node.error
            parent.reason = node.path
        halt(run, parent, at)
        step, parent = parent.step, parent.parent


def halt(run: Run, container: Node, at: int) -> None:
    """Take back all that is ready below; inner containers in which nothing runs end here."""
    for node in list(container.children):
        if node.over or node.always or node.status in {"retry_wait", "waiting_answer"}:
            continue  # a step between two tries is running: it may finish; a question still expires
        unready(run, node)
        if node.mode != "leaf":
            halt(run, node, at)
            if node.status == "running" and not node.live:
                settle(run, node, "failed" if node.failing else "cancelled", at)
        elif node.status == "ready":
            set_status(run, node, "pending")


def check(run: Run, container: Node, at: int) -> None:
    """End the container if it is over."""
    if container.over:
        return
    halted = container.failing or container.cancelled or blocked(run, container)
    if container.remaining and not (halted and not container.live):
        return
    if container.parent is None:
        run.close(at)
        return
    if container.status != "running":
        return
    if not halted and (container.mode == "loop" or container.encloses):
        run.todo[container.path] = Expand(container.path)  # the shell evaluates `until`, or the outputs
        return
    end(run, container, at)


def end(run: Run, container: Node, at: int) -> None:
    """Settle a container by its children."""
    if container.failing:
        container.error = container.error or ErrorInfo(kind="internal", message="a step failed")
        settle(run, container, "failed", at)
        return
    if container.cancelled or container.remaining or (container.mode == "loop" and blocked(run, container)):
        settle(run, container, "cancelled", at)
        return
    match container.mode:
        case "group":
            container.output = {i: n.output for i, n in container.by_id.items()}
        case "fan_out":
            container.output = [n.output for n in container.children]
            if container.step.on_error == "skip_dependents":
                failed = next((n for n in container.children if n.status == "failed"), None)
                if failed is not None:
                    container.error = failed.error
                    settle(run, container, "failed", at)
                    return
        case _:
            container.output = container.children[-1].output if container.children else None
    settle(run, container, "succeeded", at)


# --- stopping ----------------------------------------------------------------------------------


def cancel(run: Run, node: Node, at: int, reason: str) -> None:
    """Cancel a branch: running attempts are asked to stop, everything else ends at once."""
    if node.over:
        return
    if node.mode == "leaf":
        if node.status == "running":
            run.stops[node.path] = node
            node.reason = reason
        else:
            node.reason = reason
            if node.attempts and node.attempts[-1].status == "running":  # it was waiting for an answer
                node.attempts[-1].status = "cancelled"
                node.attempts[-1].finished_at = at
            settle(run, node, "cancelled", at)
        return
    node.cancelled = True
    node.reason = node.reason or reason
    node.waiting.clear()
    unready(run, node)
    for inner in list(node.children):
        cancel(run, inner, at, reason)
    if node.status in {"pending", "ready", "running"} and not node.live:  # its children did not end it
        settle(run, node, "cancelled", at)


def group_steps(step: StepDef) -> tuple[StepDef, ...]:
    match step.action:
        case Group(steps=steps):
            return steps
        case SubWorkflow(workflow=inner):
            return inner.steps
        case _:
            return ()
