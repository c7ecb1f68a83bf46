"""What a user may set: `config.toml`, then the environment, then flags; later ones win.

    home = "~/agents"                      # else AETHERMIND_HOME, else the platform's data directory
    python = "~/.venvs/lab/bin/python"     # for `python:` steps, where the cwd has no .venv
    workflows = "~/workflows"              # where `run NAME` looks, too
    durability = "power"                   # or "process": faster, a power cut may lose the last commits
    ballast = true                         # 8 MiB beside the database, for what is in hand on a full disk
    [models]                               # aliases; `fast` and `smart` are built in
    smart = "anthropic:claude-sonnet-5-5"
    [defaults]
    max_concurrent = 10                    # attempts at a time
    timeout = "10m"                        # of an attempt
    retries = 3
    [budget]
    day = 5.00                             # dollars that all runs together may spend on a UTC day
    [guard]                                # a run that goes round in circles is paused at (0: never)
    repeated_calls = 8                     # the same model call in the same place
    attempt_calls = 50                     # settled calls in one attempt
    same_rounds = 8                        # rounds of a repeat in a row that gave the same
    [engine]
    idle = "10m"                           # so long an engine without a terminal waits for something to do
    [server]                               # of `serve --tcp`
    hosts = ["agents.example.org"]         # names that it is called by (Host), besides its address
    origins = []                           # web pages that may call it: "https://…"
    rate_limit = 100                       # requests of one token in rate_window; 0: any number
    rate_window = "15m"
    [hosts.box]                            # reached by ssh://box
    command = "~/.local/bin/aethermind"    # where its PATH lacks it
    [deadlines]                            # of a model call
    connect = "30s"
    first_token = "120s"
    idle = "60s"
    total = "10m"
    [providers.groq]                       # a further endpoint, or changes to openai, anthropic, ollama
    kind = "openai"
    base_url = "https://api.groq.com/openai/v1"
    key_env = "GROQ_API_KEY"
    api = "chat"                           # or "responses"
    structured = "json_schema"             # or "json_object", "prompt"
    headers = {X-Team = "$TEAM"}           # $NAME is taken from the environment
    [providers.groq.limits]                # what the account may do; of each model, if not said otherwise
    concurrency = 8                        # calls at a time; 32 if nothing is said
    rpm = 500                              # requests per minute
    tpm = 200_000                          # tokens per minute, in and out
    [providers.groq.limits.models."llama-3.3-70b-versatile"]
    rpm = 30
    [providers.groq.prices."llama-3.3-70b-versatile"]
    input = 0.59                           # dollars per million tokens; also cached_input, cache_write
    output = 0.79
    [providers.aider]                      # an installed coding agent: `cli:aider:MODEL`
    kind = "cli"
    command = ["aider", "--yes", "--no-stream", "--model", "{model}", "--message", "{prompt}"]
    format = "text"                        # claude, codex, text, jsonl (with fields = {text = "a.b"})
    env = ["OPENAI_API_KEY"]               # what it gets besides PATH, HOME, …
    [prices."openai:my-fine-tune"]
    input = 1.2
    output = 4.8
    [tui]                                  # theme, keymap, low_bandwidth: checked by the TUI

The file is validated by pydantic, which is imported only if there is a file (0.15 s).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

from aethermind.domain.errors import InvalidError, NotFoundError, StoreError
from aethermind.domain.usage import micro_usd
from aethermind.engine.guard import Limits
from aethermind.infra.config_service import EngineConfig, Host, ServerConfig
from aethermind.infra.providers.deadlines import Deadlines

Durability = Literal["power", "process"]
Kind = Literal["openai", "anthropic", "ollama", "cli"]
CliFormat = Literal["claude", "codex", "text", "jsonl"]
"""What a coding agent writes: Claude Code's stream, Codex's, plain text, or JSON lines of its own."""

MAX_BYTES = 1 << 20
"""Of a config or environment file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A user's own tariff: dollars per million tokens. Cached tokens cost the input price unless set."""

    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLimits:
    """What a provider allows for one model. None: as for its other models."""

    concurrency: int | None = None
    rpm: int | None = None
    tpm: int | None = None

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLimits(ModelLimits):
    """What a provider allows for each of its models. None: nobody knows."""

    models: dict[str, ModelLimits] = field(default_factory=dict)

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    """`[providers.NAME]`. What is None is the kind's default."""

    kind: Kind | None = None
    base_url: str | None = None
    key_env: str | None = None
    api: Literal["chat", "responses"] | None = None
    structured: Literal["json_schema", "json_object", "prompt"] | None = None
    num_ctx: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)
    limits: ProviderLimits = field(default_factory=ProviderLimits)
    command: list[str] = field(default_factory=list)
    """This and what follows: of kind `cli`."""
    args: list[str] = field(default_factory=list)
    env: list[str] = field(default_factory=list)
    format: CliFormat | None = None
    fields: dict[str, str] = field(default_factory=dict)
    permission_mode: str | None = None

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol


PROGRAMS = ("claude", "codex")
"""Coding agents that are known without a config."""


def is_program(name: str, given: ProviderConfig) -> bool:
    """Whether `[providers.NAME]` is about a coding agent."""
    return given.kind == "cli" or (given.kind is None and name in PROGRAMS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What workflows inherit."""

    max_concurrent: int = 10
    timeout_ms: int = 600_000
    retries: int = 3

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What all runs together may spend. Dollars; None: no end."""

    day: Decimal | None = None
    """Per UTC day, for real money and, apart, for the notional money of simulated runs."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol

    @property
    def day_micro_usd(self) -> int | None:
        return None if self.day is None else micro_usd(self.day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """At which number a run that goes round in circles is paused; 0: never."""

    repeated_calls: int = Limits().repeated_calls
    attempt_calls: int = Limits().attempt_calls
    same_rounds: int = Limits().same_rounds

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol

    @property
    def limits(self) -> Limits:
        return Limits(
            repeated_calls=self.repeated_calls,
            attempt_calls=self.attempt_calls,
            same_rounds=self.same_rounds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that was set, resolved. `environ` is the environment with `--env-file` on top: adapters
    look into it and never into the process's own."""

    home: Path
    path: Path
    """The config file's place, whether it exists or not."""
    environ: Mapping[str, str] = field(repr=False)
    workflows: Path
    python: str | None = None
    durability: Durability = "power"
    ballast: bool = True
    models: dict[str, str] = field(default_factory=dict)
    providers: dict[str, ProviderConfig] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)
    """`provider:model` → the user's own tariff."""
    defaults: Defaults = Defaults()
    budget: Budget = Budget()
    guard: Guard = Guard()
    engine: EngineConfig = field(default_factory=EngineConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    hosts: dict[str, Host] = field(default_factory=dict)
    deadlines: Deadlines = field(default_factory=Deadlines)
    tui: dict[str, Any] = field(default_factory=dict)
    home_is_default: bool = True

    def make_home(self) -> Path:
        """Make the data directory, for the user alone (0700). A directory that the user named and that was
        there already keeps its mode. Raises `StoreError`."""
        try:
            existed = self.home.exists()
            self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self.home_is_default or not existed:
                self.home.chmod(0o700)
        except OSError as error:
            hint = "set AETHERMIND_HOME to a directory you may write to"
            raise StoreError(f"cannot make {self.home}: {error.strerror}", hint=hint) from error
        return self.home


def load_config(
    environ: Mapping[str, str] | None = None,
    *,
    path: str | Path | None = None,
    env_file: str | Path | None = None,
    home: str | Path | None = None,
) -> Config:
    """Read the config. `environ`: the process's environment unless given; `path`, `env_file` and `home` are
    the flags. Raises `InvalidError` with file and line, `NotFoundError` for a named file that is not there.
    """
    environment = dict(os.environ if environ is None else environ)
    if env_file is not None:
        environment |= read_env_file(Path(env_file))
    named = path or environment.get("AETHERMIND_CONFIG") or None
    place = Path(named).expanduser() if named else config_directory() / "config.toml"
    settings: dict[str, Any] = {}
    if (text := read_text(place, required=named is not None)) is not None:
        from aethermind.infra.config_file import parse_config

        settings = parse_config(text, str(place))
    settings |= _from_environment(environment)
    chosen = home or environment.get("AETHERMIND_HOME") or settings.pop("home", None) or None
    settings.pop("home", None)
    workflows = settings.pop("workflows", None)
    directory = Path(chosen).expanduser().absolute() if chosen else data_directory()
    return Config(
        home=directory,
        home_is_default=chosen is None,
        path=place,
        environ=environment,
        workflows=Path(workflows).expanduser() if workflows else directory / "workflows",
        **settings,
    )


def read_env_file(path: Path) -> dict[str, str]:
    """`--env-file`: lines `KEY=VALUE`, optionally with `export`, quotes, and comments. Nothing is expanded.
    Raises `InvalidError` with the line, `NotFoundError`."""
    values: dict[str, str] = {}
    text = read_text(path, required=True) or ""
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.removeprefix("export ").partition("=")
        name = name.strip()
        if not equals or not name.isidentifier() or not name.isascii():
            raise InvalidError("a line is KEY=VALUE", file=str(path), line_no=number)
        try:
            values[name] = _unquoted(value.strip())
        except ValueError as error:
            raise InvalidError(str(error), file=str(path), line_no=number) from error
    return values


def read_text(path: Path, *, required: bool) -> str | None:
    """A small UTF-8 file, or None if it is not there and need not be."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        if required:
            raise NotFoundError(f"{path} does not exist") from error
        return None
    except OSError as error:
        raise InvalidError(f"cannot be read: {error.strerror}", file=str(path)) from error
    if len(raw) > MAX_BYTES:
        raise InvalidError("larger than 1 MiB", file=str(path))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InvalidError("not UTF-8", file=str(path), line_no=line) from error


def config_directory() -> Path:
    import platformdirs

    return Path(platformdirs.user_config_dir("aethermind", appauthor=False))


def data_directory() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("aethermind", appauthor=False))


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name in ("PYTHON", "WORKFLOWS"):
        if value := environ.get(f"AETHERMIND_{name}"):
            settings[name.lower()] = value
    if value := environ.get("AETHERMIND_DURABILITY"):
        if value not in {"power", "process"}:
            raise InvalidError(f"AETHERMIND_DURABILITY is {value!r:.40}", hint="power or process")
        settings["durability"] = value
    if value := environ.get("AETHERMIND_DAY_BUDGET"):
        try:
            day = Decimal(value.strip().removeprefix("$"))
        except InvalidOperation:
            day = Decimal("NaN")
        if not is_amount(day):
            raise InvalidError(f"AETHERMIND_DAY_BUDGET is {value!r:.40}", hint="dollars, above 0: 5.00")
        settings["budget"] = Budget(day=day)
    return settings


def is_amount(dollars: Decimal) -> bool:
    """Whether so much money may be a budget: more than nothing, at most a billion."""
    return dollars.is_finite() and 0 < dollars <= 1_000_000_000


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "$": "$"}


def _unquoted(value: str) -> str:
    if value[:1] not in {'"', "'"}:
        return value.partition(" #")[0].rstrip()
    quote, rest = value[0], iter(value[1:])
    out: list[str] = []
    for char in rest:
        if char == quote:
            after = "".join(rest).strip()
            if after and not after.startswith("#"):
                raise ValueError("something follows the closing quote")
            return "".join(out)
        if char == "\\" and quote == '"':
            follower = next(rest, "")
            out.append(_ESCAPES.get(follower, "\\" + follower))
        else:
            out.append(char)
    raise ValueError("the quote is not closed")
