"""How calls of coding agents fail, time out and are stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from aethermind.domain.errors import ProviderError
from aethermind.domain.usage import Cost
from aethermind.engine.own_tools import ToolEnded
from aethermind.engine.ports import (
    CallContext,
    ChatEvent,
    ChatRequest,
    Message,
    TextDelta,
)
from aethermind.infra.children.local import LocalChildren
from aethermind.infra.providers.cli import CliProvider
from aethermind.infra.providers.deadlines import Deadlines
from tests.servers.agents import (
    CODEX_START,
    Act,
    claude_end,
    claude_good,
    claude_init,
    claude_piece,
    claude_says,
    claude_uses,
    lines,
)
from tests.servers.cli_lab import Lab, end, gone, opened, there


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with opened(tmp_path) as found:
        yield found


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
