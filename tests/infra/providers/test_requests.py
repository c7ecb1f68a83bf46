"""What each adapter puts on the wire, seen by a server."""

from __future__ import annotations

from typing import Any

import pytest

from aethermind.engine.ports import ChatRequest, Message, ReasoningDelta
from aethermind.infra.providers.anthropic import AnthropicProvider
from aethermind.infra.providers.ollama import OllamaProvider
from aethermind.infra.providers.openai import OpenAIProvider
from aethermind.infra.providers.openai_chat import chat_arguments
from aethermind.infra.providers.settings import check_settings
from aethermind.infra.providers.toolwire import Talk
from tests.servers import wires
from tests.servers.http import Request, serve
from tests.servers.peers import KEY, ask, collect, connect, end_of, failure, text_of
from tests.servers.wires import Anthropic, Chat, Counts, Ollama, Responses, Wire


async def sent(wire: Wire, request: ChatRequest, **options: Any) -> Request:
    """The request as the server saw it."""
    async with serve(wires.good(wire)) as server:
        provider = connect(wire, server.url, **options)
        await collect(provider, request)
        await provider.close()
        return server.last


# --- settings ----------------------------------------------------------------------------------


async def test_chat_settings() -> None:
    settings = {
        "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "seed": 4, "stop": "END", "reasoning": "low",
    }  # fmt: skip
    body = (await sent(Chat(), ask(settings=settings))).json
    assert body["max_tokens"] == 9
    assert body["reasoning_effort"] == "low"
    assert body["stop"] == ["END"]
    assert (body["temperature"], body["top_p"], body["seed"]) == (0.5, 0.9, 4)
    assert body["stream_options"] == {"include_usage": True}


def test_openai_itself_has_renamed_max_tokens() -> None:
    arguments = chat_arguments(
        ask(settings={"max_tokens": 9}), Talk("openai/chat/m-1"), official=True, structured="json_schema"
    )
    assert arguments["max_completion_tokens"] == 9
    assert "max_tokens" not in arguments


async def test_responses_settings() -> None:
    body = (await sent(Responses(), ask(settings={"max_tokens": 9, "reasoning": "high"}))).json
    assert body["max_output_tokens"] == 9
    assert body["reasoning"] == {"effort": "high"}
    assert body["store"] is False


async def test_anthropic_settings() -> None:
    request = ask(model="claude-sonnet-5-5", settings={"reasoning": "medium", "stop": ["A", "B"]})
    body = (await sent(Anthropic(), request)).json
    assert body["max_tokens"] == 4_096
    assert body["thinking"] == {"type": "adaptive"}
    assert body["output_config"] == {"effort": "medium"}
    assert body["stop_sequences"] == ["A", "B"]


@pytest.mark.parametrize(
    "model, thinking",
    [
        ("claude-opus-4-6", {"type": "adaptive"}),
        ("claude-fable-5", {"type": "adaptive"}),
        ("claude-of-tomorrow", {"type": "adaptive"}),
        ("claude-haiku-4-5-20251001", {"type": "enabled", "budget_tokens": 2_048}),
        ("claude-opus-4-1", {"type": "enabled", "budget_tokens": 2_048}),
        ("claude-opus-4-5-20251101", {"type": "enabled", "budget_tokens": 2_048}),
        ("claude-3-7-sonnet-x", {"type": "enabled", "budget_tokens": 2_048}),
    ],
)
async def test_anthropic_reasoning_by_model(model: str, thinking: dict[str, Any]) -> None:
    body = (await sent(Anthropic(), ask(model=model, settings={"reasoning": "high"}))).json
    assert body["thinking"] == thinking


@pytest.mark.parametrize(
    "level, limit, thoughts", [("low", 1_025, 1_024), ("high", 8_000, 4_000), ("medium", 20_000, 4_096)]
)
async def test_thoughts_leave_room_for_the_answer(level: str, limit: int, thoughts: int) -> None:
    settings = {"reasoning": level, "max_tokens": limit}
    body = (await sent(Anthropic(), ask(model="claude-haiku-4-5", settings=settings))).json
    assert body["thinking"] == {"type": "enabled", "budget_tokens": thoughts}
    assert body["max_tokens"] == limit


