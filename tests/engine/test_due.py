"""Many turns that are due at once leave room for what else the event loop has to do."""

from __future__ import annotations

import asyncio

from aethermind.engine.due import AT_ONCE, Due


class Turn:
    def __init__(self, name: str, told: list[str]) -> None:
        self._name = name
        self._told = told

    def begin(self) -> None:
        self._told.append(self._name)


async def test_others_are_served_between_turns() -> None:
    told: list[str] = []
    due = Due()
    count = AT_ONCE * 3
    for n in range(count):
        due.add(Turn(str(n), told))
    asyncio.get_running_loop().call_soon(told.append, "other")
    for _ in range(5):
        await asyncio.sleep(0)
    assert told.index("other") == AT_ONCE
    assert [name for name in told if name != "other"] == [str(n) for n in range(count)]


async def test_a_turn_that_makes_another_due_does_not_lose_it() -> None:
    told: list[str] = []
    due = Due()

    class Chain(Turn):
        def begin(self) -> None:
            super().begin()
            if len(told) < 3:
                due.add(Chain(f"after {self._name}", told))

    due.add(Chain("first", told))
    for _ in range(5):
        await asyncio.sleep(0)
    assert told == ["first", "after first", "after after first"]


async def test_a_turn_that_raises_keeps_nobody_else_from_his() -> None:
    told: list[str] = []
    raised: list[object] = []
    due = Due()

    class Broken(Turn):
        def begin(self) -> None:
            raise RuntimeError("broken")

    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: raised.append(context["exception"])
    )
    due.add(Broken("", told))
    due.add(Turn("second", told))
    for _ in range(4):
        await asyncio.sleep(0)
    assert told == ["second"]
    assert [str(error) for error in raised] == ["broken"]
