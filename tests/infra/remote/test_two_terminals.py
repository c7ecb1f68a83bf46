"""Two people on one engine: they see the same, and a decision is made once."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from aethermind.domain.errors import DeniedError
from aethermind.domain.events import AskAnswered, Recorded
from aethermind.domain.run import Run
from aethermind.engine.client import Client
from aethermind.infra.remote.opening import connect
from tests.contract.clients import served
from tests.contract.test_client import ASK, A, request

PATIENCE = 20


async def follow(client: Client, run_id: str) -> tuple[Run, str]:
    """The run as this one sees it to its end, and who decided, as told to it."""
    run, decided = Run(run_id), ""
    async with aclosing(client.feed(after=0, run_id=run_id)) as items:  # type: ignore[type-var]  # feeds are async generators
        async for item in items:
            if isinstance(item, Recorded):
                run.fold(item)
                if isinstance(item.event, AskAnswered):
                    decided = item.event.by
            if run.finished is not None:
                break
    return run, decided


async def test_both_see_the_same_and_an_approval_is_decided_once() -> None:
    with served() as engine:
        async with (
            asyncio.timeout(PATIENCE),
            connect(engine.target, by="ana") as ana,
            connect(engine.target, by="bo") as bo,
        ):
            run_id = await ana.start_run(request(A, ASK))
            watching = [asyncio.create_task(follow(client, run_id)) for client in (ana, bo)]
            assert (await bo.wait(run_id)).status == "waiting_answer"
            answers = await asyncio.gather(
                ana.answer(run_id, "ask", {"choice": "yes"}),
                bo.answer(run_id, "ask", {"choice": "no"}),
                return_exceptions=True,
            )
            (refused,) = [answer for answer in answers if answer is not None]
            winner, choice = ("ana", "yes") if answers[0] is None else ("bo", "no")
            assert isinstance(refused, DeniedError)
            assert f"decided by {winner}: choice={choice}" in refused.message
            seen = await asyncio.gather(*watching)
            assert [(run.status, run.outputs["ask"]["choice"], by) for run, by in seen] == [
                ("succeeded", choice, winner)
            ] * 2
            assert seen[0][0].seq == seen[1][0].seq
            # Whatever one does to a run, the other's next look has it.
            other = await bo.start_run(request(ASK, A))
            await ana.pause(other)
            assert (await bo.run(other)).status == "paused"
            with pytest.raises(DeniedError):
                await ana.answer(run_id, "ask", {"choice": "yes" if choice == "no" else "no"})
