"""Config, paths and adapters of one command."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from aethermind import __version__
from aethermind.domain.errors import InvalidError
from aethermind.engine.info import Host

if TYPE_CHECKING:
    from aethermind.infra.config import Config
    from aethermind.infra.providers.models import ConfiguredModels
    from aethermind.infra.secrets import Secrets

DATABASE = "aethermind.db"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What flags say; None: what the config says."""

    home: Path | str | None = None
    env_file: Path | str | None = None
    config: Path | str | None = None
    store: str | None = None
    sim: bool = False
    durability: str | None = None
    max_concurrent: int | None = None
    connect: str | None = None
    """Another engine than this data directory's: `ssh://…`, `unix:…`, `http(s)://…`."""
    read_only: bool = False
    """Nothing is changed through the client."""


class Composition:
    """Config, paths and adapters for one command. Cheap to make; opens nothing."""

    def __init__(self, config: Config, options: Options) -> None:
        self.config = config
        self.options = options

    @property
    def home(self) -> Path:
        return self.config.home

    @property
    def database(self) -> Path:
        return self.config.home / DATABASE

    @property
    def is_abroad(self) -> bool:
        """Whether the engine that was named is another machine's: paths and models mean others there."""
        connect = self.options.connect
        return connect is not None and not connect.startswith("unix:")

    @cached_property
    def models(self) -> ConfiguredModels:
        if self.is_abroad:
            from aethermind.bootstrap.abroad import ModelsThere

            return ModelsThere(self.config)
        from aethermind.infra.providers.models import ConfiguredModels

        return ConfiguredModels(self.config)

    @cached_property
    def secrets(self) -> Secrets:
        """Where provider keys are found, and where `auth` puts them."""
        from aethermind.infra.secrets import Secrets

        key_env = {name: item.key_env for name, item in self.models.endpoints.items() if item.key_env}
        return Secrets(self.config.environ, key_env=key_env)

    @cached_property
    def host(self) -> Host:
        """What an engine opened here tells of its process."""
        keys = self.secrets.from_environment
        return Host(
            version=__version__,
            home=str(self.home),
            keys=lambda: [name for name in self.models.endpoints if keys(name) is not None],
        )

    @cached_property
    def samples_dir(self) -> Path:
        from aethermind.definitions.data import data_dir

        return data_dir("sample_workflows")

    @cached_property
    def themes_dir(self) -> Path:
        from aethermind.definitions.data import data_dir

        return data_dir("themes")

    @property
    def workflow_dirs(self) -> list[Path]:
        """Where a NAME is looked up after `./` and `./workflows`: the user's directory, the samples."""
        return [self.config.workflows, self.samples_dir]

    def model_problem(self, name: str) -> str | None:
        """What is wrong with this model's name, or None; no key is asked for."""
        try:
            self.models.check(name)
        except InvalidError as error:
            return error.line()
        return None

    def redact(self, text: str) -> str:
        """Text without secrets that were loaded, nor anything that looks like a key."""
        from aethermind.infra.secrets import redact

        return redact(text)


def load(options: Options | None = None) -> Composition:
    """Read config and environment. Raises `InvalidError` naming file and line."""
    from aethermind.infra.config import load_config

    options = options or Options()
    if options.store is not None:
        raise InvalidError("--store is not in this version yet")
    config = load_config(path=options.config, env_file=options.env_file, home=options.home)
    return Composition(config, options)
