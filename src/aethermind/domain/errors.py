"""One error tree.

    AethermindError                 exit code, one clear line
    ├── InvalidError                2   input or file is wrong; may carry file, line, column, hint
    ├── NotFoundError               3   run, workflow, step, file, model does not exist
    ├── DeniedError                 4   not trusted, not allowed
    ├── WaitingError                5   the run needs a decision before it can go on
    ├── BusyError                   75  another engine owns the data and does not answer
    │   └── EndedError                  it has ended since: opening again finds another one, or none
    ├── ConflictError               1   stream version conflict: somebody else owns the run
    ├── StoreError                  1   the database failed (disk, corruption, newer schema)
    ├── StateError                  1   an event does not fit its run: a defect of ours
    └── StepFailure                 1   an attempt failed; carries the recorded ErrorInfo
        ├── ProviderError               a model call failed
        ├── CommandError                a child process failed
        ├── ToolError                   a tool can't be had (no program, no function, a silent server)
        ├── ToolRefused                 a tool call that must not or can't be made
        └── OutputError                 an answer did not fit its schema

`ErrorInfo` is what is recorded in events: data, never an exception object.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from aethermind.domain.usage import Cost, Usage

ErrorKind = Literal[
    "auth",  # 401/403: the key is missing or refused
    "bad_request",  # the provider refused the request (4xx): retrying cannot help
    "cancelled",
    "circuit_open",
    "command",  # a child process exited with a code that is not ok
    "connection",  # DNS, TCP, TLS, dropped connection
    "context_length",
    "exception",  # user code raised
    "expression",  # a template or condition could not be evaluated
    "fail_step",  # a `fail:` step
    "internal",
    "lost",  # the process that ran the attempt died
    "malformed",  # the answer could not be read (bad SSE, JSON, UTF-8, HTML)
    "missing_key",
    "not_found",  # the model, the program or the function does not exist
    "output",  # the answer does not fit its schema
    "overloaded",  # 529 and vendor overload
    "rejected",  # a person said no
    "quota",  # a 429 that waiting cannot heal
    "rate_limit",
    "server",  # 5xx
    "skipped_input",
    "timeout",
    "truncated",  # the stream ended without its terminal marker
]


class ErrorInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A recorded error: `message` is one line for people, `hint` names the repair."""

    kind: ErrorKind
    message: str
    retryable: bool = False
    hint: str | None = None
    status: int | None = None
    """HTTP status or process exit code, where there was one."""
    retry_after_ms: int | None = None
    detail: str | None = None
    """Longer text for the debug view (stderr tail, body excerpt); already scrubbed."""


class AethermindError(Exception):
    """Root of all errors raised on purpose. `str(error)` is one line for a person."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def line(self) -> str:
        """The one line shown to the user: `message (hint)`."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidError(AethermindError):
    """Input or a file is invalid. Shown as `file:line:col: what is wrong (hint)`."""

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        file: str | None = None,
        line_no: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line_no = line_no
        self.column = column

    def line(self) -> str:
        place = ":".join(str(p) for p in (self.file, self.line_no, self.column) if p is not None)
        return f"{place}: {super().line()}" if place else super().line()


class NotFoundError(AethermindError):
    """A run, workflow, step, file or model does not exist."""

    exit_code = 3


class DeniedError(AethermindError):
    """Not trusted or not allowed."""

    exit_code = 4


class WaitingError(AethermindError):
    """The run waits for a decision (answer, budget, in doubt); `hint` is the command to type."""

    exit_code = 5


class BusyError(AethermindError):
    """Another engine owns the data directory and does not answer, or speaks another version."""

    exit_code = 75


class EndedError(BusyError):
    """The engine that was attached to has ended. A run that it was to start has not been started."""


class ConflictError(AethermindError):
    """An append expected another stream version: the run is owned by somebody else."""


class StoreError(AethermindError):
    """The database failed: disk, corruption, wrong schema version."""


class StateError(AethermindError):
    """An event does not fit the state of its run: a defect, never the user's fault."""


class StepFailure(AethermindError):
    """An attempt failed; `info` is recorded in `AttemptFailed`."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.message, hint=info.hint)
        self.info = info


class ProviderError(StepFailure):
    """A model call failed; `info.retryable` says whether the retry layer may try again. `usage` and `cost`
    are set where the provider said what it used all the same."""

    usage: Usage | None = None
    cost: Cost | None = None


class CommandError(StepFailure):
    """A child process failed (exit code, signal, could not start)."""


class ToolError(StepFailure):
    """A tool of an agent can't be had: its program or server is missing, silent or broken."""


class ToolRefused(StepFailure):
    """A tool call that is not allowed or can't be right: the model is told why and may go on."""


class OutputError(StepFailure):
    """An answer is not valid JSON or does not fit its schema."""
