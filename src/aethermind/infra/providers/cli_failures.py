"""What a coding agent says when it fails → one `ProviderError` with its repair.

Rules
- Programs say in words what an API says in a status, on standard error or as their last message.
- What had begun to use tools is not tried again by itself: it may have changed files, and would do so twice.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from aethermind.domain.errors import CommandError, ErrorInfo, ErrorKind, ProviderError
from aethermind.infra.children.child import signal_name
from aethermind.infra.providers.cli_programs import Program
from aethermind.infra.providers.failures import Peer, failure, one_line

_ACTED = "it had begun to use tools: look at what it did, then aethermind retry"
_LIMIT = "wait until the limit is reset, or name a second model: model: [first, second]"


class _Rule(NamedTuple):
    kind: ErrorKind
    says: str
    """Regular expression, whatever the case."""
    hint: str = ""
    retryable: bool = False


_RULES = (
    _Rule(
        "not_found",
        r"issue with the selected model|(?:unknown|invalid) model|model_not_found"
        r"|model.{0,80}(?:not (?:found|exist|supported|available)|does not exist|unknown)",
        "does your account have this model?",
    ),
    _Rule(
        "auth",
        r"not logged in|/login|please (?:log|sign) ?in|authentication|invalid api key|unauthori[sz]ed"
        r"|missing (?:bearer|api key)|oauth token|token (?:has )?(?:expired|been (?:revoked|invalidated))"
        r"|codex login|\b401\b",
        "{login}",
    ),
    _Rule(
        "quota",
        r"usage limit|(?:session|weekly|hourly|5-hour|opus|sonnet) limit|hit your limit|limit reached|quota"
        r"|credit balance|billing|out of credits|spend(?:ing)? limit|max.budget|\b402\b",
        _LIMIT,
    ),
    _Rule("rate_limit", r"rate.?limit|too many requests|\b429\b", retryable=True),
    _Rule("overloaded", r"overloaded|at capacity|\b529\b", retryable=True),
    _Rule(
        "context_length",
        r"context (?:window|length)|prompt is too long|too many tokens|context_length",
        "shorten the prompt, or use a model with a larger context",
    ),
    _Rule(
        "bad_request",
        r"skip-git-repo-check",
        'work in a git repository, or set args = ["--skip-git-repo-check"] under [providers.{name}]',
    ),
    _Rule(
        "bad_request",
        r"(?:unknown|unrecognized|unexpected) (?:option|argument|flag)|error: unexpected",
        "is it up to date? {install}",
    ),
    _Rule("truncated", r"max.turns|maximum number of turns", "allow it more turns, or ask for less"),
    _Rule(
        "connection",
        r"econn(?:refused|reset)|enotfound|etimedout|connection (?:error|refused|reset|closed)|fetch failed"
        r"|stream disconnected|network error|error sending request|dns error",
        "check the network",
        retryable=True,
    ),
    _Rule(
        "server",
        r"\b50[0-4]\b|internal server error|server_error|error_during_execution|bad gateway",
        retryable=True,
    ),
)
"""What it says → what it means; the first that fits. {…} in a hint: of the program."""
_WAIT = re.compile(
    r"(?:try again|retry|retrying|wait)\D{0,20}?(\d+(?:\.\d+)?) ?(ms|s|m)(?:in|ec)?\b", re.IGNORECASE
)
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000}
_ESCAPES = re.compile(r"\|\d{10}\b")
"""`usage limit reached|1755806400`: the hour of the reset, for machines."""


def told(
    program: Program, peer: Peer, text: str, code: str = "", *, status: int | None = None
) -> ProviderError:
    """A failure that the program put into words."""
    said = _ESCAPES.sub("", text)
    for kind, pattern, hint, again in _RULES:
        if re.search(pattern, f"{code} {said}", re.IGNORECASE):
            wait = _WAIT.search(said) if again else None
            return failure(
                peer, kind, f"{program.label}: {said or code}", retryable=again, status=status,
                hint=hint.format(name=program.name, login=program.login, install=program.install) or None,
                retry_after_ms=int(float(wait[1]) * _UNITS[wait[2].lower()]) if wait else None, detail=text,
            )  # fmt: skip
    return failure(
        peer,
        "command" if status is not None else "server",
        f"{program.label}: {said or code}",
        status=status,
        detail=text,
    )


def ended(program: Program, peer: Peer, code: int, complaint: str, stderr: str, lines: int) -> ProviderError:
    """It ended without an answer. `complaint`: the last that it said went wrong."""
    status = code if code > 0 else None
    if code < 0:
        text = f"{program.label} was killed by {signal_name(-code)} in the middle of its work"
        return failure(peer, "truncated", text, retryable=True, detail=stderr)
    last = complaint or next((line for line in reversed(stderr.splitlines()) if line.strip()), "")
    if code == 0 and not last:
        text = f"{program.label} ended after {lines} line{'s' * (lines != 1)} without the end of its answer"
        return failure(peer, "truncated", text, retryable=True, detail=stderr)
    # The reason may stand above the last line: a stack, a usage text.
    built = told(program, peer, complaint or stderr, status=status)
    if built.info.kind in {"command", "server"} and not built.info.retryable:
        how = f"ended with exit code {code}" if code else "ended without an answer"
        text = f"{program.label} {how}: {last}" if last else f"{program.label} {how} and said nothing"
        return failure(peer, "command", text, status=status, detail=stderr)
    return ProviderError(
        replace(built.info, message=one_line(f"{program.label}: {last}"), detail=stderr[:4_000])
    )


def not_started(program: Program, peer: Peer, error: CommandError, cwd: str) -> ProviderError:
    """It could not be started."""
    info = error.info
    if info.kind == "not_found" and Path(cwd).is_dir():
        text = f"{program.label} is not installed: there is no program {program.command[0]} on PATH"
        return failure(peer, "not_found", text, hint=program.install, detail=info.message)
    return ProviderError(info)


def settled(error: ProviderError, *, acted: bool, stderr: str) -> ProviderError:
    """The same with what else is known."""
    info: ErrorInfo = error.info
    if not info.detail and stderr:
        info = replace(info, detail=one_line(stderr, 4_000))
    if acted and info.retryable:
        info = replace(info, retryable=False, hint=f"{info.hint}; {_ACTED}" if info.hint else _ACTED)
    error.info, error.hint = info, info.hint
    return error
