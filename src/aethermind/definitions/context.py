"""What the parts of the builder share while one file is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aethermind.definitions.files import IncludedFiles, as_scalar
from aethermind.definitions.hints import show
from aethermind.definitions.nodes import Map, Node, Scalar, Seq, error
from aethermind.definitions.reading import duration
from aethermind.definitions.shorthand import Shorthand
from aethermind.definitions.surface import RetrySurface
from aethermind.domain.workflow import OWN_SETTINGS, AgentDef, CachePolicy, Retry

if TYPE_CHECKING:
    from aethermind.definitions.loader import LoadedWorkflow

Json = Any

MAX_STEPS = 10_000
MAX_EXPANDED = 100_000
MAX_DEPTH = 8
"""Of workflows inside workflows."""

_MODEL = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*(?::[^\s:][^\s]*)?\Z")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_TARGET = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\Z", re.ASCII)

KnownModels = Callable[[str], str | None]
"""Model name → what is wrong with it, or None."""
KnownSettings = Callable[[str, Mapping[str, Json]], Iterable[tuple[str, str, str | None]]]
"""Model name and settings → those that it does not take: (name, what is wrong, hint)."""
KnownAgents = Callable[[str], "KnownAgent | None"]
"""Name → the agent that is registered under it, for files that name one that they do not define."""
Places = Mapping[str, Map]
"""Name of a setting → the mapping that it stands in."""

DEFAULT_MODELS = ("smart",)
"""Where nothing names a model."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds where neither workflow, agent nor step says otherwise."""

    retries: int = 3
    """Of prompt and function steps; attempts are one more."""
    timeout_ms: int = 600_000


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """An agent from elsewhere than the file."""

    definition: AgentDef
    digest: str
    """Another one for each change: what is trusted with the file is this agent as it is."""
    env_names: tuple[str, ...] = ()
    needs_trust: tuple[str, ...] = ()


@dataclass(slots=True)
class Settled:
    """What steps inherit from around them."""

    timeout_ms: int
    retry: Retry
    models: tuple[str, ...] = ()
    settings: dict[str, Json] = field(default_factory=dict)
    setting_places: Places = field(default_factory=dict)
    group_timeout_ms: int | None = None
    group_retries: tuple[tuple[Map, RetrySurface], ...] = ()
    """What the groups around say, the outermost first: it goes before what an agent says."""
    on_in_doubt: Any = None
    cache: CachePolicy = None
    group_cache: CachePolicy = None


