"""Coding agents as models, against programs that speak their formats."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import ErrorInfo, ProviderError
from aethermind.domain.usage import Cost, Usage
from aethermind.engine.own_tools import ToolBegan, ToolEnded
from aethermind.engine.ports import (
    CallContext,
    ChatEvent,
    ChatRequest,
    Finished,
    Message,
    ReasoningDelta,
    TextDelta,
)
from aethermind.infra.children.local import LocalChildren
from aethermind.infra.config import load_config
from aethermind.infra.providers import cli_process
from aethermind.infra.providers.cli import CliProvider
from aethermind.infra.providers.cli_programs import programs_of
from aethermind.infra.providers.deadlines import Deadlines
from tests.servers.agents import (
    CODEX_END,
    CODEX_START,
    SESSION,
    THREAD,
    Act,
    StandIn,
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

PATIENT = Deadlines(first_token_ms=20_000, idle_ms=20_000, total_ms=30_000, tail_ms=2_000)


class Lab:
    """Programs on a PATH of their own, and the provider over them."""

    def __init__(self, tmp_path: Path, children: LocalChildren) -> None:
        self.tmp_path = tmp_path
        self.bin = tmp_path / "bin"
        self.cwd = tmp_path / "work"
        self.cwd.mkdir()
        self.children = children
        self.environ = {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "ANTHROPIC_API_KEY": "sk-ant-not-for-children-1",
            "OPENAI_API_KEY": "sk-not-for-children-1",
        }
        self.config = ""
        self.deadlines = PATIENT

    def program(self, name: str, *acts: Act) -> StandIn:
        return StandIn(self.bin, name, *acts)

    def provider(self) -> CliProvider:
        path = self.tmp_path / "config.toml"
        path.write_text(self.config)
        config = load_config(self.environ, path=path, home=self.tmp_path)
        return CliProvider(
            programs_of(config), lambda: self.children, environ=config.environ, deadlines=self.deadlines
        )

    async def ask(self, model: str, prompt: str = "Mend it.", **request: Any) -> list[ChatEvent]:
        sent = ChatRequest(
            model=model,
            **{"messages": (Message(role="user", content=prompt),), **request},
            context=CallContext(cwd=str(self.cwd)),
        )
        return [event async for event in self.provider().stream(sent)]

    async def fail(self, model: str, **request: Any) -> ErrorInfo:
        with pytest.raises(ProviderError) as caught:
            await asyncio.wait_for(self.ask(model, **request), 25)
        return caught.value.info


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    environ = {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
    }
    children = LocalChildren(grace=0.3, environment=environ)
    try:
        yield Lab(tmp_path, children)
    finally:
        await children.close()


def streamed(events: list[ChatEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def end(events: list[ChatEvent]) -> Finished:
    last = events[-1]
    assert isinstance(last, Finished)
    return last


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return True


async def there(holds: Callable[[], bool]) -> None:
    """Wait until another process has done something."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


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


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said, kind, retryable, hint",
    [
        ("Invalid API key · Please run /login", "auth", False, "log in: claude, then /login"),
        ("Not logged in · Please run /login", "auth", False, "log in: claude, then /login"),
        ("OAuth token has expired.", "auth", False, "log in"),
        ("Claude AI usage limit reached|1755806400", "quota", False, "second model"),
        ("You've hit your limit · resets 3pm", "quota", False, "second model"),
        ("Credit balance is too low", "quota", False, "second model"),
        ("API Error: 529 Overloaded", "overloaded", True, None),
        ("API Error: 500 Internal server error", "server", True, None),
        ("API Error: Connection error.", "connection", True, "network"),
        ("Prompt is too long", "context_length", False, "shorten"),
        ("There's an issue with the selected model (x). It may not exist", "not_found", False, "account"),
    ],
)
async def test_claude_says_why(lab: Lab, said: str, kind: str, retryable: bool, hint: str | None) -> None:
    lab.program(
        "claude", lines(claude_init(), claude_end(said, is_error=True, total_cost_usd=0)), ("exit", 1)
    )
    info = await lab.fail("claude")
    assert (info.kind, info.retryable) == (kind, retryable), info
    assert (hint is None and info.hint is None) or (hint is not None and hint in str(info.hint))
    assert info.message.startswith("Claude Code: ")


