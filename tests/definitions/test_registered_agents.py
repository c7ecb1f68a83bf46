"""Files that name an agent which is registered and not defined in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aethermind.definitions.loader import KnownAgent, LoadedWorkflow, load_file, load_text
from aethermind.domain.errors import InvalidError
from aethermind.domain.workflow import AgentDef

USES = "name: uses\nsteps: [{id: a, agent: writer, prompt: hi}]\n"


class Registry:
    """Agents that may change; `asked` are the names that were looked for."""

    def __init__(self, **agents: KnownAgent) -> None:
        self.agents = agents
        self.asked: list[str] = []

    def __call__(self, name: str) -> KnownAgent | None:
        self.asked.append(name)
        return self.agents.get(name)


def agent(digest: str = "1") -> KnownAgent:
    definition = AgentDef(name="writer", models=("smart",), timeout_ms=5_000)
    return KnownAgent(definition=definition, digest=digest, env_names=("KEY",), needs_trust=("it may",))


def load(text: str, registry: Registry) -> LoadedWorkflow:
    return load_text(text, known_agents=registry)


def test_it_becomes_the_files_own_with_all_that_it_takes_and_starts() -> None:
    loaded = load(USES, Registry(writer=agent()))
    assert loaded.definition.agents == {"writer": agent().definition}
    assert loaded.definition.steps[0].timeout_ms == 5_000, "as of an agent of the file's"
    assert (loaded.env_names, loaded.needs_trust) == (("KEY",), ("it may",))


def test_the_files_own_goes_first_and_nobody_is_asked() -> None:
    registry = Registry(writer=agent())
    loaded = load(USES + "agents: {writer: {model: fast}}\n", registry)
    assert loaded.definition.agents["writer"].models == ("fast",)
    assert (registry.asked, loaded.needs_trust, loaded.agent_digests) == ([], (), {})


def test_one_that_is_used_twice_is_asked_for_once() -> None:
    registry = Registry(writer=agent())
    steps = "[{id: a, agent: writer, prompt: hi}, {id: g, steps: [{id: b, agent: writer, prompt: hi}]}]"
    assert load(f"name: uses\nsteps: {steps}\n", registry).needs_trust == ("it may",)
    assert registry.asked == ["writer"]


def test_one_that_is_not_registered_is_refused_where_it_stands() -> None:
    with pytest.raises(InvalidError, match="there is no agent `writer`") as refused:
        load(USES, Registry())
    assert (refused.value.line_no, refused.value.column) == (2, 24)


def test_what_is_trusted_is_the_file_with_this_agent_as_it_is(tmp_path: Path) -> None:
    inner, outer = tmp_path / "inner.yaml", tmp_path / "outer.yaml"
    inner.write_text(USES)
    outer.write_text("name: outer\nsteps: [{id: s, workflow: ./inner.yaml}]\n")
    for path in (inner, outer):
        hashes = [
            load_file(path, known_agents=Registry(writer=agent(digest))).content_hash
            for digest in ("1", "1", "2")
        ]
        assert hashes[0] == hashes[1] != hashes[2]
