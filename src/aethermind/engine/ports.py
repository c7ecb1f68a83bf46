"""The seams of the engine. Adapters live in `infra` and `definitions`; each port has one conformance
suite in `tests/contract` that every adapter passes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from aethermind.domain.events import Draft, Recorded
from aethermind.domain.usage import Cost, Usage
from aethermind.engine.access import AccessStore
from aethermind.engine.own_tools import ToolBegan, ToolEnded
from aethermind.engine.queries import (
    AttemptFilter,
    AttemptRow,
    CallRow,
    CostFilter,
    CostRow,
    LedgerRow,
    LogFilter,
    LogRow,
    Page,
    Partial,
    RunFilter,
    RunRow,
)

Json = Any


# --- time and chance ---------------------------------------------------------------------------


class Clock(Protocol):
    """Wall clock for records, monotonic clock for durations."""

    def now(self) -> int:
        """Epoch milliseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds."""
        ...


class Chance(Protocol):
    """Randomness, injected."""

    def run_id(self) -> str:
        """A new `r_…` id."""
        ...

    def jitter(self) -> float:
        """Uniform in [0, 1)."""
        ...


# --- store -------------------------------------------------------------------------------------


class EventStore(AccessStore, Protocol):
    """The event log and its projections.

    `append` is atomic over all its drafts and durable when it returns; it raises `ConflictError` if a
    stream's version is not the expected one, `StoreError` if the disk failed. Projections change in
    the same transaction.
    """

    def append(self, drafts: Sequence[Draft], expected: Mapping[str, int]) -> Awaitable[list[Recorded]]:
        """`expected`: stream → version before this append, for each stream that is guarded (a new run:
        0). Streams that are not named take any version. Logs never count.

        A draft whose `reserve` does not fit into its day's ledger is left out of what is recorded, and of
        the answer; reservations are decided one after the other, in the order of the appends.
        """
        ...

    async def read_stream(self, stream: str, after_version: int = 0) -> list[Recorded]:
        """All events of a stream in order, without its logs."""
        ...

    async def read_all(
        self, after_seq: int, *, limit: int = 1000, stream: str | None = None
    ) -> list[Recorded]:
        """Events *and logs* by seq, of all streams or of one."""
        ...

    async def last_seq(self) -> int: ...

    async def runs(self, where: RunFilter, *, limit: int = 50, cursor: str | None = None) -> Page[RunRow]: ...

    async def attempts(
        self, where: AttemptFilter, *, limit: int = 100, cursor: str | None = None
    ) -> Page[AttemptRow]: ...

    async def calls(self, run_id: str, *, limit: int = 1000, cursor: str | None = None) -> Page[CallRow]:
        """Oldest first."""
        ...

    async def logs(self, where: LogFilter, *, limit: int = 200, cursor: str | None = None) -> Page[LogRow]:
        """Oldest first. A search (step, agent, text) looks at so many records for one page; it may then hold
        few lines or none, and `next` goes on."""
        ...

    async def costs(self, where: CostFilter) -> list[CostRow]: ...

    async def ledger(self, scope: str, day: int) -> LedgerRow:
        """A UTC day's money; nothing was spent on a day without a row."""
        ...

    async def answer(self, content_key: str) -> Recorded | None:
        """The newest `CallFinished` that was recorded under this key and may be used again."""
        ...

    async def save_partials(self, partials: Sequence[Partial]) -> None:
        """Upsert display texts of calls in flight (outside the log)."""
        ...

    async def partials(self, run_id: str) -> list[Partial]: ...

    async def close(self) -> None:
        """Finish what is queued, then close. Idempotent."""
        ...


# --- providers ---------------------------------------------------------------------------------


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`tool_calls` of an assistant: `{"id", "name", "arguments"}` each. A `tool` message answers one of them:
    `tool_call_id`, and `is_error` if it went wrong."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[Json, ...] = ()
    tool_call_id: str | None = None
    is_error: bool = False
    carry: Json = None
    """Of an assistant: what its provider gave with the answer (`Finished.carry`) and wants back as it was."""


class CallContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which call this is: the simulated provider picks its reply by it; others ignore it."""

    run_id: str = ""
    workflow: str = ""
    step: str = ""
    """The step's path."""
    agent: str = ""
    attempt: int = 1
    call: int = 1
    sim: Mapping[str, Json] = {}
    """The run's recorded `.sim.yaml`."""
    cwd: str = ""


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One call of a model. `model` is the vendor's name, without the provider's prefix.

    `settings`: `max_tokens`, `temperature`, `top_p`, `reasoning` (low|medium|high), `seed`, `stop`,
    `num_ctx` (Ollama), `sim` (simulated); an adapter refuses with `bad_request` what it cannot take.
    """

    model: str
    messages: tuple[Message, ...]
    instructions: str = ""
    settings: Mapping[str, Json] = {}
    output_schema: Mapping[str, Json] | None = None
    tools: tuple[Json, ...] = ()
    context: CallContext = CallContext()


class TextDelta(msgspec.Struct, frozen=True):
    text: str


class ReasoningDelta(msgspec.Struct, frozen=True):
    text: str


class ToolCallRequested(msgspec.Struct, frozen=True):
    """Complete. `arguments` is a JSON object; the text as it came, if that is no JSON."""

    id: str
    name: str
    arguments: Json


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """The terminal marker, always the last event of a good stream."""

    reason: Literal["stop", "length", "tool_calls", "content_filter", "refusal"]
    usage: Usage | None = None
    """None when the provider did not say."""
    response_id: str | None = None
    model: str | None = None
    cost: Cost | None = None
    """Only where the provider itself reports or defines it (`sim`, `cli:`)."""
    text: str | None = None
    """The answer, where that is not just all that streamed (of an agent that spoke while it worked)."""
    warnings: tuple[str, ...] = ()
    """What a person should know of this answer, though it stands: its prompt was cut."""
    carry: Json = None
    """JSON that has to come back with this answer when the conversation goes on (signed reasoning): opaque
    to everybody else, recorded, given back to this provider alone."""


ChatEvent = TextDelta | ReasoningDelta | ToolCallRequested | ToolBegan | ToolEnded | Finished


class Provider(Protocol):
    """A connection to models.

    `stream` yields deltas and ends with `Finished`, or raises `ProviderError` (one typed error for
    every way a call can fail, `usage` so far lost). It sets its own first-token, idle and total
    deadlines; cancelling the task closes the connection. No retries inside.
    """

    name: str
    """The prefix of its models: `openai`, `groq`, `sim`."""
    simulated: bool

    def stream(self, request: ChatRequest) -> AsyncIterator[ChatEvent]: ...

    async def close(self) -> None: ...


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `aethermind models`. Prices are micro-USD per million tokens; None is unknown."""

    id: str
    """`provider:model`."""
    provider: str
    aliases: tuple[str, ...] = ()
    configured: bool = False
    """Whether a key (or server) for it is at hand."""
    reason: str = ""
    input_price: int | None = None
    output_price: int | None = None
    context_window: int | None = None