@dataclass(slots=True)
class Context:
    files: IncludedFiles
    defaults: Defaults = Defaults()
    known_models: KnownModels | None = None
    known_settings: KnownSettings | None = None
    known_agents: KnownAgents | None = None
    agent_digests: dict[str, str] = field(default_factory=dict)
    """Of the agents that are not the file's own."""
    agent_settings: dict[str, Places] = field(default_factory=dict)
    """Where the settings of each agent stand."""
    load_other: Callable[[Scalar], LoadedWorkflow] | None = None
    """Reads the file of a `workflow` step."""
    shorthand: Shorthand = field(default_factory=Shorthand)
    settled: Settled = field(default_factory=lambda: Settled(0, Retry()))
    env_names: dict[str, None] = field(default_factory=dict)
    needs_trust: list[str] = field(default_factory=list)
    steps: int = 0

    def models(self, node: Node) -> tuple[str, ...]:
        """The value of `model:`: a name or a chain of names."""
        names = []
        for item in node.items if isinstance(node, Seq) else [node]:
            assert isinstance(item, Scalar)
            name = str(item.value)
            if not _MODEL.match(name) or len(name) > 200:
                raise error(
                    item,
                    f"`{show(name)}` is no model",
                    hint="write provider:model, or an alias such as smart",
                )
            if self.known_models is not None and (problem := self.known_models(name)) is not None:
                message, _, hint = problem.partition(" (")
                raise error(item, show(message, 200), hint=show(hint.removesuffix(")"), 200) or None)
            names.append(name)
        return tuple(dict.fromkeys(names))

    def find_agent(self, name: str) -> AgentDef | None:
        """One that is registered; what it starts and takes is then noted as the file's."""
        found = None if self.known_agents is None else self.known_agents(name)
        if found is None:
            return None
        self.agent_digests[f"agent:{name}"] = found.digest
        self.env_names.update(dict.fromkeys(found.env_names))
        self.needs_trust += found.needs_trust
        return found.definition

    def check_settings(self, models: tuple[str, ...], settings: Mapping[str, Json], places: Places) -> None:
        """Refuse, where it stands, a setting that one of these models does not take."""
        settings = {name: value for name, value in settings.items() if name not in OWN_SETTINGS}
        if self.known_settings is None or not settings:
            return
        for model in models or DEFAULT_MODELS:
            for name, problem, hint in self.known_settings(model, settings):
                where = places[name]
                text = problem if ":" in model else f"{problem} (`{model}` means it here)"
                raise where.key_error(name, show(text, 200), hint=hint)

    def retry(self, node: Map, surface: RetrySurface, base: Retry) -> Retry:
        """`retry:` over what is inherited."""
        backoff = base.backoff_ms
        if "backoff" in node.entries:
            backoff = duration(node.entries["backoff"])
        longest = max(base.max_backoff_ms, backoff)
        if "max_backoff" in node.entries:
            longest = duration(node.entries["max_backoff"])
            if longest < backoff:
                raise error(node.entries["max_backoff"], "`max_backoff` is shorter than `backoff`")
        attempts = base.max_attempts if surface.max_attempts is None else surface.max_attempts
        return Retry(max_attempts=attempts, backoff_ms=backoff, max_backoff_ms=longest)

    def timeout(self, node: Map, key: str = "timeout") -> int | None:
        child = node.entries.get(key)
        if child is None:
            return None
        ms = duration(child)
        if ms == 0:
            raise error(child, f"`{key}` cannot be 0", hint="leave it out, or write 10m")
        return ms

    def cache(self, node: Map) -> CachePolicy:
        """The value of `cache:`; None if nothing is said."""
        child = node.entries.get("cache")
        if child is None:
            return None
        assert isinstance(child, Scalar)
        if isinstance(child.value, bool):
            return child.value
        ms = duration(child)
        if ms == 0:
            raise error(child, "`cache` cannot be 0", hint="cache: false switches it off")
        return ms

    def env(self, node: Node | None) -> dict[str, str]:
        """`env:` or `headers:`; names that are taken from the submitter's environment are noted."""
        if node is None:
            return {}
        assert isinstance(node, Map)
        out = {}
        for name, child in node.entries.items():
            assert isinstance(child, Scalar)
            value = str(child.value)
            if value.startswith("$"):
                if not _ENV_NAME.match(value[1:]):
                    raise error(child, f"`{show(value)}` names no variable", hint="$NAME, the whole value")
                self.env_names[value[1:]] = None
            out[name] = value
        return out

    def check_env_keys(self, node: Node | None) -> None:
        if isinstance(node, Map):
            for name in node.entries:
                if not _ENV_NAME.match(name):
                    raise node.key_error(
                        name, f"`{show(name)}` is no name of a variable", hint="letters, digits and _"
                    )

    def target(self, node: Node) -> str:
        """`module:function`."""
        assert isinstance(node, Scalar)
        target = str(node.value)
        if not _TARGET.match(target):
            raise error(node, f"`{show(target)}` is no function", hint="write module:function")
        return target

    def prompt(self, node: Node) -> Scalar:
        """The template of `prompt:`, from the step itself or from a file."""
        if isinstance(node, Map):
            node = as_scalar(self.files.text(node.entries["file"]))
        assert isinstance(node, Scalar)
        if not str(node.value).strip():
            raise error(node, "the prompt is empty")
        return node

    def instructions(self, node: Node | None) -> tuple[str, list[Scalar]]:
        """The text of `instructions:`, and those parts that are templates. Files are plain text: an
        AGENTS.md may be full of braces."""
        if node is None:
            return "", []
        parts, templates = [], []
        for item in node.items if isinstance(node, Seq) else [node]:
            if isinstance(item, Map):
                parts.append(verbatim(self.files.text(item.entries["file"]).text.strip()))
            else:
                assert isinstance(item, Scalar)
                parts.append(str(item.value).strip())
                templates.append(item)
        return "\n\n".join(p for p in parts if p), templates


_TAG = re.compile(r"\{[{%#]")


def verbatim(text: str) -> str:
    """A template that gives exactly `text`."""
    return _TAG.sub(lambda match: '{{ "' + match[0] + '" }}', text)