async def test_anthropic_reasoning_that_a_model_cannot_do_is_refused() -> None:
    async with serve(wires.good(Anthropic())) as server:
        provider = connect(Anthropic(), server.url)
        old = await failure(provider, ask(model="claude-3-haiku-20240307", settings={"reasoning": "low"}))
        small = ask(model="claude-haiku-4-5", settings={"reasoning": "low", "max_tokens": 500})
        little = await failure(provider, small)
        await provider.close()
        assert not server.requests
    assert old.kind == little.kind == "bad_request"
    assert "max_tokens" in (little.hint or "")


async def test_ollama_settings() -> None:
    settings = {"max_tokens": 9, "temperature": 0, "seed": 4, "stop": ["END"], "num_ctx": 2_048}
    body = (await sent(Ollama(), ask(settings=settings))).json
    assert body["options"] == {
        "num_ctx": 2_048, "num_predict": 9, "temperature": 0, "seed": 4, "stop": ["END"],
    }  # fmt: skip


async def test_ollama_always_gets_a_context_window() -> None:
    assert (await sent(Ollama(), ask())).json["options"]["num_ctx"] == 8_192
    assert (await sent(Ollama(), ask(), num_ctx=32_768)).json["options"]["num_ctx"] == 32_768


@pytest.mark.parametrize("model, think", [("qwen4:8b", True), ("gpt-oss:20b", "low")])
async def test_ollama_reasoning(model: str, think: object) -> None:
    body = (await sent(Ollama(), ask(model=model, settings={"reasoning": "low"}))).json
    assert body["think"] == think


@pytest.mark.parametrize(
    "dialect, model, settings, problem",
    [
        ("anthropic", "claude-opus-5-5", {"temperature": 0.5}, "Anthropic's Messages API does not take"),
        ("anthropic", "claude-opus-5-5", {"seed": 1}, "does not take the setting 'seed'"),
        ("responses", "gpt-6-luna", {"stop": "x"}, "gpt-6-luna does not take the setting 'stop'"),
        ("responses", "o3", {"temperature": 1}, "o3 does not take the setting 'temperature'"),
        ("chat", "gpt-5-mini-2025-08-07", {"top_p": 0.5}, "does not take the setting 'top_p'"),
        ("chat", "llama", {"num_ctx": 5}, "does not take the setting 'num_ctx'"),
        ("chat", "gpt-4.1", {"reasoning": "low"}, "gpt-4.1 does not take the setting 'reasoning'"),
        ("responses", "gpt-4o-mini", {"reasoning": "low"}, "does not take the setting 'reasoning'"),
        ("anthropic", "claude-3-5-haiku-latest", {"reasoning": "low"}, "does not take the setting"),
        ("anthropic", "claude-haiku-4-5", {"reasoning": "low", "max_tokens": 1_024}, "max_tokens above 1024"),
        ("ollama", "llama", {"prompt_cache": "no"}, "must be true or false"),
        ("ollama", "llama", {"temperature": "hot"}, "must be a number from 0 to 2"),
        ("ollama", "llama", {"temperature": float("nan")}, "must be a number from 0 to 2"),
        ("sim", "smart", {"max_tokns": 5}, "unknown setting 'max_tokns'"),
    ],
)
def test_settings_that_are_not_taken(
    dialect: Any, model: str, settings: dict[str, Any], problem: str
) -> None:
    ((name, text, hint),) = check_settings(dialect, model, settings)
    assert name in settings
    assert problem in text
    if "unknown" in problem:
        assert hint == "did you mean max_tokens?"


