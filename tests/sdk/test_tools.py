"""Agents of the SDK with tools: functions of the program, called by the model."""

from __future__ import annotations

import threading

import pytest

from aethermind import AgentRuntime, InMemoryStore, StepContext, create_agent
from aethermind.domain.errors import ToolError
from tests.engine.talker import Talker

LOOK = [("search", {"query": "tides"})]


def runtime_of(talker: Talker) -> AgentRuntime:
    runtime = AgentRuntime(store=InMemoryStore())
    runtime.register_provider("paid", talker)
    return runtime


async def test_a_declarative_agent_calls_a_function() -> None:
    where: list[int] = []

    def search(query: str, limit: int = 3) -> list[str]:
        """Search the shelf."""
        where.append(threading.get_ident())
        return [f"{query} {number}" for number in range(limit)]

    talker = Talker(LOOK, "found")
    async with runtime_of(talker) as runtime:
        runtime.create_agent(name="finder", model="paid:m", tools=[search])
        result = await runtime.execute_agent("finder", "go")
    assert result.text == "found"
    assert where != [threading.get_ident()]
    (given,) = talker.requests[0].tools
    assert (given["name"], given["description"]) == ("search", "Search the shelf.")
    assert given["input_schema"]["properties"]["limit"]["type"] == "integer"
    assert talker.requests[1].messages[-1].content == '["tides 0","tides 1","tides 2"]'


async def test_two_agents_may_have_tools_of_one_name() -> None:
    talker = Talker(LOOK, "found")

    def shelf(what: str) -> str:
        return what

    async with runtime_of(talker) as runtime:
        for name in ("one", "two"):

            def search(query: str, name: str = name) -> str:
                return f"{name} found {query}"

            runtime.register_agent(create_agent(name=name, model="paid:m", tools=[search, shelf]))
        for name in ("one", "two"):
            await runtime.execute_agent(name, "go")
            assert talker.requests[-1].messages[-1].content == f"{name} found tides"


async def test_an_agent_with_logic_has_its_tools_in_its_chats() -> None:
    talker = Talker(LOOK, "found")

    async def search(query: str) -> str:
        return query.upper()

    async def logic(ctx: StepContext) -> str:
        return str(await ctx.chat("go"))

    async with runtime_of(talker) as runtime:
        runtime.create_agent(name="finder", model="paid:m", logic=logic, tools=[search])
        result = await runtime.execute_agent("finder", {})
    assert result.output == "found"
    assert talker.requests[-1].messages[-1].content == "TIDES"


async def test_a_function_that_asks_first_waits_for_a_person() -> None:
    talker = Talker(LOOK, "found")
    done: list[str] = []

    def search(query: str) -> str:
        done.append(query)
        return "x"

    async with runtime_of(talker) as runtime:
        runtime.create_agent(name="finder", model="paid:m", tools=[{"function": search, "approve": "ask"}])
        waiting = await runtime.execute_agent("finder", "go")
        assert (waiting.status, done) == ("waiting_answer", [])
        await runtime.client.answer(waiting.run_id, "finder", {"approved": True}, by="ada")
        run = await runtime.client.wait(waiting.run_id)
    assert run.status == "succeeded"
    assert done == ["tides"]


async def test_what_no_model_could_call_is_refused() -> None:
    def odd(one: str, /) -> str:
        return one

    async with runtime_of(Talker("x")) as runtime:
        with pytest.raises(ToolError, match="odd"):
            runtime.create_agent(name="finder", model="paid:m", tools=[odd])