async def test_codex_says_why(lab: Lab) -> None:
    failed = {"type": "turn.failed", "error": {"message": "429 Too Many Requests, try again in 12s"}}
    lab.program("codex", lines(CODEX_START, failed), ("exit", 1))
    info = await lab.fail("codex")
    assert (info.kind, info.retryable, info.retry_after_ms) == ("rate_limit", True, 12_000)


async def test_an_opaque_program_is_tried_again_only_if_it_said_nothing(lab: Lab) -> None:
    lab.config = '[providers.mine]\nkind = "cli"\ncommand = ["mine"]'
    mine = lab.program("mine", ("err", "429 Too Many Requests\n"), ("exit", 1))
    assert (await lab.fail("mine")).retryable
    mine.acts(("out", "Editing a.py\n"), ("err", "429 Too Many Requests\n"), ("exit", 1))
    info = await lab.fail("mine")
    assert (info.kind, info.retryable) == ("rate_limit", False)
    assert "look at what it did" in str(info.hint)


async def test_an_answer_that_was_cut(lab: Lab) -> None:
    lab.program(
        "claude", lines(claude_init(), *claude_piece("m1", "Half"), claude_end("", stop_reason="max_tokens"))
    )
    last = end(await lab.ask("claude"))
    assert (last.reason, last.text) == ("length", None)


async def test_a_failed_call_has_its_bill(lab: Lab) -> None:
    failed = claude_end("", subtype="error_max_turns", is_error=True)
    lab.program("claude", lines(claude_init(), failed), ("exit", 1))
    with pytest.raises(ProviderError) as caught:
        await lab.ask("claude")
    assert caught.value.info.kind == "truncated"
    assert caught.value.cost == Cost(micro_usd=12_346, source="reported")
    assert caught.value.usage is not None


async def test_exit_1_with_its_reason_on_stderr(lab: Lab) -> None:
    codex = lab.program("codex", ("err", "loading\nError: disk is read-only\n"), ("exit", 3))
    info = await lab.fail("codex")
    assert (info.kind, info.status, info.retryable) == ("command", 3, False)
    assert info.message == "Codex ended with exit code 3: Error: disk is read-only"
    assert info.detail == "loading\nError: disk is read-only"
    codex.acts(
        ("err", "Not inside a trusted directory and --skip-git-repo-check was not specified.\n"), ("exit", 1)
    )
    assert "git repository" in str((await lab.fail("codex")).hint)
    codex.acts(("exit", 1))
    assert (await lab.fail("codex")).message == "Codex ended with exit code 1 and said nothing"
    codex.acts(("err", "error: unexpected argument '--json' found\n"), ("exit", 2))
    assert "up to date" in str((await lab.fail("codex")).hint)


async def test_it_is_not_installed(lab: Lab) -> None:
    lab.environ["PATH"] = str(lab.bin)
    children = LocalChildren(environment=lab.environ)
    lab.children = children
    info = await lab.fail("codex")
    await children.close()
    assert info.kind == "not_found"
    assert "npm install -g @openai/codex" in str(info.hint)


async def test_a_directory_that_is_gone(lab: Lab) -> None:
    lab.program("claude", claude_good())
    lab.cwd.rmdir()
    info = await lab.fail("claude")
    assert info.kind == "not_found"
    assert "does not exist" in info.message
    assert "npm" not in str(info.hint)


async def test_a_good_end_without_an_answer(lab: Lab) -> None:
    lab.program("claude", lines(claude_init()))
    info = await lab.fail("claude")
    assert (info.kind, info.retryable) == ("truncated", True)
    assert "after 1 line without the end" in info.message


async def test_a_crash_while_it_works_is_not_repeated_by_itself(lab: Lab) -> None:
    claude = lab.program("claude", lines(claude_init(), claude_says("m1", claude_uses("t1"))), ("kill",))
    seen: list[ChatEvent] = []
    sent = ChatRequest(
        model="claude", messages=(Message(role="user", content="x"),), context=CallContext(cwd=str(lab.cwd))
    )

    async def listen() -> None:
        async for event in lab.provider().stream(sent):
            seen.append(event)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ProviderError) as caught:
        await listen()
    assert seen[-1] == ToolEnded(id="t1", text="stopped before it had ended", is_error=True)
    info = caught.value.info
    assert (info.kind, info.retryable) == ("truncated", False)
    assert "SIGKILL" in info.message
    assert "begun to use tools" in str(info.hint)
    claude.acts(lines(claude_init()), ("kill",))
    assert (await lab.fail("claude")).retryable


