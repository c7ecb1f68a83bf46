"""The key under which an answer is found, and which answers get one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from aethermind.definitions.schemas import JsonSchemas
from aethermind.engine import answers
from aethermind.engine.ports import ChatRequest, Finished, Message
from tests.engine.numbered import Numbered, Owned

PLAIN = ChatRequest(model="m", messages=(Message(role="user", content="hi"),))


def test_the_key_is_the_same_for_the_same_and_for_nothing_else() -> None:
    change = msgspec.structs.replace
    variants = [
        ("openai", PLAIN, "a"),
        ("groq", PLAIN, "a"),
        ("openai", PLAIN, "b"),
        ("openai", change(PLAIN, model="n"), "a"),
        ("openai", change(PLAIN, instructions="be short"), "a"),
        ("openai", change(PLAIN, settings={"temperature": 0}), "a"),
        ("openai", change(PLAIN, settings={"temperature": 1}), "a"),
        ("openai", change(PLAIN, output_schema={"type": "string"}), "a"),
        ("openai", change(PLAIN, tools=({"shell": "ask"},)), "a"),
        ("openai", change(PLAIN, messages=(Message(role="user", content="ho"),)), "a"),
        ("openai", change(PLAIN, messages=(Message(role="assistant", content="hi"),)), "a"),
        ("openai", change(PLAIN, messages=(*PLAIN.messages, *PLAIN.messages)), "a"),
    ]
    keys = [answers.content_key(*variant) for variant in variants]
    assert len(set(keys)) == len(keys)
    assert keys == [answers.content_key(*variant) for variant in variants]
    assert all(len(key) == 64 for key in keys)


def test_neither_the_order_of_settings_nor_who_asks_matters() -> None:
    one = msgspec.structs.replace(PLAIN, settings={"seed": 1, "top_p": 0.5})
    two = msgspec.structs.replace(
        PLAIN,
        settings={"top_p": 0.5, "seed": 1},
        context=msgspec.structs.replace(PLAIN.context, step="b", run_id="r", attempt=3, call=2),
    )
    assert answers.content_key("p", one, "a") == answers.content_key("p", two, "a")


def test_accounts() -> None:
    assert answers.account_of(Owned("k1"), {}) == "k1"
    assert answers.account_of(Numbered(), {"a": 1}) == answers.account_of(Numbered(), {}), "no script of ours"
    simulated = Numbered()
    simulated.simulated = True
    assert answers.account_of(simulated, {"a": 1}) != answers.account_of(simulated, {"a": 2})


@pytest.mark.parametrize(
    "reason,text,schema,whole",
    [
        ("stop", "hi", None, True),
        ("stop", " \n", None, False),
        ("length", "hi", None, False),
        ("refusal", "hi", None, False),
        ("content_filter", "hi", None, False),
        ("tool_calls", "hi", None, False),
        ("stop", '{"n": 1}', {"type": "object", "required": ["n"]}, True),
        ("stop", '{"m": 1}', {"type": "object", "required": ["n"]}, False),
        ("stop", "no JSON", {"type": "object"}, False),
    ],
)
def test_only_a_whole_answer_is_kept(reason: Any, text: str, schema: Any, whole: bool) -> None:
    request = msgspec.structs.replace(PLAIN, output_schema=schema)
    assert answers.is_whole(Finished(reason=reason), text, request, JsonSchemas()) == whole
