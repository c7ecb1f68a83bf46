"""Which providers there are, and what model names mean here.

A model is written `provider:model` or as an alias. `fast` and `smart` are built in and mean, in this order:
what the config says; the model in `VENDOR_MODELS` of the first vendor whose key is in the environment; the
simulated provider. A running Ollama is offered by name and never adopted silently, and so is a key in the
keyring: nothing is spent that was not asked for.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from aethermind.domain.errors import InvalidError, NotFoundError
from aethermind.engine.ports import ModelInfo, Provider
from aethermind.infra.config import Config
from aethermind.infra.providers import cli_programs as cli
from aethermind.infra.providers.cli_programs import PREFIX, Program
from aethermind.infra.providers.endpoints import Endpoint, endpoints_of, headers_of
from aethermind.infra.providers.names import closest, did_you_mean, host_of, is_loopback
from aethermind.infra.providers.prices import GenaiPrices
from aethermind.infra.providers.settings import check_settings
from aethermind.infra.secrets import Secrets

if TYPE_CHECKING:
    from aethermind.infra.providers.cli_process import TalkingChildren

VENDOR_MODELS: dict[str, dict[str, str]] = {
    "openai": {"fast": "gpt-6-luna", "smart": "gpt-6.1-sol", "strong": "gpt-6-astra"},
    "anthropic": {"fast": "claude-haiku-5-5", "smart": "claude-sonnet-5-5", "strong": "claude-opus-5-5"},
}
"""What the built-in aliases mean at each vendor, in the order in which the vendors are asked; `strong` is
listed only. Names and prices as in genai-prices 0.2.3."""

BUILT_IN = ("fast", "smart")
PROBE_SECONDS = 1.0
"""Of asking a local Ollama what it has."""


class KeyReport(msgspec.Struct, frozen=True, kw_only=True):
    """A provider in `doctor`."""

    provider: str
    kind: str
    url: str
    ready: bool
    key: str | None = None
    """Masked."""
    origin: str = ""
    """The variable, or `keyring`."""
    hint: str = ""


class AliasReport(msgspec.Struct, frozen=True, kw_only=True):
    alias: str
    model: str
    reason: str


class ModelsReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is configured, for `doctor`: no network, no secrets."""

    providers: tuple[KeyReport, ...]
    aliases: tuple[AliasReport, ...]
    keyring: str
    """`ready`, `absent` or `unasked`."""
    ollama_models: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class ConfiguredModels:
    """The port `Models`, from a config. Adapters are made on first use; `register` adds one's own."""

    def __init__(
        self,
        config: Config,
        *,
        secrets: Secrets | None = None,
        simulated: Provider | None = None,
    ) -> None:
        self._config = config
        self.endpoints: dict[str, Endpoint] = endpoints_of(config)
        self.prices = GenaiPrices(self.endpoints, config.prices)
        key_env = {name: item.key_env for name, item in self.endpoints.items() if item.key_env}
        self.secrets = secrets or Secrets(config.environ, key_env=key_env)
        self._lock = threading.Lock()
        self._providers: dict[str, Provider] = {}
        if simulated is not None:
            self._providers["sim"] = simulated
        self._ollama: tuple[str, ...] = ()
        self.programs = cli.programs_of(config)
        """Coding agents: those that are known and those of the config."""
        self.children: TalkingChildren | None = None
        """Whose children they are, once there is an engine."""

    # --- names -------------------------------------------------------------------------------------

    def resolve(self, name: str, *, sim: bool) -> str:
        if sim:
            provider, colon, model = name.partition(":")
            known = provider in self.endpoints or provider in self.programs
            return f"sim:{model if colon and model and known else name}"
        target = self.check(name)
        provider = target.partition(":")[0]
        endpoint = self.endpoints[provider]
        if endpoint.kind == PREFIX:
            cli.require_installed(self.programs, target.partition(":")[2], self._config.environ)
        if endpoint.needs_key and self.secrets.find(provider) is None:
            raise InvalidError(f"{target}: no key for {provider}", hint=self._repair(provider))
        return target

    def check(self, name: str) -> str:
        """As `resolve`, without asking for keys: for `validate`. Raises `InvalidError`."""
        provider, colon, model = name.partition(":")
        if not colon:
            if name in BUILT_IN or name in self._config.models:
                return self.check(self._alias(name)[0])
            raise InvalidError(f"unknown model {name!r}", hint=self._guess(name))
        if provider not in self.endpoints and provider in self.programs:
            provider, name, model = PREFIX, f"{PREFIX}:{name}", name
        if provider not in self.endpoints:
            hint = did_you_mean(provider, self.endpoints)
            raise InvalidError(f"unknown provider {provider!r} in {name!r}", hint=hint or self._known())
        if not model:
            raise InvalidError(f"{name!r} names no model", hint=f"write {provider}:MODEL")
        if provider == PREFIX and not self.endpoints[PREFIX].registered:
            cli.checked(self.programs, model)
        return name

    def check_settings(self, name: str, settings: Mapping[str, Any]) -> list[tuple[str, str, str | None]]:
        """What this model does not take, as (name, problem, hint): for `validate`."""
        provider, _, model = self.check(name).partition(":")
        dialect = self.endpoints[provider].dialect
        return [] if dialect is None else list(check_settings(dialect, model, settings))

    # --- adapters ----------------------------------------------------------------------------------

    def provider(self, provider: str) -> Provider:
        with self._lock:
            if (found := self._providers.get(provider)) is None:
                found = self._providers[provider] = self._make(provider)
            return found

    def register(self, name: str, provider: Provider) -> None:
        """Use this object for `name:…`; it replaces a configured provider of that name."""
        from aethermind.infra.providers.anthropic import AnthropicProvider
        from aethermind.infra.providers.ollama import OllamaProvider
        from aethermind.infra.providers.openai import OpenAIProvider

        match provider:
            case OpenAIProvider():
                endpoint = Endpoint(
                    name=name, kind="openai", base_url=provider.base_url, api=provider.api, registered=True
                )  # fmt: skip
            case AnthropicProvider():
                endpoint = Endpoint(name=name, kind="anthropic", base_url=provider.base_url, registered=True)
            case OllamaProvider():
                endpoint = Endpoint(name=name, kind="ollama", base_url=provider.base_url, registered=True)
            case _:
                endpoint = Endpoint(name=name, kind="sim" if provider.simulated else "own", registered=True)
        with self._lock:
            self.endpoints[name] = endpoint
            self._providers[name] = provider

    async def warm(self, providers: Sequence[str]) -> None:
        for name in dict.fromkeys(providers):
            found = self.provider(name)
            work: Callable[[], None] | None = getattr(found, "warm", None)
            if work is not None:
                await asyncio.to_thread(work)
            endpoint = self.endpoints[name]
            if endpoint.kind not in {"sim", "own", "cli"} and not endpoint.local:
                await self.prices.warm()

    async def close(self) -> None:
        with self._lock:
            providers, self._providers = list(self._providers.values()), {}
        for provider in providers:
            await provider.close()

    # --- what there is -----------------------------------------------------------------------------

    async def discover(self) -> tuple[str, ...]:
        """Ask a local Ollama for its models (at most a second) and the keyring for keys, so that `list` and
        `describe` can tell. Returns Ollama's models."""
        await asyncio.to_thread(lambda: [self.secrets.find(name) for name in self._keyed()])
        endpoint = self.endpoints["ollama"]
        self._ollama = await _installed(endpoint.base_url) if is_loopback(endpoint.base_url) else ()
        return self._ollama

    def list(self) -> list[ModelInfo]:
        """Models by name: what aliases mean, the vendors' current ones, those with own prices, and what
        `discover` found. Imports the price list."""
        aliases: dict[str, list[str]] = {}
        for alias in self._aliases():
            aliases.setdefault(self._alias(alias)[0], []).append(alias)
        names = [*aliases, *self._vendor_models(), *self._config.prices]
        names += [f"{e.name}:{model}" for e in self.endpoints.values() for model in e.prices]
        names += [f"ollama:{model}" for model in self._ollama]
        names += [f"{PREFIX}:{p.name}" for p in self._installed() if not p.needs_model]
        return [self._info(name, tuple(aliases.get(name, ()))) for name in dict.fromkeys(names)]

    def describe(self) -> ModelsReport:
        """Which keys were found and where, what the aliases mean and why."""
        notes = []
        if self._ollama:
            notes.append(f"Ollama is running: --model ollama:{self._ollama[0]}")
        for name in VENDOR_MODELS:
            key = self.secrets.find(name)
            if key is not None and key.origin == "keyring" and not self._config.models:
                model = VENDOR_MODELS[name]["smart"]
                notes.append(
                    f'a key for {name} is in the keyring: --model {name}:{model}, or [models] smart = "…"'
                )
        return ModelsReport(
            providers=tuple(self._key_report(endpoint) for endpoint in self.endpoints.values()),
            aliases=tuple(
                AliasReport(alias=alias, model=model, reason=reason)
                for alias in self._aliases()
                for model, reason in [self._alias(alias)]
            ),
            keyring=self.secrets.keyring,
            ollama_models=self._ollama,
            notes=tuple(notes),
        )

    def programs_in(self, names: Sequence[str]) -> tuple[str, ...]:
        """Which of these models are coding agents, each in words: what starts them has to be trusted."""
        return cli.starts(self.programs, {name: self.check(name) for name in names})

    # --- inside ------------------------------------------------------------------------------------

    def _aliases(self) -> Iterator[str]:
        yield from dict.fromkeys((*BUILT_IN, *self._config.models))

    def _alias(self, alias: str) -> tuple[str, str]:
        """What an alias means, and why."""
        if (configured := self._config.models.get(alias)) is not None:
            if configured.partition(":")[0] in self.programs:
                configured = f"{PREFIX}:{configured}"
            return configured, f"[models] in {self._config.path.name}"
        for vendor, models in VENDOR_MODELS.items():
            if (key := self.secrets.from_environment(vendor)) is not None:
                return f"{vendor}:{models[alias]}", f"{key.origin} is set"
        return f"sim:{alias}", "simulated: no provider key in the environment and none configured"

    def _vendor_models(self) -> Iterator[str]:
        for vendor, models in VENDOR_MODELS.items():
            yield from (f"{vendor}:{model}" for model in models.values())

    def _installed(self) -> Iterator[Program]:
        yield from (p for p in self.programs.values() if p.found(self._config.environ) is not None)

    def _keyed(self) -> Iterator[str]:
        yield from (name for name, endpoint in self.endpoints.items() if endpoint.needs_key)

    def _make(self, name: str) -> Provider:
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            raise NotFoundError(f"unknown provider {name!r}", hint=did_you_mean(name, self.endpoints))
        # A local Ollama and the simulation have no key to look for.
        key = None if endpoint.local or endpoint.kind == "sim" else self.secrets.find(name)
        value = key.value if key else ""  # never None: the environment was looked into already
        headers = headers_of(endpoint, self._config.environ)
        deadlines = self._config.deadlines
        match endpoint.kind:
            case "openai":
                from aethermind.infra.providers.openai import OpenAIProvider

                return OpenAIProvider(
                    value, base_url=endpoint.base_url, api=endpoint.api, name=name, headers=headers,
                    structured=endpoint.structured, deadlines=deadlines,
                )  # fmt: skip
            case "anthropic":
                from aethermind.infra.providers.anthropic import AnthropicProvider

                return AnthropicProvider(
                    value, base_url=endpoint.base_url, name=name, headers=headers,
                    structured=endpoint.structured, deadlines=deadlines,
                )  # fmt: skip
            case "ollama":
                from aethermind.infra.providers.ollama import OllamaProvider

                return OllamaProvider(
                    endpoint.base_url, api_key=value, name=name, num_ctx=endpoint.num_ctx, headers=headers,
                    deadlines=deadlines,
                )  # fmt: skip
            case "sim":
                from aethermind.infra.providers.simulated import SimulatedProvider

                return SimulatedProvider()
            case "cli":
                from aethermind.infra.providers.cli import CliProvider

                return CliProvider(
                    self.programs, lambda: self.children, environ=self._config.environ, deadlines=deadlines
                )
            case "own":  # registered objects are never made here
                raise NotFoundError(f"provider {name!r} was closed")

    def _info(self, name: str, aliases: tuple[str, ...]) -> ModelInfo:
        provider, _, model = name.partition(":")
        endpoint = self.endpoints.get(provider)
        tariff = self.prices.tariff(provider, model)
        report = self._key_report(endpoint) if endpoint else None
        program = self.programs.get(cli.split(model)[0]) if provider == PREFIX else None
        if report is not None and program is not None:
            found = program.found(self._config.environ)
            hint = "" if found else program.install
            report = msgspec.structs.replace(report, ready=found is not None, url=found or "", hint=hint)
        return ModelInfo(
            id=name,
            provider=provider,
            aliases=aliases,
            configured=report is not None and report.ready,
            reason=_reason(report),
            input_price=tariff.input,
            output_price=tariff.output,
            context_window=tariff.context_window,
        )

    def _key_report(self, endpoint: Endpoint) -> KeyReport:
        name = endpoint.name
        key = self.secrets.find(name) if endpoint.needs_key else self.secrets.from_environment(name)
        ready = key is not None or not endpoint.needs_key
        if endpoint.kind == PREFIX and not endpoint.registered:
            ready = any(self._installed())
        if name == "ollama" and not endpoint.registered:
            ready = bool(self._ollama) or not endpoint.local
        return KeyReport(
            provider=name,
            kind=endpoint.kind,
            url=endpoint.base_url,
            ready=ready,
            key=key.masked if key else None,
            origin=key.origin if key else "",
            hint="" if ready else self._repair(name),
        )

    def _repair(self, provider: str) -> str:
        if provider == PREFIX:
            return "; ".join(f"{program.label}: {program.install}" for program in cli.KNOWN.values())
        if provider == "ollama":
            return "start it with: ollama serve"
        variables = " or ".join(self.secrets.variables(provider))
        return f"aethermind auth {provider}" + (f", or set {variables}" if variables else "")

    def _guess(self, name: str) -> str:
        for vendor, start in (
            ("openai", ("gpt-", "o1", "o3", "o4", "chatgpt-")),
            ("anthropic", ("claude-",)),
        ):
            if name.lower().startswith(start):
                return f"did you mean {vendor}:{name}?"
        if name in self.programs:
            return f"did you mean {PREFIX}:{name}?"
        near = closest(name, [*self._aliases(), *self._vendor_models()])
        return f"did you mean {near}?" if near else f"write provider:model, or {', '.join(self._aliases())}"

    def _known(self) -> str:
        return f"known are {', '.join(self.endpoints)}"


def _reason(report: KeyReport | None) -> str:
    if report is None:
        return "unknown provider"
    if report.kind == "sim":
        return "simulated"
    if report.kind == PREFIX and report.ready:
        return f"program {report.url}" if report.url else "programs of this machine"
    if report.key is not None:
        return f"key {report.key} from {report.origin}"
    if not report.ready:
        return report.hint
    return f"at {host_of(report.url)}" if report.url else "registered"


async def _installed(url: str) -> tuple[str, ...]:
    """The models of a running Ollama; nothing if none answers as one."""
    import httpx2

    try:
        async with httpx2.AsyncClient(timeout=PROBE_SECONDS, trust_env=False) as client:
            answer = (await client.get(f"{url}/api/tags")).json()
        names = [str(item["name"]) for item in answer["models"]]
    except (httpx2.HTTPError, ValueError, LookupError, TypeError):
        return ()
    return tuple(name.removesuffix(":latest") for name in names)
