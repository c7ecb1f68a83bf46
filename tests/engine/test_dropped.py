"""Whatever goes wrong with a run, nobody is left waiting, and what is recorded can be read again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import AethermindError, InvalidError, StoreError
from aethermind.domain.events import Draft, Recorded, Submitter
from aethermind.domain.workflow import Ask, Command, Function, Prompt, Retry, StepDef, Value
from aethermind.engine.client import RunRequest
from aethermind.engine.context import StepContext
from aethermind.engine.ports import Finished, TextDelta
from aethermind.infra.stores.memory import InMemoryStore
from tests.engine.harness import Harness, Kept, types, workflow

ASK = StepDef(id="ask", action=Ask(message="Go on?", approval=True))
OTHER = StepDef(id="other", action=Ask(message="And here?", approval=True))


class Broken(InMemoryStore):
    """Refuses to append when told."""

    broken = False

    async def append(self, drafts: Sequence[Draft], expected: Mapping[str, int]) -> list[Recorded]:
        if self.broken:
            raise StoreError("the disk is full")
        return await super().append(drafts, expected)


async def test_a_definition_that_cannot_be_opened_is_an_error_for_who_submitted_it() -> None:
    async with Harness() as h:
        broken = workflow(StepDef(id="a", action=Value(value=1), depends_on=("nowhere",)))
        with pytest.raises((AethermindError, KeyError)):
            await asyncio.wait_for(h.start(broken), 5)


async def test_waiting_for_a_run_that_was_dropped_says_so() -> None:
    store, go_on = Broken(), asyncio.Event()

    async def step(ctx: StepContext) -> int:
        await go_on.wait()
        return 1

    async with Harness(store=store) as h:
        h.engine.register("f", step)
        run_id = await h.start(workflow(StepDef(id="a", action=Function(name="f"))))
        live = h.engine.scheduler.live[run_id]
        store.broken = True
        with pytest.raises(StoreError):
            await asyncio.wait_for(h.client.pause(run_id), 5)
        with pytest.raises(AethermindError):
            await asyncio.wait_for(h.engine.scheduler.settled(live), 5)
        go_on.set()


@pytest.mark.parametrize("live", [True, False])
async def test_a_question_whose_step_was_cancelled_takes_no_answer(live: bool) -> None:
    store = Kept()
    async with Harness(store=store) as h:
        run_id = await h.start(workflow(ASK, OTHER))
        await h.client.wait(run_id)
        await h.client.cancel(run_id, step="ask" if live else None)
        if live:
            with pytest.raises(InvalidError, match="cancelled"):
                await asyncio.wait_for(h.client.answer(run_id, "ask", {"approved": True}), 5)
            assert (await h.client.run(run_id)).status == "waiting_answer"
        else:
            await asyncio.wait_for(h.client.wait(run_id), 5)
    async with Harness(store=store) as h:
        with pytest.raises(InvalidError, match="cancelled"):
            await h.client.answer(run_id, "ask", {"approved": True})
        await h.verify(run_id)


async def test_what_does_not_fit_is_not_recorded() -> None:
    store = Kept()
    async with Harness(store=store) as h:
        run = await h.run(workflow(StepDef(id="a", action=Value(value=1))))
        history = await h.history(run.id)
        started = next(r.event for r in history if r.type == "AttemptStarted")
        with pytest.raises(AethermindError):
            await h.engine.scheduler.act_offline(run.id, lambda _run: [started])
        assert await h.history(run.id) == history


async def _interrupt(h: Harness, started: asyncio.Event, *steps: StepDef) -> str:
    run_id = await h.start(workflow(*steps))
    await asyncio.wait_for(started.wait(), 5)
    return run_id


async def test_retrying_a_run_that_is_not_finished_starts_nothing() -> None:
    store, started = Kept(), asyncio.Event()

    async def hang(ctx: StepContext) -> None:
        started.set()
        await asyncio.Event().wait()

    async with Harness(store=store) as h:
        h.engine.register("f", hang)
        run_id = await _interrupt(h, started, StepDef(id="a", action=Function(name="f")))
    async with Harness(store=store) as h:
        h.engine.register("f", hang)
        before = types(await h.history(run_id))
        with pytest.raises(InvalidError, match=r"interrupted|running"):
            await h.client.retry(run_id)
        assert run_id not in h.engine.scheduler.live
        assert types(await h.history(run_id)) == before


async def test_a_step_that_was_cancelled_while_nobody_drove_it_is_not_run_again() -> None:
    store, started = Kept(), asyncio.Event()
    tries = 0

    async def hang(ctx: StepContext) -> None:
        nonlocal tries
        tries += 1
        started.set()
        await asyncio.Event().wait()

    async with Harness(store=store) as h:
        h.engine.register("f", hang)
        run_id = await _interrupt(h, started, StepDef(id="a", action=Function(name="f")), OTHER)
    async with Harness(store=store) as h:
        h.engine.register("f", hang)
        await h.client.cancel(run_id, step="a", by="ada")
        await h.client.resume(run_id)
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.nodes["a"].status == "cancelled"
        assert (tries, run.status) == (1, "waiting_answer")
        await h.verify(run_id)


async def test_a_command_that_was_cancelled_is_not_asked_about(tmp_path: Path) -> None:
    store = Kept()
    begun = tmp_path / "begun"
    command = Command(argv=("sh", "-c", f"echo x; touch {begun}; sleep 60"))
    async with Harness(store=store) as h:
        run_id = await h.start(workflow(StepDef(id="a", action=command), OTHER))
        async for item in h.engine.feed.follow(after=0, run_id=run_id):
            if getattr(item, "type", "") == "LogWritten":
                break
    async with Harness(store=store) as h:
        await h.client.cancel(run_id, step="a")
        await h.client.resume(run_id)
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.nodes["a"].status == "cancelled"
        assert run.nodes["a"].question is None


async def test_two_who_retry_at_once_are_one() -> None:
    started = asyncio.Event()
    broken = True

    async def step(ctx: StepContext) -> int:
        if broken:
            raise ValueError("no")
        started.set()
        await asyncio.Event().wait()
        return 1

    async with Harness() as h:
        h.engine.register("f", step)
        action = StepDef(id="a", action=Function(name="f"), retry=Retry(max_attempts=1))
        run = await h.run(workflow(action))
        broken = False
        both = await asyncio.gather(h.client.retry(run.id), h.client.retry(run.id), return_exceptions=True)
        assert sum(isinstance(r, AethermindError) for r in both) == 1
        assert sum(r is None for r in both) == 1
        await asyncio.wait_for(started.wait(), 5)
        assert run.id in h.engine.scheduler.live


async def test_a_clock_that_is_set_back_does_not_stop_a_timer() -> None:
    tries = 0

    async def step(ctx: StepContext) -> int:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ValueError("not yet")
        return tries

    async with Harness() as h:
        clock = h.engine.clock
        now = clock.now

        def slow() -> int:
            return now() - 60 if tries == 1 else now()

        h.engine.register("f", step)
        h.engine.scheduler._chance.jitter = lambda: 1.0  # type: ignore[method-assign]  # the whole backoff
        retry = Retry(max_attempts=2, backoff_ms=30)
        run_id = await h.start(workflow(StepDef(id="a", action=Function(name="f"), retry=retry)))
        async for item in h.engine.feed.follow(after=0, run_id=run_id):
            if getattr(item, "type", "") == "AttemptFailed":
                break
        clock.now = slow  # type: ignore[method-assign]  # set back after the timer was armed
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.status == "succeeded"


HALF = "\ud83d"


@pytest.mark.parametrize("value", ["{{ '\\ud83d' }}", "x {{ '\\ud83d' }}", {"a": ["{{ '\\ud83d' }}"]}])
async def test_a_value_that_cannot_be_recorded_fails_its_step(value: object) -> None:
    async with Harness() as h:
        run = await asyncio.wait_for(h.run(workflow(StepDef(id="a", action=Value(value=value)))), 5)
        assert run.status == "failed"
        assert run.error is not None
        assert run.error.kind == "expression"


async def test_all_steps_can_be_a_value() -> None:
    async with Harness() as h:
        steps = [StepDef(id="a", action=Value(value=7))]
        steps.append(StepDef(id="b", action=Value(value="{{ steps }}"), depends_on=("a",)))
        run = await asyncio.wait_for(h.run(workflow(*steps)), 5)
        assert run.nodes["b"].output["a"]["output"] == 7


async def test_half_characters_in_errors_and_logs_do_not_harm_the_run() -> None:
    async def step(ctx: StepContext) -> None:
        odd: dict[str, Any] = {f"k{HALF}": HALF}
        ctx.log(f"odd {HALF}", **odd)
        raise ValueError(f"odd {HALF}")

    async with Harness() as h:
        h.engine.register("f", step)
        action = StepDef(id="a", action=Function(name="f"), retry=Retry(max_attempts=1))
        run = await asyncio.wait_for(h.run(workflow(action)), 5)
        assert run.error is not None
        assert run.error.message == "ValueError: odd \N{REPLACEMENT CHARACTER}"


async def test_a_character_that_a_provider_cuts_in_two_is_whole_again() -> None:
    class Cut:
        """Streams an emoji as two halves, as a server that escapes JSON piece by piece does."""

        simulated = False

        async def stream(self, _request: object) -> AsyncIterator[object]:
            yield TextDelta(text="a\ud83d")
            yield TextDelta(text="\ude00b\ud83d")
            yield Finished(reason="stop", usage=None)

        async def close(self) -> None:
            return None

    async with Harness() as h:
        h.engine.models.register("cut", Cut())  # type: ignore[attr-defined]  # of the configured models
        chat = StepDef(id="a", action=Prompt(template="x", models=("cut:m",)), retry=Retry(max_attempts=1))
        definition = workflow(chat)
        run_id = await h.client.start_run(
            RunRequest(
                definition=definition, inputs={}, submitter=Submitter(user="t", cwd=".", interpreter="")
            )
        )
        run = await asyncio.wait_for(h.client.wait(run_id), 5)
        assert run.outputs == {"a": "a\N{GRINNING FACE}b\N{REPLACEMENT CHARACTER}"}
