"""Coding agents as models, against programs that speak their formats."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aethermind.domain.usage import Cost, Usage
from aethermind.engine.own_tools import ToolBegan, ToolEnded
from aethermind.engine.ports import (
    Finished,
    Message,
    ReasoningDelta,
)
from aethermind.infra.providers import cli_process
from aethermind.infra.providers.deadlines import Deadlines
from tests.servers.agents import (
    CODEX_END,
    CODEX_START,
    SESSION,
    THREAD,
    claude_end,
    claude_good,
    claude_init,
    claude_piece,
    claude_says,
    claude_tool,
    claude_uses,
    codex_item,
    lines,
)
from tests.servers.cli_lab import Lab, end, gone, opened, streamed


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as found:
        yield found


# --- good runs -----------------------------------------------------------------------------------


async def test_claude_tells_its_work_and_its_bill(lab: Lab) -> None:
    claude = lab.program(
        "claude",
        lines(claude_init(), *claude_piece("m1", "I look ", "first.")),
        lines(claude_says("m1", {"type": "text", "text": "I look first."})),
        lines(claude_says("m1", claude_uses("t1", command="make test"))),
        lines(claude_tool("t1", "1 passed")),
        lines(*claude_piece("m2", "It works."), claude_says("m2", {"type": "text", "text": "It works."})),
        lines(claude_end("It works.")),
    )
    events = await lab.ask(
        "claude:sonnet", instructions="Be careful.", settings={"permission_mode": "edit", "reasoning": "low"}
    )
    assert streamed(events) == "I look first.\n\nIt works."
    assert [event for event in events if isinstance(event, ToolBegan | ToolEnded)] == [
        ToolBegan(id="t1", name="Bash", arguments={"command": "make test"}),
        ToolEnded(id="t1", text="1 passed"),
    ]
    assert end(events) == Finished(
        reason="stop",
        text="It works.",
        usage=Usage(input_tokens=5_312, cached_input_tokens=5_000, cache_write_tokens=300, output_tokens=80),
        cost=Cost(micro_usd=12_346, source="reported"),
        response_id=SESSION,
        model="claude-sonnet-5-5",
    )
    argv = " ".join(claude.seen["argv"])
    assert argv == (
        "-p --output-format stream-json --verbose --include-partial-messages --model sonnet --effort low "
        "--permission-mode acceptEdits --append-system-prompt Be careful."
    )
    assert claude.seen["stdin"] == "Mend it."
    assert claude.seen["cwd"] == str(lab.cwd)


async def test_claude_without_pieces_and_with_a_subagent(lab: Lab) -> None:
    inner = claude_says("s1", {"type": "text", "text": "inner words"}, claude_uses("t2", "Read", file="a"))
    models = {
        "claude-sonnet-5-5": {"inputTokens": 12, "cacheReadInputTokens": 5_000,
                              "cacheCreationInputTokens": 300, "outputTokens": 80, "costUSD": 0.01},
        "claude-haiku-5-5": {"inputTokens": 900, "outputTokens": 40, "costUSD": 0.001},
    }  # fmt: skip
    lab.program(
        "claude",
        lines(
            claude_init(),
            claude_says(
                "m1", {"type": "thinking", "thinking": "hm"}, claude_uses("t1", "Task", prompt="look")
            ),
            {**inner, "parent_tool_use_id": "t1"},
            claude_tool("t2", "gone", is_error=True),
            claude_tool("t1", "looked"),
            claude_says("m2", {"type": "text", "text": "Done."}),
            claude_end("Done.", modelUsage=models),
        ),
    )
    events = await lab.ask("claude")
    assert streamed(events) == "Done."
    assert [event.text for event in events if isinstance(event, ReasoningDelta)] == ["hm"]
    assert [event.name for event in events if isinstance(event, ToolBegan)] == ["Task", "Read"]
    assert [event.is_error for event in events if isinstance(event, ToolEnded)] == [True, False]
    assert end(events).usage == Usage(
        input_tokens=6_212, cached_input_tokens=5_000, cache_write_tokens=300, output_tokens=120
    )


async def test_codex(lab: Lab) -> None:
    codex = lab.program(
        "codex",
        lines(
            CODEX_START,
            {"type": "turn.started"},
            {"type": "error", "message": "Reconnecting... 1/5"},
            codex_item("reasoning", "i0", text="**Looking**"),
            codex_item("agent_message", "i1", text="I run the tests."),
            codex_item("command_execution", "i2", state="started", command="make test", status="in_progress"),
            codex_item("command_execution", "i2", command="make test", aggregated_output="1 failed",
                       exit_code=2, status="failed"),
            codex_item("file_change", "i3", changes=[{"path": "a.py", "kind": "update"}], status="completed"),
            codex_item("agent_message", "i4", text="Mended."),
            CODEX_END,
        ),
    )  # fmt: skip
    events = await lab.ask(
        "codex:gpt-6", instructions="Careful.", settings={"permission_mode": "edit", "reasoning": "high"}
    )
    assert streamed(events) == "I run the tests.\n\nMended."
    assert [event for event in events if isinstance(event, ToolBegan | ToolEnded)] == [
        ToolBegan(id="i2", name="shell", arguments={"command": "make test"}),
        ToolEnded(id="i2", text="1 failed\n[exit code 2]", is_error=True),
        ToolBegan(id="i3", name="files", arguments={"changes": [{"path": "a.py", "kind": "update"}]}),
        ToolEnded(id="i3", text="completed"),
    ]
    assert end(events) == Finished(
        reason="stop",
        text="Mended.",
        usage=Usage(input_tokens=4_000, cached_input_tokens=3_000, output_tokens=200, reasoning_tokens=64),
        response_id=THREAD,
        model="gpt-6",
    )
    assert codex.seen["argv"] == [
        "exec", "--json", "--model", "gpt-6", "--sandbox", "workspace-write",
        "-c", 'model_reasoning_effort="high"', "-",
    ]  # fmt: skip
    assert codex.seen["stdin"] == "Careful.\n\nMend it."


async def test_a_program_that_prints_text(lab: Lab) -> None:
    lab.config = """
        [providers.aider]
        kind = "cli"
        command = ["aider", "--model", "{model}", "--message", "{prompt}"]
        env = ["OPENAI_API_KEY"]
    """
    aider = lab.program("aider", ("out", "one\n\x1b[31mtwo\x1b[0m\nthr"), ("out", "ee\n"))
    events = await lab.ask("aider:gpt-6", instructions="Short.")
    assert end(events).text == "one\ntwo\nthree"
    assert end(events).usage is None
    assert end(events).cost is None
    assert aider.seen["argv"] == ["--model", "gpt-6", "--message", "Short.\n\nMend it."]
    assert aider.seen["stdin"] == ""
    assert aider.seen["env"]["OPENAI_API_KEY"] == "sk-not-for-children-1"
    assert "ANTHROPIC_API_KEY" not in aider.seen["env"]


async def test_a_program_with_json_lines_of_its_own(lab: Lab) -> None:
    lab.config = """
        [providers.mine]
        kind = "cli"
        command = ["mine"]
        format = "jsonl"
        [providers.mine.fields]
        text = "delta.0.text"
        cost = "bill.usd"
        input_tokens = "bill.in"
        output_tokens = "bill.out"
        session = "id"
        error = "error"
    """
    mine = lab.program(
        "mine",
        ("out", "starting up\n"),
        lines({"id": "s1"}, {"delta": [{"text": "Hel"}]}, {"delta": [{"text": "lo"}]}, {"delta": []}),
        lines({"bill": {"usd": "0.5", "in": 10, "out": 2}}),
    )
    events = await lab.ask("mine")
    assert streamed(events) == "Hello"
    assert end(events) == Finished(
        reason="stop",
        usage=Usage(input_tokens=10, output_tokens=2),
        cost=Cost(micro_usd=500_000, source="reported"),
        response_id="s1",
    )
    mine.acts(lines({"error": "usage limit reached"}))
    assert (await lab.fail("mine")).kind == "quota"


async def test_a_conversation_is_told_as_one_text_and_asks_for_json_in_words(lab: Lab) -> None:
    claude = lab.program("claude", claude_good('{"a": 1}'))
    said = (
        Message(role="user", content="Give a."),
        Message(role="assistant", content="a is 1"),
        Message(role="user", content="As JSON."),
    )
    await lab.ask("claude", messages=said, output_schema={"type": "object"})
    told = claude.seen["stdin"]
    assert told.startswith("User:\nGive a.\n\nYou answered:\na is 1\n\nUser:\nAs JSON.")
    assert '{"type":"object"}' in told


async def test_what_it_gets_of_the_environment(lab: Lab) -> None:
    lab.environ |= {"CLAUDE_CONFIG_DIR": "/c", "CODEX_API_KEY": "codex-key-1", "HTTPS_PROXY": "http://p:1"}
    claude = lab.program("claude", claude_good())
    await lab.ask("claude")
    env = claude.seen["env"]
    assert env["HOME"] == str(lab.tmp_path)
    assert env["CLAUDE_CONFIG_DIR"] == "/c"
    assert env["HTTPS_PROXY"] == "http://p:1"
    assert not {"ANTHROPIC_API_KEY", "OPENAI_API_KEY", "CODEX_API_KEY"} & set(env)


# --- odd streams ---------------------------------------------------------------------------------


async def test_lines_in_pieces_notices_and_unknown_events(lab: Lab) -> None:
    whole = claude_good("Grüße 🙂")[1]
    middle = len(whole) // 2
    lab.program(
        "claude",
        ("out", "(node:1) Warning: something\n\n"),
        lines({"type": "rate_limit_event"}, {"type": "stream_event"}, {"no": "type"}),
        ("out", whole[:middle]),
        ("out", whole[middle:].rstrip("\n")),
    )
    assert end(await lab.ask("claude")).text == "Grüße 🙂"


async def test_a_huge_line_is_read(lab: Lab) -> None:
    lab.program(
        "claude",
        lines(claude_init(), claude_says("m1", claude_uses("t1", command="x" * 300_000))),
        lines(claude_tool("t1", "y" * 3_000_000), claude_end("Done.")),
    )
    events = await lab.ask("claude")
    shown = [event for event in events if isinstance(event, ToolBegan | ToolEnded)]
    assert all(len(str(event)) < 5_000 for event in shown)
    assert end(events).text == "Done."


async def test_a_line_without_end_is_stopped(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_process, "MAX_LINE", 200_000)
    claude = lab.program("claude", lines(claude_init()), ("out", '{"type": "' + "x" * 400_000), ("wait",))
    info = await lab.fail("claude")
    assert (info.kind, info.retryable) == ("malformed", False)
    assert "a line of more than" in info.message
    assert gone(claude.seen["pid"])


@pytest.mark.parametrize(
    "text, what",
    [('{"type": "assistant", oops\n', "broken JSON"), ('{"type": "assistant"}\n', "unknown shape")],
)
async def test_bad_json(lab: Lab, text: str, what: str) -> None:
    lab.program("claude", lines(claude_init()), ("out", text), ("wait",))
    info = await lab.fail("claude")
    assert (info.kind, info.retryable) == ("malformed", True)
    assert what in info.message


async def test_bytes_that_are_no_text(lab: Lab) -> None:
    lab.program("claude", lines(claude_init()), ("out", '{"type": "\udcff\udcfe"}\n'), ("wait",))
    assert (await lab.fail("claude")).kind == "malformed"


async def test_what_follows_the_end_costs_nothing(lab: Lab) -> None:
    lab.deadlines = Deadlines(tail_ms=200)
    claude = lab.program("claude", claude_good(), ("out", "{garbage\n"), ("wait",))
    assert end(await lab.ask("claude")).text == "It works."
    assert gone(claude.seen["pid"])
