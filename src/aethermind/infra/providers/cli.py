"""Coding agents that are installed as programs (`cli:claude`, `cli:codex`, any from the config) as models.

    cli_programs   which there are and how they are started
    cli_process    a conversation with one: deadlines, limits, its end
    cli_claude, cli_codex, cli_plain   what their lines mean; `cli_reading` is what they share
    cli_failures   what they say when they fail

They bring their own tools and log in by themselves: they get no provider's key of ours. What they do to files
is not undone and not repeated unasked.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import assert_never

from msgspec.structs import replace

from aethermind.domain.errors import InvalidError, ProviderError
from aethermind.domain.usage import Cost, Usage
from aethermind.engine.own_tools import ToolEnded
from aethermind.engine.ports import ChatEvent, ChatRequest, Finished
from aethermind.infra.providers import cli_failures as failures
from aethermind.infra.providers.cli_claude import ClaudeReader
from aethermind.infra.providers.cli_codex import CodexReader
from aethermind.infra.providers.cli_plain import JsonlReader, TextReader
from aethermind.infra.providers.cli_process import CliSession, TalkingChildren
from aethermind.infra.providers.cli_programs import PREFIX, Program, checked, split
from aethermind.infra.providers.cli_reading import CliReader
from aethermind.infra.providers.deadlines import Deadlines
from aethermind.infra.providers.failures import Peer, bad_request, failure
from aethermind.infra.providers.settings import require_settings
from aethermind.infra.secrets import remember_variables

CUT_SHORT = "stopped before it had ended"


class CliProvider:
    """Runs a program for each call, in the directory of the call's run. `children`: whose children they are
    (asked at each call). `environ`: where the variables are that they get by name. All failures are
    `ProviderError`; there are no retries inside.
    """

    simulated = False
    name = PREFIX

    def __init__(
        self,
        programs: Mapping[str, Program],
        children: Callable[[], TalkingChildren | None],
        *,
        environ: Mapping[str, str],
        deadlines: Deadlines | None = None,
    ) -> None:
        self._programs = programs
        self._children = children
        self._environ = environ
        self._deadlines = deadlines or Deadlines()

    @property
    def account(self) -> str:
        """Never twice the same: what a program does to files is not done by repeating its answer."""
        return secrets.token_hex(16)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        name, model = split(request.model)
        peer = Peer(name=PREFIX, label=name, url="")
        try:
            program = checked(self._programs, request.model)
        except InvalidError as error:
            raise failure(peer, "not_found", error.message, hint=error.hint) from error
        peer = Peer(name=PREFIX, label=program.label, url="")
        _require(program, request, peer)
        children = self._children()
        if children is None:
            raise failure(peer, "internal", f"{program.label} cannot be started here: no engine is running")
        session = CliSession(program, peer, _reader(program), self._deadlines)
        argv, prompt = program.start(request, model)
        env = program.environment(self._environ)
        remember_variables(env)
        work = session.run(children, argv, request.context.cwd or ".", env, prompt)
        try:
            async with aclosing(work):
                async for event in work:
                    yield event
        except ProviderError as error:
            for id_ in session.open:
                yield ToolEnded(id=id_, text=CUT_SHORT, is_error=True)
            raise _with_spent(
                failures.settled(error, acted=session.acted, stderr=session.stderr), session.reader
            ) from None
        for id_ in session.open:
            yield ToolEnded(id=id_, text=CUT_SHORT, is_error=True)
        finished = session.reader.finish()
        yield finished if finished.model else replace(finished, model=model or None)

    async def close(self) -> None:
        """Its programs end with the engine's children."""


def _require(program: Program, request: ChatRequest, peer: Peer) -> None:
    """Refuse, before anything is started, what cannot be done. Raises `ProviderError`."""
    # With a budget the engine limits each answer; a program cannot be told so.
    settings = {name: value for name, value in request.settings.items() if name != "max_tokens"}
    require_settings("cli", replace(request, settings=settings), peer)
    if request.tools:
        text = f"{program.label} has tools of its own and takes no others"
        raise bad_request(peer, text, "leave tools out for this agent")
    if program.opaque:
        for name in ("reasoning", "permission_mode"):
            if name in settings:
                raise bad_request(peer, f"{program.label} does not take the setting {name!r}", "leave it out")


def _reader(program: Program) -> CliReader:
    match program.format:
        case "claude":
            return ClaudeReader()
        case "codex":
            return CodexReader()
        case "text":
            return TextReader()
        case "jsonl":
            return JsonlReader(program.fields)
        case _:
            assert_never(program.format)


def _with_spent(error: ProviderError, reader: CliReader) -> ProviderError:
    """What a failed call used and cost, if the program said so in the end."""
    spent: Finished = reader.finish()
    usage: Usage | None = spent.usage
    cost: Cost | None = spent.cost
    error.usage, error.cost = usage, cost
    return error
