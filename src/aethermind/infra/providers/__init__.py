"""Adapters of the port `Provider`, their prices, and what model names mean.

    openai.py      OpenAI and every server that speaks its APIs (wire formats: openai_chat, openai_responses)
    anthropic.py   Anthropic Messages
    ollama.py      Ollama's native API
    cli.py         coding agents that are installed as programs
    simulated.py   replies from a script, or made up; costs nothing and needs no network
    conversation   the one loop that reads a stream: deadlines, terminal marker, one typed error
    failures       every way a call can fail → `ProviderError`
    models.py      which providers there are, what `fast` and `smart` mean
    prices.py      what calls cost

A vendor's SDK costs 1.4–3.2 s of CPU to import, so it is imported when its adapter makes its first call
(or on a worker thread by `Models.warm`), never by importing this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aethermind.infra.providers.anthropic import AnthropicProvider
    from aethermind.infra.providers.deadlines import Deadlines
    from aethermind.infra.providers.ollama import OllamaProvider
    from aethermind.infra.providers.openai import OpenAIProvider
    from aethermind.infra.providers.simulated import SimulatedProvider

__all__ = ["AnthropicProvider", "Deadlines", "OllamaProvider", "OpenAIProvider", "SimulatedProvider"]

_HOMES = {
    "AnthropicProvider": "anthropic",
    "Deadlines": "deadlines",
    "OllamaProvider": "ollama",
    "OpenAIProvider": "openai",
    "SimulatedProvider": "simulated",
}


def __getattr__(name: str) -> Any:
    if home := _HOMES.get(name):
        return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
