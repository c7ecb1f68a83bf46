from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest

from aethermind.domain.errors import ProviderError
from aethermind.domain.usage import Usage
from aethermind.engine.ports import CallContext, ChatRequest, Message, TextDelta, ToolCallRequested
from aethermind.infra.providers.sim_prices import sim_cost
from aethermind.infra.providers.simulated import SimulatedProvider
from tests.servers.peers import ask, collect, end_of, failure, text_of


def call(step: str = "plan", sim: Mapping[str, Any] | None = None, **more: Any) -> ChatRequest:
    context = CallContext(step=step, sim=sim or {}, attempt=more.pop("attempt", 1), call=more.pop("call", 1))
    return ask(context=context, **more)


async def reply(request: ChatRequest, provider: SimulatedProvider | None = None) -> str:
    return text_of(await collect(provider or SimulatedProvider(), request))


class Clock:
    """Records what was slept, without sleeping."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


# --- which reply -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sim",
    [
        {"steps": {"plan": {"reply": "text"}}},
        {"steps": {"plan": "text"}},
        {"plan": "text"},
        {"plan": {"reply": "text", "delay": "1ms"}, "tokens_per_second": 9e9, "seed": 3},
    ],
)
async def test_short_and_long_forms(sim: dict[str, Any]) -> None:
    assert await reply(call(sim=sim), SimulatedProvider(sleep=Clock().sleep)) == "text"


async def test_a_reply_that_is_no_text_is_sent_as_json() -> None:
    for value in ({"sections": ["a"]}, ["a", "b"], 7, True, None):
        assert json.loads(await reply(call(sim={"steps": {"plan": {"reply": value}}}))) == value
    assert json.loads(await reply(call(sim={"plan": {"score": 9, "usage": "high"}}))) == {
        "score": 9,
        "usage": "high",
    }


@pytest.mark.parametrize(
    "step, expected",
    [
        ("sections[0]", "first"),
        ("sections[2]", "third"),
        ("sections[7]", "third"),  # the last is repeated
        ("deep/sections[1]", "second"),
        ("polish#2/sections", "second"),
        ("docs[2]/polish#1/sections", "first"),  # the innermost instance counts
        ("polish#3/sections[1]", "second"),
    ],
)
async def test_lists_follow_the_instance(step: str, expected: str) -> None:
    sim = {"steps": {"sections": ["first", "second", "third"]}}
    assert await reply(call(step, sim)) == expected


async def test_lists_follow_the_order_of_calls_where_there_is_no_instance() -> None:
    sim = {"plan": ["first", "second", "third"]}
    assert await reply(call("plan", sim, call=1)) == "first"
    assert await reply(call("plan", sim, call=2)) == "second"
    assert await reply(call("plan", sim, attempt=2)) == "second"


async def test_an_attempt_that_failed_by_script_takes_no_reply() -> None:
    sim = {"steps": {"plan": {"replies": ["first", "second"], "errors": [429, 500]}}}
    assert await reply(call("plan", sim, attempt=3)) == "first"
    assert await reply(call("plan", sim, attempt=4)) == "second"


async def test_the_most_exact_name_wins() -> None:
    sim = {"steps": {"judge": "by id", "polish/judge": "by path", "polish#2/judge": "exactly"}}
    assert await reply(call("polish#2/judge", sim)) == "exactly"
    assert await reply(call("polish#1/judge", sim)) == "by path"
    assert await reply(call("other/judge", sim)) == "by id"


async def test_settings_may_carry_the_script_and_the_file_wins() -> None:
    own = {"sim": {"reply": "from the settings"}}
    assert await reply(call(settings=own)) == "from the settings"
    assert await reply(call(settings={"sim": "short"})) == "short"
    assert await reply(call(settings={"sim": {"steps": {"plan": "long"}}})) == "long"
    assert await reply(call(sim={"plan": "from the file"}, settings=own)) == "from the file"
    assert await reply(call("other", sim={"plan": "from the file"}, settings=own)) == "from the settings"


# --- tools -------------------------------------------------------------------------------------

TOOLS = ({"name": "shell", "description": "Runs a program.", "input_schema": {"type": "object"}},)


def dialogue(answers: int, step: str = "fix", **more: Any) -> ChatRequest:
    """The request after so many answers, each of which called a tool."""
    messages = [Message(role="user", content="mend it")]
    for number in range(1, answers + 1):
        asked = {"id": f"call_{number}", "name": "shell", "arguments": {}}
        messages.append(Message(role="assistant", content="", tool_calls=(asked,)))
        messages.append(Message(role="tool", content="ok", tool_call_id=f"call_{number}"))
    context = CallContext(step=step, sim=more.pop("sim"), attempt=more.pop("attempt", 1))
    return ChatRequest(model="m", messages=tuple(messages), tools=more.pop("tools", TOOLS), context=context)


def calls_of(events: list[Any]) -> list[ToolCallRequested]:
    return [event for event in events if isinstance(event, ToolCallRequested)]


LOOP = [
    {"tools": [{"name": "shell", "arguments": {"argv": ["pytest"]}}], "text": "Let me look."},
    {"tools": [{"name": "shell", "arguments": "{broken"}, {"name": "nowhere"}]},
    "done",
]


async def test_a_scripted_conversation_calls_tools_answer_by_answer() -> None:
    sim = {"fix": LOOP}
    first = await collect(SimulatedProvider(), dialogue(0, sim=sim))
    assert text_of(first) == "Let me look."
    assert calls_of(first) == [ToolCallRequested("call_1", "shell", {"argv": ["pytest"]})]
    assert end_of(first).reason == "tool_calls"
    second = await collect(SimulatedProvider(), dialogue(1, sim=sim))
    assert calls_of(second) == [
        ToolCallRequested("call_2", "shell", "{broken"),
        ToolCallRequested("call_3", "nowhere", {}),
    ]
    last = await collect(SimulatedProvider(), dialogue(2, sim=sim))
    assert (text_of(last), calls_of(last), end_of(last).reason) == ("done", [], "stop")


async def test_a_conversation_goes_on_where_it_was_whatever_the_attempt_and_the_instance() -> None:
    for step, attempt in (("fix", 3), ("fix[7]", 1), ("loop#4/fix", 2)):
        request = dialogue(1, step, sim={"fix": LOOP}, attempt=attempt)
        assert len(calls_of(await collect(SimulatedProvider(), request))) == 2


async def test_each_instance_may_have_a_conversation_of_its_own() -> None:
    one = [{"tools": [{"name": "shell"}]}, "first"]
    other = [{"tools": [{"name": "shell"}]}, "second"]
    sim = {"steps": {"fix": {"replies": [one, other]}}}
    assert text_of(await collect(SimulatedProvider(), dialogue(1, "fix[1]", sim=sim))) == "second"
    assert text_of(await collect(SimulatedProvider(), dialogue(1, "fix[0]", sim=sim))) == "first"


async def test_a_step_without_tools_sends_such_a_reply_as_json() -> None:
    sim = {"fix": {"reply": {"tools": [{"name": "hammer"}]}}}
    events = await collect(SimulatedProvider(), dialogue(0, sim=sim, tools=()))
    assert json.loads(text_of(events)) == {"tools": [{"name": "hammer"}]}
    assert end_of(events).reason == "stop"


async def test_tools_and_their_calls_are_counted() -> None:
    request = dialogue(0, sim={"fix": LOOP})
    end = end_of(await collect(SimulatedProvider(), request))
    tools, said = len(json.dumps(TOOLS)), len("Let me look.") + len('[["shell", {"argv": ["pytest"]}]]')
    assert end.usage == Usage(input_tokens=-(-(tools + len("mend it")) // 4), output_tokens=-(-said // 4))


# --- errors ------------------------------------------------------------------------------------


async def test_errors_are_taken_by_attempt_so_that_one_429_heals() -> None:
    sim = {"steps": {"plan": {"reply": "healed", "errors": [429, None, 500]}}}
    first = await failure(SimulatedProvider(), call("plan", sim, attempt=1))
    assert (first.kind, first.status, first.retryable) == ("rate_limit", 429, True)
    assert await reply(call("plan", sim, attempt=2)) == "healed"
    third = await failure(SimulatedProvider(), call("plan", sim, attempt=3))
    assert third.kind == "server"
    assert await reply(call("plan", sim, attempt=4)) == "healed"


async def test_errors_of_single_instances() -> None:
    sim = {"steps": {"sections": {"replies": ["a", "b", "c"], "errors_at": {"sections[1]": [429]}}}}
    assert await reply(call("sections[0]", sim)) == "a"
    info = await failure(SimulatedProvider(), call("sections[1]", sim))
    assert info.status == 429
    assert await reply(call("sections[1]", sim, attempt=2)) == "b"
    assert (await failure(SimulatedProvider(), call("polish#2/sections[1]", sim))).status == 429


async def test_a_drop_comes_in_the_middle_of_the_answer() -> None:
    sim = {"steps": {"plan": {"reply": "word " * 200, "errors": ["drop"]}}}
    pieces: list[str] = []

    async def read() -> None:
        async for event in SimulatedProvider().stream(call("plan", sim)):
            assert isinstance(event, TextDelta)
            pieces.append(event.text)

    with pytest.raises(ProviderError, match="broke"):
        await read()
    assert 0 < len("".join(pieces)) < 900


async def test_a_timeout_is_retryable() -> None:
    sim = {"steps": {"plan": {"errors": ["timeout"]}}}
    info = await failure(SimulatedProvider(), call("plan", sim))
    assert (info.kind, info.retryable) == ("timeout", True)


# --- time --------------------------------------------------------------------------------------


async def test_delay_and_speed() -> None:
    clock = Clock()
    text = "one two three four five six seven eight nine ten"
    sim = {"steps": {"plan": {"reply": text, "delay": "300ms", "tokens_per_second": 10}}}
    events = await collect(SimulatedProvider(sleep=clock.sleep), call("plan", sim))
    assert text_of(events) == text
    assert len(events) == 11, "word by word"
    assert clock.slept[0] == pytest.approx(0.3)
    assert sum(clock.slept[1:]) == pytest.approx(len(text) / 4 / 10, rel=0.5)


async def test_the_steps_pace_wins_over_the_runs_and_that_over_the_providers() -> None:
    async def delay(sim: dict[str, Any]) -> float:
        clock = Clock()
        await collect(SimulatedProvider(delay_ms=1_000, sleep=clock.sleep), call("plan", sim))
        return clock.slept[0]

    assert await delay({"plan": "x"}) == 1.0
    assert await delay({"delay": "2s", "plan": "x"}) == 2.0
    assert await delay({"delay": "2s", "steps": {"plan": {"reply": "x", "delay": 3}}}) == 3.0
    assert await delay({"delay": 0, "plan": "x"}) == 0.0


async def test_without_a_speed_nothing_is_waited_for() -> None:
    clock = Clock()
    await collect(SimulatedProvider(sleep=clock.sleep), call())
    assert sum(clock.slept) == 0


# --- usage and cost ----------------------------------------------------------------------------


async def test_usage_is_counted_from_bytes_unless_it_is_given() -> None:
    request = ChatRequest(
        model="smart",
        messages=(Message(role="user", content="12345678"),),
        instructions="abcd",
        context=CallContext(step="plan", sim={"plan": "123456789"}),
    )
    end = end_of(await collect(SimulatedProvider(), request))
    assert end.usage == Usage(input_tokens=3, output_tokens=3)
    given = {"steps": {"plan": {"reply": "x", "usage": {"input_tokens": 900, "cached_input_tokens": 100}}}}
    end = end_of(await collect(SimulatedProvider(), call(sim=given)))
    assert end.usage == Usage(input_tokens=900, cached_input_tokens=100, output_tokens=1)


async def test_usage_may_be_missing() -> None:
    end = end_of(
        await collect(SimulatedProvider(), call(sim={"steps": {"plan": {"reply": "x", "usage": None}}}))
    )
    assert end.usage is None
    assert end.cost is None


@pytest.mark.parametrize(
    "model, usage, micro, saved",
    [
        # 1000 · $2/M + 100 · $10/M
        ("smart", Usage(input_tokens=1_000, output_tokens=100), 3_000, 0),
        # 1000 · $0.20/M + 100 · $0.80/M
        ("fast", Usage(input_tokens=1_000, output_tokens=100), 280, 0),
        # 500 · 2 + 400 · 0.2 + 100 · 2.5 = 1330; without a cache 2000 → saved 670
        ("smart", Usage(input_tokens=1_000, cached_input_tokens=400, cache_write_tokens=100), 1_330, 670),
        # any other name: $1 and $4
        ("gpt-6-luna", Usage(input_tokens=1, output_tokens=1), 5, 0),
    ],
)
def test_the_tariff(model: str, usage: Usage, micro: int, saved: int) -> None:
    cost = sim_cost(model, usage)
    assert (cost.micro_usd, cost.saved_micro_usd, cost.source) == (micro, saved, "sim")


# --- what is made up ---------------------------------------------------------------------------


async def test_made_up_prose_is_readable_and_about_the_prompt() -> None:
    text = await reply(call(text="Write about lighthouses and fog signals."))
    assert len(text.split()) > 40
    assert "lighthouses" in text or "signals" in text
    assert text[0].isupper()
    assert text.endswith(".")


async def test_the_same_call_gets_the_same_answer_and_another_one_another() -> None:
    base = await reply(call(text="tides"))
    assert await reply(call(text="tides")) == base
    assert await reply(call(text="tides", attempt=2)) == base, "a retry changes nothing"
    assert await reply(call(text="moons")) != base
    assert await reply(call("other", text="tides")) != base
    assert await reply(call(text="tides"), SimulatedProvider(seed=1)) != base
    assert await reply(call(text="tides", sim={"seed": 1})) != base
    assert await reply(call(text="tides", instructions="in verse")) != base


async def test_max_tokens_cuts_what_is_made_up() -> None:
    end_whole = end_of(await collect(SimulatedProvider(), call()))
    events = await collect(SimulatedProvider(), call(settings={"max_tokens": 10}))
    assert end_whole.reason == "stop"
    assert end_of(events).reason == "length"
    assert len(text_of(events)) == 40


async def test_made_up_values_fit_their_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "sections": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "verdict": {"enum": ["keep", "drop"]},
            "score": {"type": "integer", "minimum": 1, "maximum": 10},
        },
        "required": ["sections", "verdict", "score"],
        "additionalProperties": False,
    }
    value = json.loads(await reply(call(output_schema=schema)))
    jsonschema.validate(value, schema)
    assert all(isinstance(section, str) and len(section) > 3 for section in value["sections"])


async def test_scores_rise_from_round_to_round_so_that_loops_end() -> None:
    schema = {"type": "object", "properties": {"score": {"type": "number"}, "done": {"type": "boolean"}}}
    rounds = [json.loads(await reply(call(f"polish#{n}/judge", output_schema=schema))) for n in (1, 2, 3)]
    scores = [value["score"] for value in rounds]
    assert scores == sorted(scores)
    assert scores[0] < 8 <= scores[-1]
    assert [value["done"] for value in rounds] == [False, True, True]
