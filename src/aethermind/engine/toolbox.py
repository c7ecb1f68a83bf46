"""The port of tools: what a model may call, and what a person is shown before it may.

Rules
- Nothing is given to a model that its agent does not list; what is listed says how far it is approved.
- Whatever a tool returns is untrusted text: sanitised, capped, never a template.
- `effect` decides what a crash means (`on_in_doubt`), and is the author's word: a server's own annotations
  are hints and never lower it.
- `pin` is a digest of name, description, schema and effect: a server that changes one of them is noticed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

Json = Any
Effect = Literal["pure", "read", "write", "command", "network"]
"""pure: computes; read: looks at files below the root; write: changes them; command: starts programs;
network: anything that an outside server may do."""
Approval = Literal["always", "ask", "never"]
"""always: may be called without asking; ask: each call is shown to a person first; never: refused."""


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as a model is told of it. `name` matches [A-Za-z0-9_-]{1,64}, unique within its toolbox."""

    name: str
    description: str
    input_schema: dict[str, Json]
    effect: Effect
    approve: Approval
    pin: str
    source: str = ""
    """Where it comes from, for people: `files`, `shell`, `mytools:search`, `mcp some-server`."""


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What an approval shows: escaped and whole."""

    title: str
    """One line: `write brief.md`, `run pytest -q`."""
    text: str = ""
    """The diff, the argv one per line, the arguments as JSON."""
    basis: str = ""
    """A digest of what this rests on besides the arguments: the file that would be replaced. A call that is
    given it is refused if that is not so any more."""


class ToolOutput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What goes back to the model. An error is an answer too: the model is told and may go on."""

    text: str
    is_error: bool = False
    data: Json = None
    """The structured part, if the tool has one."""
    truncated: bool = False


class ToolPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run's tools act. `env` holds values (never recorded) of the variables that the tools name;
    `log` takes lines that a server writes beside its answers."""

    run_id: str
    cwd: str
    interpreter: str
    env: Mapping[str, str] = {}
    log: Callable[[str], None] = lambda line: None


class Toolbox(Protocol):
    """The tools of one agent in one run. Tools that are never to be called are not among them."""

    @property
    def specs(self) -> tuple[ToolSpec, ...]: ...

    async def preview(self, name: str, arguments: Json) -> Preview:
        """What this call would do, without doing it. Raises `ToolRefused` for arguments that can't be right
        (no such tool, not the schema, outside of the root)."""
        ...

    async def call(
        self,
        name: str,
        arguments: Json,
        *,
        basis: str = "",
        on_output: Callable[[str], None] | None = None,
    ) -> ToolOutput:
        """Do it. A tool's own failure is an output with `is_error`. `basis`: the preview's, if somebody saw
        it. Raises `ToolRefused` as `preview`: nothing was done. Raises `ToolError` if the tool has changed
        since it was opened (kind `bad_request`) or can't be had any more: unless that is its kind, or it is
        `retryable`, what was done is not known. Cancelling the awaiting task stops what it started before it
        returns."""
        ...


class Tools(Protocol):
    """Makes toolboxes; keeps sessions (MCP servers) warm while their run lives."""

    async def open(self, configs: Sequence[Json], place: ToolPlace) -> Toolbox:
        """`configs`: an agent's tools as its definition holds them (`definitions.tools`). Raises `ToolError`
        naming the tool that can't be had (no program, no such function, a server that does not answer)."""
        ...

    def register(
        self,
        function: Callable[..., Any],
        *,
        owner: str,
        approve: Approval = "always",
        effect: Effect = "command",
    ) -> Json:
        """Know a function of this program; gives its entry in an agent's tools. Its schema is read off its
        signature. Raises `ToolError` if no model could be told of it."""
        ...

    def leave(self, run_id: str) -> Awaitable[None] | None:
        """The run is not driven any more: end its sessions. None if no run has had any."""
        ...

    async def close(self) -> None: ...
