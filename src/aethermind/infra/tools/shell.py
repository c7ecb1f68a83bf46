"""The tool `shell`: starts a program by an argv list, never by a line for a shell.

The program runs as any child does: with an allow-listed environment (none of the variables that other tools
name), in a process group of its own, ended by TERM, 5 s and KILL when its time is over or its run is
cancelled, and never outliving the engine. A directory is only where it starts: a program may go anywhere, so
what keeps it in bounds is the list of allowed commands and the person who approves.
"""

from __future__ import annotations

import os
import shlex
from functools import partial
from pathlib import Path
from typing import Any

from aethermind import wire
from aethermind.domain.errors import CommandError
from aethermind.engine.ports import ChildOutput, Children, CommandResult
from aethermind.engine.surroundings import surroundings
from aethermind.engine.toolbox import Preview, ToolOutput, ToolPlace
from aethermind.infra.children.child import signal_name
from aethermind.infra.sanitize import clean_line
from aethermind.infra.tools.texts import Tail, cut
from aethermind.infra.tools.tool import Arguments, Output, Tool, parameters, refused, spec_of, title
from aethermind.infra.tools.waiting import TimedOut, within

Json = Any

MAX_TIMEOUT_S = 3_600
_WORDS = 1_000
"""Bytes for what is said around an output that has been cut."""


def shell_tool(config: Json, place: ToolPlace, children: Children) -> Tool:
    """`config`: the body of `{"shell": …}`."""
    seconds = config["timeout_ms"] / 1000
    allowed = tuple(tuple(words) for words in config.get("allowed", ()))
    only = "".join(f"\n- {shlex.join(words)} …" for words in allowed)
    schema = parameters(
        ("argv",),
        argv={
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "maxItems": 1_000,
            "description": 'Program and arguments: ["git", "diff", "--stat"]',
        },
        cwd={"type": "string", "description": "A directory below the working directory"},
        stdin={"type": "string"},
        timeout_s={
            "type": "integer",
            "minimum": 1,
            "maximum": max(1, min(MAX_TIMEOUT_S, int(seconds))),
            "description": f"Seconds; {seconds:g} if left out",
        },
    )
    description = "Start a program and wait for its end. No shell reads the arguments: no pipes, no globs."
    if only:
        description += f" Only commands that begin with one of these:{only}"
    shell = _Shell(place, children, allowed, seconds, config["max_output"])
    return Tool(
        spec=spec_of(
            "shell", description, schema, effect="command", approve=config["approve"], source="shell"
        ),
        schema=schema,
        preview=shell.preview,
        call=shell.call,
        limit=config["max_output"] + _WORDS,
    )


class _Shell:
    def __init__(
        self,
        place: ToolPlace,
        children: Children,
        allowed: tuple[tuple[str, ...], ...],
        seconds: float,
        max_output: int,
    ) -> None:
        self._place = place
        self._children = children
        self._allowed = allowed
        self._seconds = seconds
        self._max_output = max_output

    async def preview(self, arguments: Arguments) -> Preview:
        argv = self._argv(arguments)
        cwd = self._cwd(arguments)
        # As JSON: what is one argument and what is several can't be mistaken.
        lines = [clean_line(wire.encode_json(word).decode()) for word in argv]
        lines.append(f"in {clean_line(cwd)}")
        if "stdin" in arguments:
            lines += ["with this input:", *map(clean_line, arguments["stdin"].split("\n"))]
        return Preview(title=title("run", shlex.join(argv)), text="\n".join(lines))

    async def call(self, arguments: Arguments, basis: str, on_output: Output | None) -> ToolOutput:
        seconds = float(arguments.get("timeout_s", self._seconds))
        seen = Tail(self._max_output)
        work = self._children.run(
            self._argv(arguments),
            cwd=self._cwd(arguments),
            env=surroundings(self._place.env),
            stdin=arguments.get("stdin"),
            on_output=partial(_hear, seen, on_output),
        )
        try:
            return self._answer(await within(seconds, work))
        except TimedOut:
            note = f"[stopped after {seconds:g} s; the end of what it wrote by then:]"
            return ToolOutput(text=f"{note}\n{seen.text()}", is_error=True, truncated=seen.dropped)
        except CommandError as problem:
            if problem.info.kind == "cancelled":
                raise
            raise refused(problem.message, problem.hint) from None

    def _argv(self, arguments: Arguments) -> list[str]:
        argv: list[str] = arguments["argv"]
        if not argv[0].strip():
            raise refused("shell: there is no program to start")
        if self._allowed and not any(tuple(argv[: len(words)]) == words for words in self._allowed):
            known = ", ".join(shlex.join(words) for words in self._allowed)
            raise refused(f"shell: `{shlex.join(argv)[:100]}` is not allowed", f"allowed: {known}")
        return argv

    def _cwd(self, arguments: Arguments) -> str:
        if "\0" in arguments.get("cwd", ""):
            raise refused("shell: cwd holds NUL")
        root = os.path.realpath(self._place.cwd)
        cwd = os.path.realpath(Path(root, arguments.get("cwd", ".")))
        if not Path(cwd).is_relative_to(root):
            raise refused(f"shell: {arguments['cwd']} leads out of the working directory")
        if not Path(cwd).is_dir():
            raise refused(f"shell: {arguments.get('cwd', cwd)} is no directory")
        return cwd

    def _answer(self, result: CommandResult) -> ToolOutput:
        """Standard output, then standard error under its own line, then how it ended."""
        # What went wrong is short and stands last; it must not lose its place to a long output.
        stderr, cut_error = cut(result.stderr, self._max_output // 4)
        stdout, cut_output = cut(result.stdout, self._max_output - len(stderr.encode()))
        parts = [stdout.removesuffix("\n")] if stdout else []
        if stderr:
            parts += ["[stderr]", stderr.removesuffix("\n")]
        code = result.exit_code
        if code:
            parts.append(f"[killed by {signal_name(-code)}]" if code < 0 else f"[exit code {code}]")
        return ToolOutput(
            text="\n".join(parts) or "[no output]",
            is_error=code != 0,
            data={"exit_code": code},
            truncated=result.truncated or cut_output or cut_error,
        )


def _hear(seen: Tail, on_output: Output | None, line: ChildOutput) -> None:
    seen.add(line.text)
    if on_output is not None:
        on_output(line.text)
