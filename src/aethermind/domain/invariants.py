"""What must hold of a run after every event. Called by every engine test, and of runs that come from outside
(`infra.bundle`); never of our own in production.
"""

from __future__ import annotations

from collections.abc import Mapping

from aethermind.domain.journal import PROGRAMS
from aethermind.domain.run import Run
from aethermind.domain.state import LIVE, TRANSITIONS, Node, StepStatus


def check(run: Run) -> None:
    """Raise `AssertionError` naming the rule and the node."""
    if not run.nodes and run.finished is None:
        return
    leaves: dict[str, int] = {}
    ready = {path for bucket in run.ready.values() for path in bucket}
    live = 0
    for path, node in run.nodes.items():
        _check_node(run, path, node)
        if node.mode == "leaf":
            leaves[node.status] = leaves.get(node.status, 0) + 1
            live += node.status in LIVE
    assert {k: v for k, v in run.counts.items() if v} == leaves, f"counts {run.counts} are not {leaves}"
    assert run.root.live == live, f"live {run.root.live} is not {live}"
    for path in ready:
        assert run.nodes[path].status in {"ready", "retry_wait"}, (
            f"{path} is queued but {run.nodes[path].status}"
        )
    if run.finished is None and not run.cancelling:
        for path, node in run.nodes.items():
            assert (node.status == "ready") <= (path in ready), f"{path} is ready but not queued"
    if run.finished is not None:
        assert not live, f"a finished run has {live} live steps"
        assert not ready, "a finished run has ready steps"
    attempts = [attempt for node in run.nodes.values() for attempt in node.attempts]
    attempts += [attempt for retired, _ in run.retired.values() for attempt in retired]
    spent = [
        call.cost.micro_usd
        for attempt in attempts
        for call in attempt.calls
        if call.cost is not None and call.cost.micro_usd is not None
    ]
    calls = [call for attempt in attempts for call in attempt.calls]
    flying = sum(call.reserved or 0 for call in calls if call.status == "running")
    assert run.tally.reserved == flying, f"{run.tally.reserved} are reserved, not {flying}"
    at_most = sum(
        call.reserved or 0
        for call in calls
        if call.status == "lost" or (call.cost is not None and call.cost.bounded)
    )
    assert run.tally.at_most == at_most, f"at most {run.tally.at_most} more, not {at_most}"
    assert run.tally.cost == (sum(spent) if spent else None), "the run's cost is not the sum of its calls"


def statuses(run: Run) -> dict[str, StepStatus]:
    """Of all its steps, for `check_changes` after the next event."""
    return {path: node.status for path, node in run.nodes.items()}


def check_changes(before: Mapping[str, StepStatus], run: Run) -> None:
    """What one event changed of leaves (`before` it: these) is allowed; not for one that begins a new
    generation. Raises `AssertionError` naming the step.
    """
    for path, old in before.items():
        node = run.nodes.get(path)
        if node is not None and node.mode == "leaf" and node.status != old:
            assert node.status in TRANSITIONS[old], f"{path} went from {old} to {node.status}"


def _check_node(run: Run, path: str, node: Node) -> None:
    assert node.path == path
    running = [a for a in node.attempts if a.status == "running"]
    if node.mode == "leaf":
        asks = node.status == "waiting_answer" and node.question is not None and node.question.about == "ask"
        assert len(running) == int(node.status == "running" or asks), f"{node}: {running}"
        _check_tools(node)
    assert [a.n for a in node.attempts] == list(range(1, len(node.attempts) + 1)), f"{node}: attempts"
    if running and node.status == "running":
        parent = node.parent
        assert parent is not None
        if node.index is None and node.iteration is None:
            for need in node.step.needs:
                peer = parent.by_id[need]
                assert peer.over or peer.always != node.always, f"{node} runs before {peer}"
        if parent.mode == "fan_out" and parent.step.max_parallel:
            busy = sum(c.status in LIVE for c in parent.children)
            assert busy <= parent.step.max_parallel, f"{parent} has {busy} items running"
    if node.mode != "leaf" and node.status == "running":
        open_children = sum(not c.over and not c.always for c in node.children)
        assert node.remaining == open_children, f"{node}: {node.remaining} is not {open_children}"


def _check_tools(node: Node) -> None:
    """No tool is under way without its attempt, and what is done was asked for."""
    for attempt in node.attempts:
        for call in attempt.calls:
            wanted = [part["id"] for part in call.tool_calls]
            for tool in call.tools:
                assert tool.id in wanted or call.provider == PROGRAMS, f"{node}: {tool.id} was not asked for"
                assert tool.status != "running" or node.status == "running", f"{node}: {tool.id} is under way"
    if node.status == "waiting_answer" and node.question is not None and node.question.about == "tool":
        assert node.question.values is None, f"{node} waits for what was answered"
