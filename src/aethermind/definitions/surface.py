"""What may stand in a workflow file.

These records are the one description of the file's syntax: `reading` checks a file against them (keys,
types, bounds, each error at its place) and `schema` makes the JSON Schema for editors from them. What a
record cannot say (short schemas, durations, references) is checked in `build` and `checks`.

A field of type `Json` takes any value. Elsewhere an empty value is an error.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from aethermind.definitions.units import DURATION_PATTERN

Json = Any

ID_PATTERN = "^[A-Za-z_][A-Za-z0-9_]*$"


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


Words = Annotated[str, Meta(min_length=1)]
Positive = Annotated[int, Meta(ge=1)]
Duration = Annotated[
    str,
    Meta(description="500ms, 10s, 1m30s, 24h", extra_json_schema={"pattern": DURATION_PATTERN}),
]
Schema = Annotated[
    Json,
    Meta(
        description="Short (string, number, integer, boolean, [string], a|b|c, {k: type}, ? = optional), the "
        "name of a schema of this file, or JSON Schema",
        extra_json_schema={"type": ["string", "array", "object"]},
    ),
]
Template = Annotated[Words, Meta(description="Text with {{ expressions }}")]
Condition = Annotated[str | bool, Meta(description="An expression, with or without {{ }}")]
Model = Annotated[
    Words | Annotated[list[Words], Meta(min_length=1)],
    Meta(description="provider:model or an alias; a list is a fallback chain"),
]
Cache = Annotated[
    bool | Duration,
    Meta(description="Whether a call that was answered before is answered from the record; for how long: 7d"),
]
Policy = Literal["always", "ask", "never"]
EnvNames = Annotated[
    dict[str, str],
    Meta(description="NAME: value, or $NAME to take it from the environment of whoever runs it"),
]


class Surface(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    pass


class FileRef(Surface, kw_only=True):
    """Text that is read from a file beside the workflow, or below the working directory."""

    file: Words


TextOrFile = Words | FileRef
Instructions = Annotated[
    Words | FileRef | list[TextOrFile], Meta(description="Plain text, {file: PATH}, or a list of both")
]


class RetrySurface(Surface, kw_only=True):
    max_attempts: Annotated[int, Meta(ge=1, le=100, description="The first try counts")] | None = None
    backoff: Duration | None = None
    max_backoff: Duration | None = None


class RepeatSurface(Surface, kw_only=True):
    until: Condition | None = None
    max: Annotated[int, Meta(ge=1, le=1_000)] = 10
    every: Duration | None = None


class SettingsSurface(Surface, kw_only=True):
    max_tokens: Annotated[int, Meta(ge=1, le=10_000_000)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    reasoning: Literal["low", "medium", "high"] | None = None
    seed: int | None = None
    stop: Words | list[Words] | None = None
    num_ctx: Annotated[int, Meta(ge=1, le=100_000_000, description="Ollama's context window")] | None = None
    max_turns: (
        Annotated[int, Meta(ge=1, le=1_000, description="Most answers in one conversation with tools; 50")]
        | None
    ) = None
    prompt_cache: (
        Annotated[bool, Meta(description="The vendor's prompt cache, where it pays; on by default")] | None
    ) = None
    permission_mode: (
        Annotated[
            str,
            Meta(
                pattern="^[A-Za-z][A-Za-z-]{0,39}$",
                description="Of a coding agent (`cli:`): read, edit, full, or a mode of its own",
            ),
        ]
        | None
    ) = None
    sim: Annotated[Json, Meta(description="Replies of the simulated model, as in a .sim.yaml")] = None


class DefaultsSurface(Surface, kw_only=True):
    model: Model | None = None
    timeout: Duration | None = None
    retry: RetrySurface | None = None
    cache: Cache | None = None
    settings: SettingsSurface | None = None


class BudgetSurface(Surface, kw_only=True):
    usd: Annotated[float, Meta(ge=0, le=1_000_000_000)]
    on_exceed: Literal["pause", "fail"] = "pause"
    unpriced: Literal["refuse", "allow"] = "refuse"


class FilesTool(Surface, kw_only=True):
    """Reading, searching and changing files below the working directory, or below `root` in it."""

    read: Policy = "always"
    write: Policy = "ask"
    root: Words | None = None


class ShellTool(Surface, kw_only=True):
    """Starting programs, by argv."""

    approve: Policy = "ask"
    timeout: Duration | None = None
    max_output: (
        Annotated[int, Meta(ge=1_000, le=1_000_000, description="Bytes of output that the model gets")] | None
    ) = None
    allowed: (
        Annotated[
            list[Annotated[list[Words], Meta(min_length=1)]],
            Meta(min_length=1, description="How argv has to begin: [[pytest], [git, diff]]"),
        ]
        | None
    ) = None


class PythonTool(Surface, kw_only=True):
    call: Annotated[str, Meta(description="module:function")]
    approve: Policy = "always"
    effect: Annotated[
        Literal["pure", "read", "write", "command", "network"],
        Meta(
            description="What it may do: decides whether it is done again after a crash (pure, read) or not"
        ),
    ] = "command"
    timeout: Duration | None = None


class McpTool(Surface, kw_only=True):
    command: Annotated[list[Words], Meta(min_length=1)] | None = None
    env: EnvNames | None = None
    cwd: Words | None = None
    url: Words | None = None
    headers: EnvNames | None = None
    allowed: (
        Annotated[
            list[Words], Meta(min_length=1, description="Which of its tools the model gets; all, if not said")
        ]
        | None
    ) = None
    approve: Policy = "ask"
    timeout: Duration | None = None


class ToolSurface(Surface, kw_only=True):
    """One tool: exactly one of the keys."""

    files: FilesTool | None = None
    shell: Policy | ShellTool | None = None
    python: Annotated[str | PythonTool, Meta(description="module:function")] | None = None
    mcp: McpTool | None = None


Tools = list[Literal["files", "shell"] | ToolSurface]


class AgentSurface(Surface, kw_only=True):
    description: str = ""
    model: Model | None = None
    instructions: Instructions | None = None
    settings: SettingsSurface | None = None
    tools: Tools | None = None
    max_concurrent: Positive | None = None
    retry: RetrySurface | None = None
    timeout: Duration | None = None
    cache: Cache | None = None


class StepSurface(Surface, kw_only=True):
    """Keys of every kind of step."""

    id: Annotated[str, Meta(extra_json_schema={"pattern": ID_PATTERN})]
    depends_on: Words | list[Words] | None = None
    depends_on_camel: Words | list[Words] | None = field(name="dependsOn", default=None)
    when: Condition | None = None
    for_each: Annotated[Json, Meta(extra_json_schema={"type": ["string", "array"]})] = None
    max_parallel: Positive | None = None
    max_items: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    repeat: RepeatSurface | None = None
    retry: RetrySurface | None = None
    timeout: Duration | None = None
    on_error: Literal["fail", "continue", "skip_dependents"] = "fail"
    on_in_doubt: Literal["ask", "retry", "fail", "skip"] | None = None
    save: Annotated[str, Meta(min_length=1, description="A path below the working directory")] | None = None
    always: Annotated[bool, Meta(description="Run at the end whatever happened")] = False


class PromptStep(StepSurface, kw_only=True):
    prompt: TextOrFile
    agent: Words | None = None
    model: Model | None = None
    instructions: Instructions | None = None
    settings: SettingsSurface | None = None
    tools: Tools | None = None
    output: Schema = None
    cache: Cache | None = None


class RunStep(StepSurface, kw_only=True):
    run: Annotated[list[str], Meta(min_length=1, description="An argv list, never a shell string")]
    stdin: str | None = None
    cwd: Words | None = None
    env: EnvNames | None = None
    ok_codes: Annotated[list[Annotated[int, Meta(ge=0, le=255)]], Meta(min_length=1)] | None = None
    output: Schema = None


class PythonStep(StepSurface, kw_only=True):
    python: Annotated[str, Meta(description="module:function")]
    arguments: dict[str, Json] | None = field(name="with", default=None)
    cwd: Words | None = None
    env: EnvNames | None = None
    output: Schema = None


class ValueStep(StepSurface, kw_only=True):
    value: Json


class FailStep(StepSurface, kw_only=True):
    fail: Template


class AskBody(Surface, kw_only=True):
    message: Template
    show: str | None = None
    fields: dict[str, Schema] | None = None
    timeout: Duration | None = None
    on_timeout: Literal["fail", "skip", "default"] = "fail"


class AskStep(StepSurface, kw_only=True):
    ask: AskBody


class ApprovalBody(Surface, kw_only=True):
    message: Template
    show: str | None = None
    timeout: Duration | None = None
    on_timeout: Literal["fail", "skip"] = "fail"


class ApprovalStep(StepSurface, kw_only=True):
    approval: ApprovalBody


class WorkflowStep(StepSurface, kw_only=True):
    workflow: Words
    arguments: dict[str, Json] | None = field(name="with", default=None)


class GroupStep(StepSurface, kw_only=True):
    steps: Annotated[
        list[Json], Meta(min_length=1, extra_json_schema={"items": _ref("Step")}, description="A group")
    ]
    cache: Cache | None = None


STEP_KINDS: dict[str, type[StepSurface]] = {
    "prompt": PromptStep,
    "run": RunStep,
    "python": PythonStep,
    "ask": AskStep,
    "approval": ApprovalStep,
    "value": ValueStep,
    "fail": FailStep,
    "workflow": WorkflowStep,
    "steps": GroupStep,
}
"""The key that makes a step what it is → the keys it may have."""


class WorkflowSurface(Surface, kw_only=True):
    """A workflow file."""

    name: Words
    schema_address: str | None = field(name="$schema", default=None)
    description: str = ""
    inputs: dict[str, Schema] | None = None
    schemas: dict[str, Schema] | None = None
    defaults: DefaultsSurface | None = None
    budget: BudgetSurface | None = None
    agents: (
        Annotated[dict[str, Json], Meta(extra_json_schema={"additionalProperties": _ref("AgentSurface")})]
        | None
    ) = None
    steps: Annotated[list[Json], Meta(min_length=1, extra_json_schema={"items": _ref("Step")})]
    outputs: dict[str, Json] | None = None
    priority: Annotated[int, Meta(ge=-1_000, le=1_000)] = 0
    max_concurrent: Positive | None = None
