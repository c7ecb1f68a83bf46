"""Which calls share a lane of the governor, and what the config says may go through it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from aethermind.engine.governor import Governor
from aethermind.engine.lane import LaneLimits
from aethermind.engine.ports import Clock
from aethermind.infra.config import Config, ProviderConfig
from aethermind.infra.providers.cli_programs import PREFIX, split
from aethermind.infra.providers.models import ConfiguredModels


@dataclass(frozen=True, slots=True)
class Lanes:
    """Answers about `provider:model`."""

    config: Config
    models: ConfiguredModels

    def limits(self, full: str) -> LaneLimits:
        provider, _, model = full.partition(":")
        if provider == PREFIX:  # each coding agent has its own login
            provider, model = split(model)
        given = self.config.providers.get(provider, ProviderConfig()).limits
        own = given.models.get(model, given)
        return LaneLimits(
            concurrency=own.concurrency or given.concurrency or LaneLimits().concurrency,
            rpm=own.rpm or given.rpm,
            tpm=own.tpm or given.tpm,
        )

    def account(self, full: str) -> str:
        """The endpoint, a fingerprint of the key, and the model: two names for one account are one lane."""
        provider, _, model = full.partition(":")
        endpoint = self.models.endpoints.get(provider)
        if endpoint is None or endpoint.registered or endpoint.kind not in {"openai", "anthropic", "ollama"}:
            return full
        secrets = self.models.secrets
        key = secrets.find(provider) if endpoint.needs_key else secrets.from_environment(provider)
        print_ = hashlib.sha256(key.value.encode()).hexdigest()[:16] if key is not None else ""
        return f"{endpoint.base_url} {print_} {model}"


def governor(config: Config, models: ConfiguredModels, clock: Clock) -> Governor:
    lanes = Lanes(config, models)
    return Governor(clock, limits=lanes.limits, account=lanes.account)
