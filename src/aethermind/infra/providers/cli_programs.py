"""Coding agents that are installed as programs: which there are, how they are started, what they need.

`claude` and `codex` are known; the config may change them and add others (`[providers.NAME] kind = "cli"`).
A model is written `cli:PROGRAM` or `cli:PROGRAM:MODEL`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from aethermind.domain.errors import InvalidError
from aethermind.engine.ports import ChatRequest, Message
from aethermind.infra.config import CliFormat, Config, ProviderConfig, is_program
from aethermind.infra.providers.names import did_you_mean
from aethermind.infra.providers.structured import with_words

PREFIX = "cli"
"""The provider of all of them."""
INHERITED = (
    "USER",
    "LOGNAME",
    "SHELL",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
)
"""What each gets besides what every child gets (PATH, HOME, LANG, TERM, TMPDIR): where its own login is, and
the way to the network."""
MODES = ("read", "edit", "full")
_ARGUMENT = 100_000
"""Bytes: Linux takes no argument above 128 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A coding agent and how to talk to it."""

    name: str
    format: CliFormat
    command: tuple[str, ...]
    args: tuple[str, ...] = ()
    """After the ones that its format needs."""
    env: tuple[str, ...] = ()
    """Names of further variables that it gets."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """Of `jsonl`: what → where it is in a line (`usage.input`)."""
    permission_mode: str | None = None
    label: str = ""
    install: str = ""
    login: str = ""

    @property
    def takes_model(self) -> bool:
        return self.format in {"claude", "codex"} or any("{model}" in word for word in self.command)

    @property
    def needs_model(self) -> bool:
        return self.format not in {"claude", "codex"} and self.takes_model

    @property
    def opaque(self) -> bool:
        """It does not say when it uses tools."""
        return self.format in {"text", "jsonl"}

    def found(self, environ: Mapping[str, str]) -> str | None:
        """Where it is installed."""
        return shutil.which(self.command[0], path=environ.get("PATH", os.defpath))

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        return {name: environ[name] for name in (*INHERITED, *self.env) if name in environ}

    def start(self, request: ChatRequest, model: str) -> tuple[list[str], str]:
        """Its arguments, and what it reads on standard input."""
        prompt, told = prompt_of(request), request.instructions
        mode = request.settings.get("permission_mode") or self.permission_mode
        effort = request.settings.get("reasoning")
        match self.format:
            case "claude":
                argv = [*self.command, "-p", "--output-format", "stream-json", "--verbose"]
                argv += [
                    "--include-partial-messages",
                    *_option("--model", model),
                    *_option("--effort", effort),
                ]
                argv += _option(
                    "--permission-mode", _mode(mode, "default", "acceptEdits", "bypassPermissions")
                )
                if len(told.encode()) <= _ARGUMENT:
                    argv += _option("--append-system-prompt", told)
                    told = ""
                return [*argv, *self.args], _joined(told, prompt)
            case "codex":
                argv = [*self.command, "exec", "--json", *_option("--model", model)]
                argv += _option(
                    "--sandbox", _mode(mode, "read-only", "workspace-write", "danger-full-access")
                )
                argv += ["-c", f"model_reasoning_effort={json.dumps(effort)}"] if effort else []
                return [*argv, *self.args, "-"], _joined(told, prompt)
            case "text" | "jsonl":
                whole = _joined(told, prompt)
                named = any("{prompt}" in word for word in self.command)
                argv = [
                    word.replace("{model}", model).replace("{prompt}", whole)
                    for word in (*self.command, *self.args)
                ]
                return argv, "" if named else whole
            case _:
                assert_never(self.format)


KNOWN: dict[str, Program] = {
    "claude": Program(
        name="claude",
        format="claude",
        command=("claude",),
        env=("CLAUDE_CONFIG_DIR", "CLAUDE_CODE_OAUTH_TOKEN"),
        label="Claude Code",
        install="npm install -g @anthropic-ai/claude-code, then log in: claude",
        login="log in: claude, then /login",
    ),
    "codex": Program(
        name="codex",
        format="codex",
        command=("codex",),
        env=("CODEX_HOME", "CODEX_API_KEY"),
        label="Codex",
        install="npm install -g @openai/codex, then log in: codex login",
        login="log in: codex login",
    ),
}


def programs_of(config: Config) -> dict[str, Program]:
    """The known ones and the config's, by name. Raises `InvalidError`."""
    found = dict(KNOWN)
    for name, given in config.providers.items():
        if is_program(name, given):
            found[name] = _configured(name, given)
    return found


