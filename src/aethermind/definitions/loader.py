"""Loading of workflow files: everything that a run needs to know, read once and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from aethermind import wire
from aethermind.definitions import overrides as overriding
from aethermind.definitions import sim as simulation
from aethermind.definitions.build import build
from aethermind.definitions.context import (
    MAX_DEPTH,
    Context,
    Defaults,
    KnownAgent,
    KnownAgents,
    KnownModels,
    KnownSettings,
)
from aethermind.definitions.files import IncludedFiles
from aethermind.definitions.hints import show
from aethermind.definitions.nodes import Scalar, Text, error
from aethermind.definitions.reading import refuse_odd
from aethermind.definitions.source import decode, parse, parse_mapping, read_bytes
from aethermind.domain.workflow import Group, Prompt, StepDef, SubWorkflow, WorkflowDef, prompt_config

Json = Any

SUFFIXES = (".yaml", ".yml", ".json")


class LoadedWorkflow(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow file as it was read."""

    definition: WorkflowDef
    path: str | None
    """Absolute; None for a text."""
    sha256: str
    """Of the file."""
    files: dict[str, str] = {}
    """sha256 of every file it includes (prompts, instructions, other workflows), by absolute path."""
    content_hash: str = ""
    """Of the file and all that it includes: what is trusted."""
    needs_trust: tuple[str, ...] = ()
    """What starts commands, Python, a shell or MCP servers, each in words; empty: it may just run."""
    sim: dict[str, Json] = {}
    """The content of `NAME.sim.yaml` beside it."""
    env_names: tuple[str, ...] = ()
    """Variables that it takes from the submitter's environment."""
    agent_digests: dict[str, str] = {}
    """Of the registered agents that it or a workflow in it names; part of `content_hash`."""


def load_file(
    path: str | Path,
    *,
    overrides: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    defaults: Defaults | None = None,
    known_models: KnownModels | None = None,
    known_settings: KnownSettings | None = None,
    known_agents: KnownAgents | None = None,
) -> LoadedWorkflow:
    """Read, check and complete a workflow file.

    `overrides`: dotted path → value. `cwd`: where prompt files are looked for after the workflow's own
    directory. `known_models`: model name → what is wrong with it (`message (hint)`), or None.
    `known_settings`: what a model does not take of its settings. `known_agents`: those that a file may name
    without defining them. Raises
    `NotFoundError` (no such file), `DeniedError` (not readable), `InvalidError` (all else).
    """
    asked = _Asked(known_models, known_settings, known_agents)
    loading = _Loading(cwd=cwd or Path.cwd(), defaults=defaults or Defaults(), asked=asked)
    return loading.file(Path(path), str(path), overrides or {})


def load_text(
    text: str | bytes,
    name: str = "workflow",
    *,
    overrides: Mapping[str, str] | None = None,
    directory: Path | None = None,
    cwd: Path | None = None,
    defaults: Defaults | None = None,
    known_models: KnownModels | None = None,
    known_settings: KnownSettings | None = None,
    known_agents: KnownAgents | None = None,
) -> LoadedWorkflow:
    """The same for a text that is no file (API, tests). `directory`: of its prompt files; None: none can be
    named but those below `cwd`."""
    asked = _Asked(known_models, known_settings, known_agents)
    loading = _Loading(cwd=cwd or Path.cwd(), defaults=defaults or Defaults(), asked=asked)
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return loading.text(data, name, directory, overrides or {})


class _Asked(msgspec.Struct, frozen=True):
    """What is asked about models and agents."""

    known_models: KnownModels | None
    known_settings: KnownSettings | None
    known_agents: KnownAgents | None


