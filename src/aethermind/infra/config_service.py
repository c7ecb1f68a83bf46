"""What a user may set about the engine as a service: `[engine]`, `[server]` and `[hosts.NAME]`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Of an engine that was left without a terminal."""

    idle_ms: int = 600_000

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Of the API on TCP."""

    hosts: list[str] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    rate_limit: int = 100
    rate_window_ms: int = 900_000

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine that is reached by SSH, named as in `ssh://NAME`."""

    command: str | list[str] = ""
    """How `aethermind` is called there; a list: with arguments. Empty: by that name, from the PATH."""
    options: list[str] = field(default_factory=list)
    """More options of `ssh`: `["-F", "/path/to/config"]`."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol

    @property
    def argv(self) -> list[str]:
        return [self.command] if isinstance(self.command, str) else self.command
