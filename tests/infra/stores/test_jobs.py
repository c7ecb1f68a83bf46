"""How answers of the writer get back into an event loop."""

from __future__ import annotations

import asyncio

import pytest

from aethermind.infra.stores.jobs import AT_ONCE, Answer, answer


async def test_many_answers_leave_room_and_keep_the_order_of_the_commits() -> None:
    loop = asyncio.get_running_loop()
    told: list[int] = []
    count = AT_ONCE * 3
    answers: list[Answer] = []
    for n in range(count + 2):
        future: asyncio.Future[int] = loop.create_future()
        future.add_done_callback(lambda done: told.append(done.result()))
        answers.append((future, n))
    answer(loop, answers[:count])
    answer(loop, answers[count:])  # a later commit, while the first is being told
    rounds = 0
    while len(told) < len(answers):
        before = len(told)
        await asyncio.sleep(0)
        rounds += 1
        assert len(told) - before <= AT_ONCE
    assert told == list(range(count + 2))
    assert rounds > 3


async def test_an_answer_that_nobody_waits_for_any_more_holds_nothing_up() -> None:
    loop = asyncio.get_running_loop()
    gone: asyncio.Future[int] = loop.create_future()
    gone.cancel()
    failed: asyncio.Future[int] = loop.create_future()
    answer(loop, [(gone, 1), (failed, ValueError("broken"))])
    with pytest.raises(ValueError, match="broken"):
        await asyncio.wait_for(failed, 5)
