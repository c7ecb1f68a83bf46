"""Where providers are: the built-in ones, what the config adds, and what the environment overrides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from aethermind.domain.errors import InvalidError
from aethermind.infra.config import Config, Price, ProviderConfig, is_program
from aethermind.infra.providers.names import (
    ANTHROPIC_URL,
    NUM_CTX,
    OLLAMA_URL,
    OPENAI_URL,
    is_anthropic,
    is_loopback,
    is_openai,
    ollama_url,
)
from aethermind.infra.providers.settings import Dialect
from aethermind.infra.providers.structured import Structured
from aethermind.infra.secrets import remember_variables

Kind = Literal["openai", "anthropic", "ollama", "sim", "cli", "own"]
"""`cli`: all coding agents. `own`: a provider object that the user of the SDK made himself."""


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One provider, as far as it is known without calling it."""

    name: str
    kind: Kind
    base_url: str = ""
    api: Literal["chat", "responses"] | None = None
    structured: Structured = "json_schema"
    num_ctx: int = NUM_CTX
    key_env: str | None = None
    headers: Mapping[str, str] = {}
    prices: Mapping[str, Price] = {}
    registered: bool = False
    """Made by the user of the SDK, who brought its key along."""

    @property
    def official(self) -> bool:
        """The vendor itself, which knows its models by their public names."""
        return (self.kind == "openai" and is_openai(self.base_url)) or (
            self.kind == "anthropic" and is_anthropic(self.base_url)
        )

    @property
    def local(self) -> bool:
        """An Ollama on this machine: it costs nothing."""
        return self.kind == "ollama" and is_loopback(self.base_url)

    @property
    def needs_key(self) -> bool:
        return not self.registered and (self.official or self.key_env is not None)

    @property
    def dialect(self) -> Dialect | None:
        """Which settings it takes; None if nobody knows."""
        match self.kind:
            case "openai":
                return self.api or ("responses" if self.official else "chat")
            case "own":
                return None
            case _:
                return self.kind


def endpoints_of(config: Config) -> dict[str, Endpoint]:
    """All providers by name, the simulated one included."""
    environ = config.environ
    found = {"sim": Endpoint(name="sim", kind="sim", base_url="sim:")}
    programs: dict[str, Price] = {}
    for name in dict.fromkeys(("openai", "anthropic", "ollama", *config.providers)):
        given = config.providers.get(name) or ProviderConfig()
        if is_program(name, given):
            programs |= {f"{name}:{model}": price for model, price in given.prices.items()}
            continue
        kind = _kind(name, given)
        variable, default = _ADDRESSES[kind]
        # The vendor's variable speaks of the vendor's own provider.
        override = environ.get(variable) if name == kind else None
        url = override or given.base_url or default
        found[name] = Endpoint(
            name=name,
            kind=kind,
            base_url=ollama_url(url) if kind == "ollama" else url.rstrip("/"),
            api=given.api,
            structured=given.structured or "json_schema",
            num_ctx=given.num_ctx or NUM_CTX,
            key_env=given.key_env,
            headers=given.headers,
            prices=given.prices,
        )
    found["cli"] = Endpoint(name="cli", kind="cli", prices=programs)
    return found


_ADDRESSES: dict[Kind, tuple[str, str]] = {
    "openai": ("OPENAI_BASE_URL", OPENAI_URL),
    "anthropic": ("ANTHROPIC_BASE_URL", ANTHROPIC_URL),
    "ollama": ("OLLAMA_HOST", OLLAMA_URL),
}
"""Kind → the variable that overrides its address, and the address."""


def headers_of(endpoint: Endpoint, environ: Mapping[str, str]) -> dict[str, str]:
    """Header values, those that begin with `$` taken from the environment. Raises `InvalidError`."""
    headers: dict[str, str] = {}
    for name, value in endpoint.headers.items():
        if value.startswith("$"):
            if (taken := environ.get(value[1:])) is None:
                text = f"[providers.{endpoint.name}] header {name} needs {value[1:]}, which is not set"
                raise InvalidError(text)
            remember_variables({value[1:]: taken})
            headers[name] = taken
        else:
            headers[name] = value
    return headers


def _kind(name: str, given: ProviderConfig) -> Literal["openai", "anthropic", "ollama"]:
    match given.kind or name:
        case "openai" | "anthropic" | "ollama" as kind:
            return kind
        case _:
            raise InvalidError(f"[providers.{name}] has no kind", hint="openai, anthropic or ollama")
