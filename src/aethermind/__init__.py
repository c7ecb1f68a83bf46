"""Aethermind AgentOS: an operating system for LLM agents that lives in the terminal.

import aethermind

async with aethermind.open() as a:
    result = await a.run("research-brief", topic="tides", sim=True)
    print(result.outputs, result.cost)

Names are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from aethermind.definitions.python import Workflow as Workflow
    from aethermind.domain.errors import AethermindError as AethermindError
    from aethermind.domain.errors import InvalidError as InvalidError
    from aethermind.domain.errors import StepFailure as StepFailure
    from aethermind.engine.agents import Agent as Agent
    from aethermind.engine.agents import AgentEvent as AgentEvent
    from aethermind.engine.agents import create_agent as create_agent
    from aethermind.engine.context import StepContext as StepContext
    from aethermind.engine.orchestrator import Orchestrator as Orchestrator
    from aethermind.engine.orchestrator import WorkflowEngine as WorkflowEngine
    from aethermind.engine.results import RunResult as RunResult
    from aethermind.infra.providers.anthropic import AnthropicProvider as AnthropicProvider
    from aethermind.infra.providers.ollama import OllamaProvider as OllamaProvider
    from aethermind.infra.providers.openai import OpenAIProvider as OpenAIProvider
    from aethermind.infra.providers.simulated import SimulatedProvider as SimulatedProvider
    from aethermind.infra.stores.memory import InMemoryStore as InMemoryStore
    from aethermind.sdk import AgentRuntime as AgentRuntime
    from aethermind.sdk import connect as connect
    from aethermind.sdk import open as open  # noqa: A004 - `aethermind.open` is the name that users write

_HOMES = {
    "AethermindError": "domain.errors",
    "InvalidError": "domain.errors",
    "StepFailure": "domain.errors",
    "Agent": "engine.agents",
    "AgentEvent": "engine.agents",
    "create_agent": "engine.agents",
    "StepContext": "engine.context",
    "Orchestrator": "engine.orchestrator",
    "WorkflowEngine": "engine.orchestrator",
    "RunResult": "engine.results",
    "Workflow": "definitions.python",
    "AnthropicProvider": "infra.providers.anthropic",
    "OllamaProvider": "infra.providers.ollama",
    "OpenAIProvider": "infra.providers.openai",
    "SimulatedProvider": "infra.providers.simulated",
    "InMemoryStore": "infra.stores.memory",
    "AgentRuntime": "sdk",
    "connect": "sdk",
    "open": "sdk",
}
__all__ = sorted(_HOMES)  # noqa: PLE0605 - the table above is the list


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'aethermind' has no attribute {name!r}")
    value = getattr(import_module(f"aethermind.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
