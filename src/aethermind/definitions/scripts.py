"""The words of a script of simulated replies: shared by what checks one (`sim`) and what plays it.

A *conversation* is a list of replies of which one calls tools: one reply for each answer of the model in one
conversation, whatever the step's place in a fan-out or loop. It may be the step's `replies`, or one reply of
them. A reply that calls tools is a mapping of `tools` and, if something is said before them, `text`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

RUN_KEYS = ("steps", "seed", "tokens_per_second", "delay")
STEP_KEYS = (
    "reply",
    "replies",
    "prompt_digest",
    "delay",
    "tokens_per_second",
    "errors",
    "errors_at",
    "usage",
)
USAGE_KEYS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
)
NAMED_ERRORS = ("timeout", "drop")
REPLY_KEYS = ("tools", "text")
CALL_KEYS = ("name", "arguments")


def is_entry(keys: Sequence[Any]) -> bool:
    """Whether a mapping with these keys describes a step; any foreign key makes it a JSON reply."""
    return bool(keys) and all(key in STEP_KEYS for key in keys)


def calls_tools(reply: Any) -> bool:
    """Whether a reply, as plain data, calls tools. A step that is given no tools sends it as JSON instead."""
    if not isinstance(reply, Mapping) or "tools" not in reply or not set(reply) <= set(REPLY_KEYS):
        return False
    calls = reply["tools"]
    return isinstance(calls, list | tuple) and bool(calls) and all(map(_is_call, calls))


def is_conversation(replies: Any) -> bool:
    return isinstance(replies, list | tuple) and any(map(calls_tools, replies))


def _is_call(call: Any) -> bool:
    return isinstance(call, Mapping) and isinstance(call.get("name"), str) and set(call) <= set(CALL_KEYS)