@pytest.mark.parametrize("dialect", ["chat", "responses"])
def test_settings_that_newer_models_take(dialect: Any) -> None:
    assert not list(
        check_settings(dialect, "gpt-6-luna", {"temperature": 1, "max_tokens": 5, "reasoning": "low"})
    )
    assert not list(check_settings(dialect, "gpt-5.1", {"temperature": 1}))


# --- headers, keys -----------------------------------------------------------------------------


async def test_anthropic_system_messages_join_the_instructions() -> None:
    messages = (Message(role="system", content="and kind"), Message(role="user", content="hi"))
    body = (await sent(Anthropic(), ChatRequest(model="m", messages=messages, instructions="Be brief"))).json
    assert body["system"][0]["text"] == "Be brief\n\nand kind"
    assert [message["role"] for message in body["messages"]] == ["user"]


@pytest.mark.parametrize("wire", [Chat(), Responses(), Anthropic()], ids=lambda wire: wire.name)
async def test_the_key_travels_in_a_header_only(wire: Wire) -> None:
    request = await sent(wire, ask())
    carriers = [name for name, value in request.headers.items() if KEY in value]
    assert carriers in (["authorization"], ["x-api-key"])
    assert KEY.encode() not in request.body
    assert KEY not in request.path


async def test_what_is_meant_for_openai_goes_to_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-real-one-000")
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "sk-admin-000")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1")
    async with serve(wires.good(Chat())) as server:
        provider = OpenAIProvider(name="local", base_url=f"{server.url}/v1", headers={"X-Team": "tides"})
        await collect(provider)
        await provider.close()
        headers = dict(server.last.headers)
    assert headers["x-team"] == "tides"
    assert "sk-the-real" not in str(headers)
    assert "sk-admin" not in str(headers)
    assert "org-secret" not in str(headers)
    assert "proj-secret" not in str(headers)


async def test_anthropic_uses_no_other_credentials_than_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token-of-somebody")
    async with serve(wires.good(Anthropic())) as server:
        provider = AnthropicProvider("", name="local", base_url=server.url)
        await collect(provider)
        await provider.close()
        assert "token-of-somebody" not in str(server.last.headers)


@pytest.mark.parametrize(
    "provider, name",
    [(OpenAIProvider(""), "OPENAI_API_KEY"), (AnthropicProvider(""), "ANTHROPIC_API_KEY")],
    ids=["openai", "anthropic"],
)
async def test_a_missing_key_is_said_before_anything_is_sent(
    provider: OpenAIProvider | AnthropicProvider, name: str
) -> None:
    info = await failure(provider)
    assert (info.kind, info.retryable) == ("missing_key", False)
    assert info.hint == f"aethermind auth {provider.name}, or set {name}"


def test_addresses_and_apis(monkeypatch: pytest.MonkeyPatch) -> None:
    assert OpenAIProvider("k").api == "responses"
    assert OpenAIProvider("k", base_url="https://eu.api.openai.com/v1").api == "responses"
    assert OpenAIProvider("k", base_url="https://api.groq.com/openai/v1").api == "chat"
    assert OpenAIProvider("k", base_url="https://api.openai.com.foe.example/v1").official is False
    assert OpenAIProvider("k", api="chat").api == "chat"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/")
    monkeypatch.setenv("OLLAMA_HOST", "0.0.0.0:4321")
    assert OpenAIProvider("k").base_url == "http://127.0.0.1:9/v1"
    assert OpenAIProvider("k").api == "chat"
    assert OllamaProvider().base_url == "http://127.0.0.1:4321"


# --- usage and what is peculiar ----------------------------------------------------------------


@pytest.mark.parametrize("wire", wires.WIRES, ids=lambda wire: wire.name)
async def test_missing_usage_is_unknown_and_never_zero(wire: Wire) -> None:
    async with serve(wires.good(wire, counts=None)) as server:
        provider = connect(wire, server.url)
        assert end_of(await collect(provider)).usage is None
        await provider.close()


