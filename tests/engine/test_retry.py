"""A finished run is taken up again: what a retry runs, and what it leaves."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from aethermind.domain.run import Run
from aethermind.domain.workflow import Function, Group, Prompt, Repeat, StepDef, Value
from aethermind.engine.context import StepContext
from tests.engine.harness import Harness, workflow


class Bench:
    """Functions that count their calls; those in `broken` fail, `late` ends after the run is doomed."""

    def __init__(self, h: Harness) -> None:
        self.h = h
        self.calls: Counter[str] = Counter()
        self.broken: set[str] = set()
        self.doomed = asyncio.Event()
        for name in ("a", "b", "x", "y", "late"):
            h.engine.register(name, self._function(name))

    def _function(self, name: str) -> Any:
        async def work(ctx: StepContext) -> str:
            self.calls[name] += 1
            if name in self.broken:
                self.doomed.set()
                raise ValueError("broken")
            if name == "late" and self.broken:
                await asyncio.wait_for(self.doomed.wait(), 5)
            return f"{name}{self.calls[name]}"

        return work

    async def retry(self, run: Run, *steps: str) -> Run:
        await self.h.client.retry(run.id, steps=steps, by="me")
        run = await asyncio.wait_for(self.h.client.wait(run.id), 5)
        await self.h.verify(run.id)
        return run


def function(name: str, **fields: Any) -> StepDef:
    return StepDef(id=name, action=Function(name=name), **fields)


def group(id_: str, *steps: StepDef, **fields: Any) -> StepDef:
    return StepDef(id=id_, action=Group(steps=steps), **fields)


async def test_a_group_that_was_halted_goes_on() -> None:
    async with Harness() as h:
        bench = Bench(h)
        bench.broken = {"x"}
        run = await h.run(
            workflow(
                group("one", function("x")),
                group("two", function("late"), function("y", depends_on=("late",))),
                StepDef(id="end", action=Value(value="{{ two.y }}"), references=("two",)),
            )
        )
        assert (run.status, run.nodes["two"].status, run.nodes["two/y"].status) == (
            "failed",
            "cancelled",
            "pending",
        )
        bench.broken = set()
        run = await bench.retry(run)
        assert (run.status, run.nodes["end"].output) == ("succeeded", "y1")
        assert bench.calls == {"x": 2, "late": 1, "y": 1}


async def test_what_failed_downstream_of_another_failure_runs_in_its_whole_group() -> None:
    async with Harness() as h:
        bench = Bench(h)
        bench.broken = {"a", "x"}
        run = await h.run(
            workflow(
                function("a", on_error="continue"),
                group("g", function("x"), function("y", depends_on=("x",)), depends_on=("a",)),
            )
        )
        assert run.status == "failed"
        bench.broken = set()
        run = await bench.retry(run)
        assert (run.status, run.nodes["g"].output) == ("succeeded", {"x": "x2", "y": "y1"})


async def test_from_an_item_or_a_group_runs_all_of_it() -> None:
    async with Harness() as h:
        bench = Bench(h)
        fan = group("fan", function("x"), function("y", depends_on=("x",)), for_each=[1, 2])
        run = await h.run(workflow(fan, function("b", depends_on=("fan",))))
        assert run.status == "succeeded"
        run = await bench.retry(run, "fan[1]")
        assert bench.calls == {"x": 3, "y": 3, "b": 2}
        run = await bench.retry(run, "fan")
        assert bench.calls == {"x": 5, "y": 5, "b": 3}
        assert run.status == "succeeded"


async def test_from_a_round_drops_the_rounds_after_it() -> None:
    async with Harness() as h:
        bench = Bench(h)
        loop = group("loop", function("x"), repeat=Repeat(until="{{ iteration >= 3 }}", max=5))
        run = await h.run(workflow(loop))
        assert bench.calls["x"] == 3
        run = await bench.retry(run, "loop#2/x")
        assert (bench.calls["x"], run.nodes["loop"].output) == (5, {"x": "x5"})
        run = await bench.retry(run, "loop#3")
        assert bench.calls["x"] == 6
        run = await bench.retry(run, "loop")
        assert (bench.calls["x"], run.nodes["loop"].output) == (9, {"x": "x9"})


async def test_from_a_step_takes_up_what_the_run_failed_by_too() -> None:
    async with Harness() as h:
        bench = Bench(h)
        bench.broken = {"x", "b"}
        run = await h.run(
            workflow(function("a"), function("b", on_error="continue"), function("x", depends_on=("b",)))
        )
        assert run.status == "failed"
        run = await bench.retry(run, "a")
        assert run.status == "failed"
        bench.broken = set()
        run = await bench.retry(run, "a")
        assert run.status == "succeeded"
        assert bench.calls == {"a": 3, "b": 1, "x": 3}  # that b failed did not stop the run


async def test_a_fan_out_whose_list_could_not_be_made_is_retried() -> None:
    async with Harness() as h:
        bench = Bench(h)
        fan = group("fan", function("x"), for_each="{{ a.items }}", references=("a",))
        run = await h.run(workflow(function("a"), fan))
        assert (run.status, run.nodes["fan"].status) == ("failed", "failed")
        assert (await bench.retry(run)).nodes["a"].attempts[-1].n == 1
        assert (await bench.retry(run, "a")).status == "failed"
        assert bench.calls["a"] == 2


async def test_a_scripted_error_is_over_once_it_came_also_when_the_run_is_taken_up_again() -> None:
    async with Harness() as h:
        run = await h.run(
            workflow(StepDef(id="a", action=Prompt(template="Hi", models=("smart",)))),
            sim={"steps": {"a": {"replies": ["one", "two"], "errors": [400]}}},
        )
        assert run.status == "failed"
        for said in ("one", "two"):
            await h.client.retry(run.id, steps=("a",), by="me")
            run = await asyncio.wait_for(h.client.wait(run.id), 5)
            assert (run.status, run.nodes["a"].output) == ("succeeded", said)
        await h.verify(run.id)