class _Loading:
    """One call of the loader, with the workflows that it goes through."""

    def __init__(self, *, cwd: Path, defaults: Defaults, asked: _Asked) -> None:
        self._cwd = cwd
        self._defaults = defaults
        self._asked = asked
        self._open: list[Path] = []
        self._done: dict[Path, LoadedWorkflow] = {}

    def file(self, path: Path, name: str, overrides: Mapping[str, str]) -> LoadedWorkflow:
        data = read_bytes(path, name)
        real = path.resolve()
        self._open.append(real)
        loaded = self._load(data, name, real.parent, real, overrides)
        self._open.pop()
        ids = _names(loaded.definition.steps)
        return msgspec.structs.replace(loaded, path=str(real), sim=load_sim(real, ids, name=name))

    def text(
        self, data: bytes, name: str, directory: Path | None, overrides: Mapping[str, str]
    ) -> LoadedWorkflow:
        return self._load(data, name, directory, None, overrides)

    def _load(
        self, data: bytes, name: str, directory: Path | None, path: Path | None, overrides: Mapping[str, str]
    ) -> LoadedWorkflow:
        root = parse_mapping(decode(data, name), "workflow")
        overriding.apply(root, overrides)
        files = IncludedFiles(directory, self._cwd)
        context = Context(
            files=files,
            defaults=self._defaults,
            known_models=self._asked.known_models,
            known_settings=self._asked.known_settings,
            known_agents=self._asked.known_agents,
        )
        if path is not None:
            context.load_other = lambda node: self._other(node, files, context)
        definition = build(root, context)
        sha256 = hashlib.sha256(data).hexdigest()
        return LoadedWorkflow(
            definition=definition,
            path=str(path) if path is not None else None,
            sha256=sha256,
            files=dict(files.hashes),
            content_hash=_content_hash(sha256, {**files.hashes, **context.agent_digests}),
            needs_trust=tuple(context.needs_trust),
            env_names=tuple(context.env_names),
            agent_digests=dict(context.agent_digests),
        )

    def _other(self, node: Scalar, files: IncludedFiles, context: Context) -> LoadedWorkflow:
        """The workflow of a `workflow` step."""
        path, name = files.find(node)
        if path in self._open:
            way = [p.name for p in (*self._open[self._open.index(path) :], path)]
            raise error(node, f"the workflows include each other: {show(' → '.join(way), 200)}")
        if len(self._open) >= MAX_DEPTH:
            raise error(node, f"workflows inside workflows, more than {MAX_DEPTH} deep")
        if path not in self._done:
            data = files.bytes(path, name, node)
            self._open.append(path)
            self._done[path] = self._load(data, name, path.parent, path, {})
            self._open.pop()
        loaded = self._done[path]
        files.hashes[str(path)] = loaded.sha256
        files.hashes.update(loaded.files)
        context.agent_digests.update(loaded.agent_digests)
        return loaded


def _content_hash(sha256: str, files: Mapping[str, str]) -> str:
    if not files:
        return sha256
    return hashlib.sha256("\n".join([sha256, *sorted(files.values())]).encode()).hexdigest()


def sim_path(path: Path) -> Path:
    """Where the simulated replies of a workflow file are: `brief.yaml` → `brief.sim.yaml`."""
    return path.with_name(f"{path.stem}.sim.yaml")


def scripted_by(path: Path) -> Path | None:
    """The workflow beside a script of replies: `brief.sim.yaml` → `brief.yaml`; None if there is none."""
    stem = path.name.removesuffix(path.suffix).removesuffix(".sim")
    beside = (path.with_name(f"{stem}{suffix}") for suffix in SUFFIXES)
    return next((found for found in beside if found.is_file()), None)


def check_sim_file(path: Path) -> None:
    """A `.sim.yaml` by itself: its form, not whether its steps are those of a workflow. Raises
    `NotFoundError`, `InvalidError`.
    """
    parse_sim(decode(read_bytes(path, str(path), regular=True), str(path)))


def load_sim(path: Path, steps: set[str] | None = None, *, name: str | None = None) -> dict[str, Json]:
    """The `.sim.yaml` beside a workflow file, checked; {} if there is none. Raises `InvalidError`."""
    beside = sim_path(path)
    if not beside.is_file():
        return {}
    shown = str(sim_path(Path(name))) if name else str(beside)
    return parse_sim(decode(read_bytes(beside, shown, regular=True), shown), steps)


def parse_sim(text: Text, steps: set[str] | None = None) -> dict[str, Json]:
    """The content of a `.sim.yaml`."""
    root = parse(text)
    if isinstance(root, Scalar) and root.value is None:
        return {}
    refuse_odd(root)
    root = parse_mapping(text, "script of replies")
    simulation.check_script(root, steps)
    return root.plain_data()


def _names(steps: tuple[StepDef, ...], prefix: str = "") -> set[str]:
    """Ids and paths of all steps."""
    out: set[str] = set()
    for step in steps:
        path = f"{prefix}{step.id}"
        out |= {step.id, path}
        match step.action:
            case Group(steps=inside):
                out |= _names(inside, f"{path}/")
            case SubWorkflow(workflow=inner):
                out |= _names(inner.steps, f"{path}/")
            case _:
                pass
    return out


def definition_hash(definition: WorkflowDef) -> str:
    """What is recorded with a run as the hash of its definition."""
    return wire.digest(definition)


def step_hash(step: StepDef, workflow: WorkflowDef | None = None) -> str:
    """Of a step; with its workflow also of the agent whose fields it takes."""
    if workflow is None:
        return wire.digest(step)
    return wire.digest([step, _configs(step, workflow)])


def _configs(step: StepDef, workflow: WorkflowDef) -> list[Json]:
    match step.action:
        case Prompt():
            return [prompt_config(workflow, step)]
        case Group(steps=steps):
            return [c for inner in steps for c in _configs(inner, workflow)]
        case _:
            return []


__all__ = [
    "Defaults",
    "KnownAgent",
    "LoadedWorkflow",
    "check_sim_file",
    "definition_hash",
    "load_file",
    "load_sim",
    "load_text",
    "parse_sim",
    "scripted_by",
    "sim_path",
    "step_hash",
]