@pytest.mark.parametrize("wire", wires.WIRES, ids=lambda wire: wire.name)
async def test_subsets_never_exceed_their_totals(wire: Wire) -> None:
    """A compatible server that counts in its own way must not make a negative price."""
    odd = Counts(input=10, cached=10, written=0, output=3, reasoning=9)
    async with serve(wires.good(wire, counts=odd)) as server:
        provider = connect(wire, server.url)
        usage = end_of(await collect(provider)).usage
        await provider.close()
    assert usage is not None
    assert usage.cached_input_tokens + usage.cache_write_tokens <= usage.input_tokens == 10
    assert usage.reasoning_tokens <= usage.output_tokens == 3


async def test_null_details_of_compatible_servers() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": None}
    chunks = Chat().chunks("x", None)[:-1]
    async with serve(wires.raw(Chat(), [*chunks, wires.sse({"choices": [], "usage": usage})])) as server:
        provider = connect(Chat(), server.url)
        got = end_of(await collect(provider)).usage
        await provider.close()
    assert got is not None
    assert (got.input_tokens, got.cached_input_tokens, got.output_tokens) == (7, 0, 2)


@pytest.mark.parametrize("wire", wires.WIRES, ids=lambda wire: wire.name)
async def test_an_answer_cut_by_max_tokens_says_so(wire: Wire) -> None:
    async with serve(wires.good(wire, reason="length")) as server:
        provider = connect(wire, server.url)
        assert end_of(await collect(provider)).reason == "length"
        await provider.close()


@pytest.mark.parametrize("wire", wires.WIRES, ids=lambda wire: wire.name)
async def test_thoughts_are_told_apart_from_the_answer(wire: Wire) -> None:
    async with serve(wires.good(wire, "Forty-two.", thought="Let me think.")) as server:
        provider = connect(wire, server.url)
        events = await collect(provider)
        await provider.close()
    assert text_of(events) == "Forty-two."
    assert [event.text for event in events if isinstance(event, ReasoningDelta)] == ["Let me think."]


async def test_refusals() -> None:
    chunks = Chat().chunks("", None)
    head = b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"refusal":"I will not."}}]}\n\n'
    async with serve(wires.raw(Chat(), [head, *chunks])) as server:
        provider = connect(Chat(), server.url)
        events = await collect(provider)
        await provider.close()
    assert text_of(events) == "I will not."
    assert end_of(events).reason == "refusal"
    async with serve(wires.good(Anthropic(), reason="refusal")) as server:
        other = connect(Anthropic(), server.url)
        assert end_of(await collect(other)).reason == "refusal"
        await other.close()


async def test_ollama_refuses_a_prompt_that_cannot_fit() -> None:
    async with serve(wires.good(Ollama())) as server:
        provider = connect(Ollama(), server.url)
        info = await failure(provider, ask("x" * 70_000))
        await provider.close()
        assert not server.requests
    assert info.kind == "context_length"
    assert info.hint == "settings: {num_ctx: 32768}"


@pytest.mark.parametrize(
    "read, warns", [(40, True), (999, True), (1_000, False), (8_190, False), (8_191, True)]
)
async def test_ollama_warns_when_the_prompt_was_probably_cut(read: int, warns: bool) -> None:
    """It read less than the prompt can have, or all that its window holds."""
    counts = Counts(input=read, cached=0, written=0, output=5, reasoning=0)
    async with serve(wires.good(Ollama(), counts=counts)) as server:
        provider = connect(Ollama(), server.url)
        end = end_of(await collect(provider, ask("x" * 7_000)))
        await provider.close()
    assert [("probably cut" in text, "num_ctx: 16384" in text) for text in end.warnings] == (
        [(True, True)] if warns else []
    )


async def test_no_span_is_made_by_anthropics_sdk() -> None:
    provider = AnthropicProvider(KEY, base_url="http://127.0.0.1:1")
    client = provider._connect()
    assert client.max_retries == 0
    assert client._open_telemetry["traces"]["enabled"] is False
    await provider.close()