# --- deadlines, stopping -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "acts, deadlines, which",
    [
        ([("mute",), ("wait",)], Deadlines(first_token_ms=300), "sent no token within 0.3 s"),
        ([lines(claude_init()), ("wait",)], Deadlines(idle_ms=300), "went silent for 0.3 s"),
        ([lines(claude_init()), ("wait",)], Deadlines(total_ms=600), "did not finish within 0.6 s"),
        (
            [lines(claude_init(), claude_says("m1", claude_uses("t1"))), ("wait",)],
            Deadlines(idle_ms=200, total_ms=900),  # its tool is at work: it may be silent
            "did not finish within 0.9 s",
        ),
    ],
)
async def test_deadlines(lab: Lab, acts: list[Act], deadlines: Deadlines, which: str) -> None:
    lab.deadlines = deadlines
    claude = lab.program("claude", *acts)
    info = await lab.fail("claude")
    assert info.kind == "timeout"
    assert which in info.message
    assert gone(claude.seen["pid"])


async def test_a_slow_start_is_no_failure(lab: Lab) -> None:
    mark = lab.tmp_path / "go"
    claude = lab.program("claude", ("until", str(mark)), claude_good())
    asking = asyncio.create_task(lab.ask("claude"))
    await there(lambda: claude.starts == 1)
    mark.touch()
    assert end(await asking).text == "It works."


async def test_what_it_leaves_behind_is_stopped(lab: Lab) -> None:
    note = lab.tmp_path / "left"
    lab.program("claude", ("leave", str(note)), claude_good())
    assert end(await asyncio.wait_for(lab.ask("claude"), 20)).text == "It works."
    assert gone(int(note.read_text()))


async def test_cancelling_stops_all_of_it(lab: Lab) -> None:
    note = lab.tmp_path / "left"
    claude = lab.program("claude", ("deaf",), ("leave", str(note)), lines(claude_init()), ("wait",))
    asking = asyncio.create_task(lab.ask("claude"))
    await there(lambda: note.exists() and note.read_text() != "")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert gone(claude.seen["pid"])
    assert gone(int(note.read_text()))


async def test_who_leaves_in_the_middle_stops_it(lab: Lab) -> None:
    claude = lab.program("claude", lines(claude_init(), *claude_piece("m1", "Half")), ("wait",))
    sent = ChatRequest(
        model="claude", messages=(Message(role="user", content="x"),), context=CallContext(cwd=str(lab.cwd))
    )
    stream = lab.provider().stream(sent)
    assert await anext(stream) == TextDelta("Half")
    await stream.aclose()
    assert gone(claude.seen["pid"])


async def test_calls_may_overlap(lab: Lab) -> None:
    lab.program("claude", claude_good())
    both = await asyncio.gather(lab.ask("claude"), lab.ask("claude:opus"))
    assert [end(events).text for events in both] == ["It works."] * 2


async def test_a_program_that_does_not_read_a_long_prompt(lab: Lab) -> None:
    lab.program("claude", ("mute",), claude_good())
    assert end(await asyncio.wait_for(lab.ask("claude", "x" * 3_000_000), 20)).text == "It works."


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model, request_, what",
    [
        ("claude", {"settings": {"temperature": 1}}, "temperature"),
        ("claude", {"settings": {"permission_mode": "--x"}}, "permission_mode"),
        ("claude", {"tools": ({"name": "files"},)}, "tools of its own"),
        ("claude:-x", {}, "cannot begin with -"),
        ("claud", {}, "unknown program"),
        ("claude", {"messages": ()}, "without any message"),
    ],
)
async def test_refused_before_anything_starts(
    lab: Lab, model: str, request_: dict[str, Any], what: str
) -> None:
    claude = lab.program("claude", claude_good())
    info = await lab.fail(model, **request_)
    assert what in info.message
    assert not info.retryable
    assert claude.starts == 0


async def test_a_limit_that_the_engine_sets_is_no_error(lab: Lab) -> None:
    lab.program("claude", claude_good())
    assert end(await lab.ask("claude", settings={"max_tokens": 4_096})).text == "It works."


def test_an_answer_is_never_taken_from_the_cache(tmp_path: Path) -> None:
    provider = CliProvider({}, lambda: None, environ={})
    assert provider.account != provider.account
