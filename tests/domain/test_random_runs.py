"""Random workflows with random fates: they always end, keep limits and dependencies, and replay equal."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aethermind.domain import ids
from aethermind.domain.events import (
    AttemptStarted,
    CancelRequested,
    DefinitionAdopted,
    RunPaused,
    RunReopened,
    RunResumed,
)
from aethermind.domain.recovery import lost
from aethermind.domain.state import Node
from aethermind.domain.workflow import WorkflowDef
from tests.domain.driver import Driver, picture
from tests.domain.strategies import workflows

EXAMPLES = int(os.environ.get("AETHERMIND_TEST_EXAMPLES", "25"))
"""Per property; the benchmark machine runs some thousands."""


def chooser(data: st.DataObject, *, failures: bool) -> Any:
    outcomes = ["ok", "ok", "ok", "fatal", "retryable"] if failures else ["ok"]

    def choose(kind: str, node: Node) -> Any:
        match kind:
            case "outcome":
                return data.draw(st.sampled_from(outcomes))
            case "items":
                return data.draw(st.integers(0, 4))
            case "next":
                return data.draw(st.integers(0, 3))
            case _:
                return data.draw(st.booleans())

    return choose


@settings(max_examples=EXAMPLES)
@given(workflow=workflows(), data=st.data())
def test_every_run_ends_and_replays_to_the_same_state(workflow: WorkflowDef, data: st.DataObject) -> None:
    driver = Driver(workflow, chooser(data, failures=True))
    run = driver.drive()
    assert run.finished in {"succeeded", "failed"}
    assert picture(driver.replayed()) == picture(run)
    if run.finished == "succeeded":
        assert all(n.over or _inside_a_failed_container(n) for n in run.nodes.values())


def _runs_at_the_end(node: Node) -> bool:
    """Whether it is an `always` step or inside one: these run again in every generation."""
    up: Node | None = node
    while up is not None:
        if up.always:
            return True
        up = up.parent
    return False


def _inside_a_failed_container(node: Node) -> bool:
    up = node.parent
    while up is not None:
        if up.status in {"failed", "cancelled"}:
            return True
        up = up.parent
    return False


@settings(max_examples=EXAMPLES)
@given(workflow=workflows(), data=st.data())
def test_without_failures_every_run_succeeds(workflow: WorkflowDef, data: st.DataObject) -> None:
    run = Driver(workflow, chooser(data, failures=False)).drive()
    assert run.finished == "succeeded"
    assert {n.status for n in run.nodes.values()} <= {"succeeded", "skipped"}


@settings(max_examples=EXAMPLES)
@given(workflow=workflows(), data=st.data())
def test_cancelling_at_any_moment_ends_the_run(workflow: WorkflowDef, data: st.DataObject) -> None:
    driver = Driver(workflow, chooser(data, failures=True))
    for _ in range(data.draw(st.integers(0, 12))):
        if not driver.step():
            return
    whole = data.draw(st.booleans())
    target = None if whole else data.draw(st.sampled_from(sorted(driver.run.nodes)))
    started = len([r for r in driver.history if r.type == "AttemptStarted"])
    driver.emit(CancelRequested(step=target, by="me"))
    run = driver.drive()
    assert picture(driver.replayed()) == picture(run)
    if whole:
        assert run.finished == "cancelled"
        assert len([r for r in driver.history if r.type == "AttemptStarted"]) == started
        assert all(n.over or _inside_a_failed_container(n) for n in run.nodes.values())
    else:
        assert run.finished in {"succeeded", "failed"}


@settings(max_examples=EXAMPLES)
@given(workflow=workflows(), data=st.data())
def test_pausing_starts_nothing_and_resuming_goes_on(workflow: WorkflowDef, data: st.DataObject) -> None:
    driver = Driver(workflow, chooser(data, failures=True))
    for _ in range(data.draw(st.integers(0, 8))):
        if not driver.step():
            return
    driver.emit(RunPaused())
    before = len([r for r in driver.history if r.type == "AttemptStarted"])
    while driver.step():
        pass
    if driver.run.finished is None:
        assert len([r for r in driver.history if r.type == "AttemptStarted"]) == before
        driver.emit(RunResumed())
    assert driver.drive().finished in {"succeeded", "failed"}


@settings(max_examples=EXAMPLES)
@given(workflow=workflows(), data=st.data())
def test_a_crash_at_any_moment_is_healed_by_folding(workflow: WorkflowDef, data: st.DataObject) -> None:
    driver = Driver(workflow, chooser(data, failures=True))
    for _ in range(data.draw(st.integers(0, 15))):
        if not driver.step():
            return
    done = {p for p, n in driver.run.nodes.items() if n.mode == "leaf" and n.status == "succeeded"}
    driver.run = driver.replayed()
    crashed_at = len(driver.history)
    for path in list(driver.running):
        driver.emit(lost(driver.run.node(path)))
    driver.running.clear()
    run = driver.drive()
    assert run.finished in {"succeeded", "failed"}
    later = [r.event for r in driver.history[crashed_at:]]
    again = {event.step for event in later if isinstance(event, AttemptStarted)}
    assert not again & done


@settings(max_examples=EXAMPLES)
@given(workflow=workflows(), data=st.data())
def test_a_failed_run_can_be_retried_until_it_succeeds(workflow: WorkflowDef, data: st.DataObject) -> None:
    driver = Driver(workflow, chooser(data, failures=True))
    run = driver.drive()
    if run.finished != "failed":
        return
    kept = {
        p: len(n.attempts)
        for p, n in run.nodes.items()
        if n.mode == "leaf" and n.status == "succeeded" and not _runs_at_the_end(n)
    }
    targets = tuple(p for p, n in run.nodes.items() if n.mode == "leaf" and n.status == "failed")
    driver.choose = chooser(data, failures=False)
    driver.emit(RunReopened(steps=targets, generation=2))
    run = driver.drive()
    assert run.finished == "succeeded"
    assert picture(driver.replayed()) == picture(run)
    for path, attempts in kept.items():
        node = run.nodes.get(path)
        assert node is None or len(node.attempts) in {attempts, attempts + 1}


@settings(max_examples=EXAMPLES)
@given(workflow=workflows(), data=st.data())
def test_an_edited_definition_keeps_what_it_may_and_runs_the_rest(
    workflow: WorkflowDef, data: st.DataObject
) -> None:
    driver = Driver(workflow, chooser(data, failures=True))
    for _ in range(data.draw(st.integers(0, 20))):
        if not driver.step():
            break
    for path in list(driver.running):
        driver.emit(lost(driver.run.node(path)))
    driver.running.clear()
    kept: list[str] = []
    for step in workflow.steps:
        if all(need in kept for need in step.needs) and data.draw(st.booleans()):
            kept.append(step.id)
    stays: set[str] = set()  # what failed is tried again, with what follows from it
    for step in workflow.steps:
        over = driver.run.root.by_id[step.id].status in {"succeeded", "skipped"}
        if step.id in kept and over and stays.issuperset(step.needs):
            stays.add(step.id)
    done = {
        p: len(n.attempts)
        for p, n in driver.run.nodes.items()
        if n.status == "succeeded" and n.mode == "leaf" and not _runs_at_the_end(n) and _root(p) in stays
    }
    edited = DefinitionAdopted(definition=workflow, definition_hash="edited", kept=tuple(kept))
    driver.choose = chooser(data, failures=False)
    driver.emit(edited)
    run = driver.drive()
    assert run.finished == "succeeded"
    assert picture(driver.replayed()) == picture(run)
    assert {p: len(run.nodes[p].attempts) for p in done} == done


def _root(path: str) -> str:
    return ids.static_path(path).split("/", 1)[0]
