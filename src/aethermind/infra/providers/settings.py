"""The `settings` of an agent: what each API takes. Refused here, before anything is sent or billed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from aethermind.engine.ports import ChatRequest
from aethermind.infra.providers.names import did_you_mean

if TYPE_CHECKING:
    from aethermind.infra.providers.failures import Peer

Dialect = Literal["chat", "responses", "anthropic", "ollama", "sim", "cli"]
"""A wire format, as far as settings are concerned."""

KNOWN = (
    "max_tokens",
    "temperature",
    "top_p",
    "reasoning",
    "seed",
    "stop",
    "num_ctx",
    "prompt_cache",
    "permission_mode",
    "sim",
)
REASONING = ("low", "medium", "high")

_NOT_TAKEN: dict[Dialect, frozenset[str]] = {
    "chat": frozenset({"num_ctx", "permission_mode"}),
    "responses": frozenset({"num_ctx", "permission_mode", "seed", "stop"}),
    "anthropic": frozenset({"num_ctx", "permission_mode", "seed", "temperature", "top_p"}),
    "ollama": frozenset({"permission_mode"}),
    "sim": frozenset(),
    "cli": frozenset(KNOWN) - {"permission_mode", "reasoning", "sim"},
}
_DIALECTS = {
    "chat": "OpenAI's Chat Completions API",
    "responses": "OpenAI's Responses API",
    "anthropic": "Anthropic's Messages API",
    "ollama": "Ollama",
    "sim": "the simulated provider",
    "cli": "a coding agent",
}
# Of OpenAI's reasoning models, those that are known to answer a sampling parameter with 400.
_FIXED_SAMPLING = re.compile(r"o[1-9](-|$)|gpt-5(-(mini|nano|pro|codex))?(-\d{4}-\d\d-\d\d)?$")


_NO_REASONING = re.compile(r"gpt-3\.5|gpt-4|chatgpt-4o|gpt-5(\.\d)?-chat")
"""Models of OpenAI that answer a reasoning effort with 400."""
_CLAUDE = re.compile(r"claude-(?:[a-z]+-)?(\d+)(?:-(\d{1,2}))?(?!\d)")
LEAST_THOUGHT = 1_024
"""Tokens; no smaller budget is taken by the models that are told a number."""


def thinking_version(model: str) -> tuple[int, int]:
    """Of a Claude, by its name; an unknown name is a newer one's."""
    found = _CLAUDE.match(model)
    return (int(found[1]), int(found[2] or 0)) if found else (99, 0)


def check_settings(
    dialect: Dialect, model: str, settings: Mapping[str, Any]
) -> Iterator[tuple[str, str, str | None]]:
    """The problems of `settings`, as (name, what is wrong, hint)."""
    for name, value in settings.items():
        if name not in KNOWN:
            hint = did_you_mean(name, KNOWN) or f"known are {', '.join(KNOWN)}"
            yield name, f"unknown setting {name!r}", hint
        elif name in _NOT_TAKEN[dialect] or (
            name in {"temperature", "top_p"}
            and dialect in {"chat", "responses"}
            and _FIXED_SAMPLING.match(model)
        ):
            who = model if dialect in {"chat", "responses"} and name != "num_ctx" else _DIALECTS[dialect]
            yield name, f"{who} does not take the setting {name!r}", "leave it out"
        elif wanted := _wrong(name, value):
            yield name, f"setting {name!r} must be {wanted}, not {value!r:.40}", None
        elif name == "reasoning" and (problem := _cannot_reason(dialect, model, settings)):
            yield name, *problem


def _cannot_reason(
    dialect: Dialect, model: str, settings: Mapping[str, Any]
) -> tuple[str, str | None] | None:
    if dialect in {"chat", "responses"} and _NO_REASONING.match(model):
        return f"{model} does not take the setting 'reasoning'", "leave it out"
    if dialect != "anthropic" or (version := thinking_version(model)) >= (4, 6):
        return None
    if version < (3, 7):
        return f"{model} does not take the setting 'reasoning'", "leave it out"
    limit = settings.get("max_tokens")
    if isinstance(limit, int) and limit <= LEAST_THOUGHT:
        return f"{model} needs max_tokens above 1024 to reason", "settings: {max_tokens: 4096} or more"
    return None


def require_settings(dialect: Dialect, request: ChatRequest, peer: Peer) -> None:
    """Raise `ProviderError` (kind `bad_request`) for what this API cannot take."""
    from aethermind.infra.providers.failures import bad_request  # names of models are checked without

    for _, problem, hint in check_settings(dialect, request.model, request.settings):
        raise bad_request(peer, problem, hint)
    if any(message.role == "tool" and not message.tool_call_id for message in request.messages):
        raise bad_request(peer, "a tool's answer that does not say to which call")
    if not request.messages and not request.instructions:
        raise bad_request(peer, "a request without any message")


def stop_list(settings: Mapping[str, Any]) -> list[str] | None:
    stop = settings.get("stop")
    return None if stop is None else [stop] if isinstance(stop, str) else list(stop)


def _wrong(name: str, value: object) -> str | None:
    """What the value should have been, or None if it is fine."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    whole = number if isinstance(number, int) else None
    match name:
        case "max_tokens" | "num_ctx":
            good = whole is not None and 1 <= whole <= 100_000_000
            return None if good else "a positive whole number"
        case "seed":
            return None if whole is not None else "a whole number"
        case "temperature":
            good = number is not None and 0 <= number <= 2
            return None if good else "a number from 0 to 2"
        case "top_p":
            good = number is not None and 0 < number <= 1
            return None if good else "a number above 0, at most 1"
        case "reasoning":
            return None if value in REASONING else "low, medium or high"
        case "permission_mode":
            good = isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z-]{0,39}", value) is not None
            return None if good else "read, edit, full, or a mode of the agent's own"
        case "prompt_cache":
            return None if isinstance(value, bool) else "true or false"
        case "stop":
            texts = value if isinstance(value, list | tuple) else [value]
            good = bool(texts) and all(isinstance(text, str) and text for text in texts)
            return None if good else "a text or a list of texts"
        case _:
            return None