class Models(Protocol):
    """Which providers there are, and what model names mean here."""

    def resolve(self, name: str, *, sim: bool) -> str:
        """Alias or `provider:model` → `provider:model`. Raises `InvalidError` for an unknown name (with a
        did-you-mean) and for a provider whose key is missing (naming the repair). `sim`: `sim:NAME`.
        """
        ...

    def provider(self, provider: str) -> Provider:
        """The adapter, made (and its SDK imported) on first use. Raises `NotFoundError`."""
        ...

    def list(self) -> list[ModelInfo]: ...

    async def warm(self, providers: Sequence[str]) -> None:
        """Import and connect on a worker thread what these will need."""
        ...

    async def close(self) -> None: ...


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A cost range before a call; None when unpriced."""

    low_micro_usd: int | None
    high_micro_usd: int | None


class Prices(Protocol):
    """What calls cost. Never matches a price by model name alone for a foreign endpoint."""

    def cost(self, provider: str, model: str, usage: Usage, *, at: int) -> Cost: ...

    def estimate(
        self, provider: str, model: str, *, input_bytes: int, max_output_tokens: int
    ) -> Estimate: ...


# --- children ----------------------------------------------------------------------------------


class ChildOutput(msgspec.Struct, frozen=True, kw_only=True):
    """A line that a child wrote while running (already sanitised, at most 64 KiB)."""

    stream: Literal["stdout", "stderr"]
    text: str


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    stdout: str
    stderr: str
    exit_code: int
    """Negative: killed by that signal."""
    truncated: bool = False


class Output(Protocol):
    def __call__(self, line: ChildOutput, /) -> None: ...


class Children(Protocol):
    """Spawned user code: own process group, TERM – 5 s – KILL on cancellation, none survives the engine.

    `env` holds values (already resolved); the child gets PATH, HOME, LANG, TERM, TMPDIR and these.
    Cancelling the awaiting task stops the child before it returns.
    """

    async def run(
        self,
        argv: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str],
        stdin: str | None,
        on_output: Output | None = None,
    ) -> CommandResult:
        """Raises `CommandError` (kind `not_found`) if the program cannot be started. Any exit code is
        returned, not raised.
        """
        ...

    async def call_python(
        self,
        target: str,
        arguments: Mapping[str, Json],
        *,
        interpreter: str,
        cwd: str,
        env: Mapping[str, str],
        on_output: Output | None = None,
    ) -> Json:
        """Call `module:function(**arguments)` (sync or async) in a fresh `interpreter` with `cwd` first on
        its path; its return value must be JSON. Raises `CommandError` (kind `exception`, `not_found`,
        `output`) with the user's traceback in `detail`.
        """
        ...

    async def settle(self) -> int:
        """End what an earlier engine on the same data left running; how many processes that were."""
        ...

    async def close(self) -> None: ...


# --- expressions and schemas -------------------------------------------------------------------


class Expressions(Protocol):
    """Templates and conditions in a sandbox. All raise `StepFailure` (kind `expression`)."""

    def text(self, template: str, scope: Mapping[str, Json]) -> str:
        """Render to text: non-strings as JSON, null as nothing."""
        ...

    def value(self, tree: Json, scope: Mapping[str, Json]) -> Json:
        """Evaluate a JSON tree whose strings are templates. A string that is one whole `{{ expression }}`
        keeps its type; any other is rendered to text.
        """
        ...

    def truth(self, template: str, scope: Mapping[str, Json]) -> bool:
        """A condition, with or without `{{ }}`."""
        ...


class Schemas(Protocol):
    """JSON Schema checks of outputs and inputs."""

    def parse(self, text: str, schema: Mapping[str, Json]) -> Json:
        """Text of a model or command → JSON value that fits. Tolerates a ```json fence and text around one
        JSON value. Raises `OutputError` naming the path and the problem.
        """
        ...

    def check(self, value: Json, schema: Mapping[str, Json]) -> Json:
        """Raise `OutputError` if it does not fit, else return it."""
        ...


class Files(Protocol):
    """Writes of `save:`."""

    async def save(self, cwd: str, path: str, text: str) -> str:
        """Write below `cwd` (no `..`, no symlinks), atomically; the relative path. Raises `StepFailure`."""
        ...