def _configured(name: str, given: ProviderConfig) -> Program:
    place = f"[providers.{name}]"
    base = KNOWN.get(name)
    command = tuple(given.command or (base.command if base else ()))
    if not command or not command[0].strip():
        raise InvalidError(f"{place} has no command", hint='command = ["aider", "--message", "{prompt}"]')
    format_ = given.format or (base.format if base else "text")
    base = base or Program(
        name=name,
        format=format_,
        command=command,
        label=name,
        install=f"install {command[0]}, or change command under {place} in config.toml",
        login=f"log in as {command[0]} wants it; variables that it needs go into env under {place}",
    )
    if format_ != "jsonl" and given.fields:
        raise InvalidError(f"{place}: fields belong to the format jsonl")
    if format_ == "jsonl" and not {"text", "result"} & set(given.fields):
        raise InvalidError(f"{place} does not say where the text is", hint='fields = {text = "message.text"}')
    return replace(
        base,
        format=format_,
        command=command,
        args=tuple(given.args),
        env=(*base.env, *given.env),
        fields=dict(given.fields),
        permission_mode=given.permission_mode,
    )


def split(model: str) -> tuple[str, str]:
    """`claude:sonnet` → (`claude`, `sonnet`); the model may be left out."""
    program, _, rest = model.partition(":")
    return program, rest


def checked(programs: Mapping[str, Program], model: str) -> Program:
    """The program of `PROGRAM[:MODEL]`. Raises `InvalidError`."""
    name, wanted = split(model)
    program = programs.get(name)
    if program is None:
        hint = did_you_mean(name, programs) or f"known are {', '.join(f'{PREFIX}:{n}' for n in programs)}"
        raise InvalidError(f"unknown program {name!r} in '{PREFIX}:{model}'", hint=hint)
    full = f"{PREFIX}:{model}"
    if ":" in model and not wanted:
        raise InvalidError(
            f"{full!r} names no model", hint=f"write {PREFIX}:{name}:MODEL, or {PREFIX}:{name}"
        )
    if wanted.startswith("-"):
        raise InvalidError(f"{full!r}: a model's name cannot begin with -")
    if wanted and not program.takes_model:
        raise InvalidError(
            f"{full!r}: the command of {name} has no place for {{model}}", hint=f"{PREFIX}:{name}"
        )
    if not wanted and program.needs_model:
        raise InvalidError(f"{full!r} names no model", hint=f"write {PREFIX}:{name}:MODEL")
    return program


def require_installed(programs: Mapping[str, Program], model: str, environ: Mapping[str, str]) -> None:
    """Raises `InvalidError` with how to install it."""
    program = programs.get(split(model)[0])
    if program is not None and program.found(environ) is None:
        text = f"{PREFIX}:{model}: {program.label} is not installed: no program {program.command[0]} on PATH"
        raise InvalidError(text, hint=program.install)


def starts(programs: Mapping[str, Program], models: Mapping[str, str]) -> tuple[str, ...]:
    """Which of these models (a name → `provider:model`) are programs, each in words."""
    found: dict[str, None] = {}
    for name, target in models.items():
        provider, _, model = target.partition(":")
        if provider == PREFIX:
            program = programs.get(split(model)[0])
            label = program.label if program else target
            found[f"the model {name} is the program {label}, which may run commands and change files"] = None
    return tuple(found)


def prompt_of(request: ChatRequest) -> str:
    """What was said, as one text; with the schema of the answer, if there is one."""
    messages = request.messages
    if len(messages) == 1 and messages[0].role == "user":
        text = messages[0].content
    else:
        text = "\n\n".join(_said(message) for message in messages)
    return text if request.output_schema is None else with_words(text, request.output_schema)


def _said(message: Message) -> str:
    who = {"assistant": "You answered", "system": "System", "tool": "Tool", "user": "User"}[message.role]
    return f"{who}:\n{message.content}"


def _joined(instructions: str, prompt: str) -> str:
    return f"{instructions}\n\n{prompt}" if instructions else prompt


def _option(name: str, value: object) -> list[str]:
    return [name, str(value)] if value else []


def _mode(mode: str | None, *own: str) -> str | None:
    """`read`, `edit` and `full` in the program's own words; its own words as they are."""
    return dict(zip(MODES, own, strict=True)).get(mode, mode) if mode else None
