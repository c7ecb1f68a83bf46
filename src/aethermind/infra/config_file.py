"""`config.toml` → settings, with a line for every complaint. Imports pydantic, so it is itself imported only
when there is a file."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from typing import Any, NoReturn, get_args, get_origin, get_type_hints

import pydantic

from aethermind.domain.errors import InvalidError
from aethermind.infra.config import (
    PROGRAMS,
    Budget,
    Defaults,
    Durability,
    Guard,
    ModelLimits,
    Price,
    ProviderConfig,
    is_amount,
    is_program,
)
from aethermind.infra.config_service import EngineConfig, Host, ServerConfig
from aethermind.infra.providers.deadlines import Deadlines
from aethermind.infra.providers.durations import parse_ms
from aethermind.infra.providers.names import did_you_mean

BUILT_IN = ("openai", "anthropic", "ollama")
CLI_FIELDS = (
    "text",
    "result",
    "session",
    "model",
    "error",
    "cost",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
)
"""What a line of the format `jsonl` may hold."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_DURATIONS = {
    "defaults": ("timeout",),
    "engine": ("idle",),
    "server": ("rate_window",),
    "deadlines": ("connect", "first_token", "idle", "total"),
}
Place = tuple[str, ...]

MAX_DEPTH = 64
"""Of keys inside keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deadlines:
    connect_ms: int = Deadlines().connect_ms
    first_token_ms: int = Deadlines().first_token_ms
    idle_ms: int = Deadlines().idle_ms
    total_ms: int = Deadlines().total_ms

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """The tables of the file. Durations have been made milliseconds by then."""

    home: str | None = None
    python: str | None = None
    workflows: str | None = None
    durability: Durability = "power"
    ballast: bool = True
    models: dict[str, str] = field(default_factory=dict)
    providers: dict[str, ProviderConfig] = field(default_factory=dict)
    prices: dict[str, Price] = field(default_factory=dict)
    defaults: Defaults = field(default_factory=Defaults)
    budget: Budget = field(default_factory=Budget)
    guard: Guard = field(default_factory=Guard)
    engine: EngineConfig = field(default_factory=EngineConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    hosts: dict[str, Host] = field(default_factory=dict)
    deadlines: _Deadlines = field(default_factory=_Deadlines)
    tui: dict[str, Any] = field(default_factory=dict)

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012  # pydantic's protocol


def parse_config(text: str, file: str) -> dict[str, Any]:
    """The settings of a file, keyed like the fields of `Config`. Raises `InvalidError` with file and line."""
    try:
        return _Parser(text, file).settings()
    except RecursionError as error:
        raise InvalidError("nested too deeply", file=file) from error


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file

    def settings(self) -> dict[str, Any]:
        raw = self._toml()
        self._durations(raw)
        # Strict mode takes mappings for records only from JSON; decimals travel as texts.
        encoded = json.dumps(raw, default=str)
        try:
            parsed = pydantic.TypeAdapter(_File).validate_json(encoded, strict=True)
        except pydantic.ValidationError as error:
            self._complain(error, raw)
        self._check(parsed)
        deadlines = {item.name: getattr(parsed.deadlines, item.name) for item in fields(_Deadlines)}
        settings: dict[str, Any] = {item.name: getattr(parsed, item.name) for item in fields(_File)}
        # Free-form, so as TOML gave it, not as it went through JSON.
        settings |= {"deadlines": Deadlines(**deadlines), "tui": tomllib.loads(self._text).get("tui", {})}
        return {name: value for name, value in settings.items() if value is not None}

    def _toml(self) -> dict[str, Any]:
        # tomllib takes seconds for a key of thousands of parts.
        for number, row in enumerate(self._text.splitlines(), start=1):
            if row.partition("=")[0].count(".") > MAX_DEPTH:
                raise InvalidError("nested too deeply", file=self._file, line_no=number)
        try:
            return tomllib.loads(self._text, parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            message, line, column = _located(str(error))
            line = line or len(self._text.splitlines()) or 1  # "at end of document"
            raise InvalidError(message, file=self._file, line_no=line, column=column) from error
        except ValueError as error:  # an integer of thousands of digits
            raise InvalidError("a number is too long", file=self._file) from error

    def _durations(self, raw: dict[str, Any]) -> None:
        for table, names in _DURATIONS.items():
            section = raw.get(table)
            if not isinstance(section, dict):
                continue
            for name in names:
                if name in section:
                    try:
                        value = parse_ms(section.pop(name))
                    except ValueError as error:
                        self._fail((table, name), str(error))
                    if value <= 0:
                        self._fail((table, name), "must be longer than nothing")
                    section[f"{name}_ms"] = value

    def _complain(self, error: pydantic.ValidationError, raw: Mapping[str, Any]) -> NoReturn:
        first = error.errors(include_url=False)[0]
        place = tuple(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden" or first["type"] == "unexpected_keyword_argument":
            name = place[-1]
            if name in {"key", "api_key", "token", "secret"}:
                hint = "keys come from the environment (key_env) or the keyring (aethermind auth)"
                self._fail(place, f"{name!r}: no secrets in this file", hint)
            known = [item.removesuffix("_ms") for item in _fields_at(place[:-1])]
            self._fail(place, f"unknown key {name!r}", did_you_mean(name, known))
        if first["type"] == "missing":
            self._fail(place[:-1], f"{place[-1]!r} is missing")
        found = raw
        for part in place:
            found = found.get(part, {}) if isinstance(found, dict) else found
        shown = f", not {found!r:.40}" if not isinstance(found, dict) else ""
        if isinstance(found, Decimal):
            shown = f", not {found}"
        wanted = first["msg"].replace("Input should be", "must be").replace("an object", "a table")
        self._fail(place, f"{'.'.join(place)}: {wanted}{shown}")

    def _check(self, parsed: _File) -> None:
        for name, provider in parsed.providers.items():
            self._provider(name, provider)
        for model, price in parsed.prices.items():
            if ":" not in model:
                self._fail(("prices", model), f"{model!r} is no provider:model")
            self._price(("prices", model), price)
        for alias, target in parsed.models.items():
            self._alias(alias, target, parsed)
        defaults = parsed.defaults
        if not 1 <= defaults.max_concurrent <= 10_000:
            self._fail(("defaults", "max_concurrent"), "max_concurrent must be from 1 to 10000")
        if not 0 <= defaults.retries <= 100:
            self._fail(("defaults", "retries"), "retries must be from 0 to 100")

        if parsed.budget.day is not None and not is_amount(parsed.budget.day):
            self._fail(("budget", "day"), f"day must be an amount above 0, not {parsed.budget.day}")
        for name, host in parsed.hosts.items():
            words = [*(host.argv if host.command else ()), *host.options]
            if not all(word and word.isprintable() for word in words):
                self._fail(("hosts", name), f"hosts.{name}: words that can be printed, none of them empty")
        if not 0 <= parsed.server.rate_limit <= 1_000_000_000:
            self._fail(("server", "rate_limit"), "rate_limit must be 0 (any number) or more")
        for item in fields(Guard):
            if not 0 <= (number := getattr(parsed.guard, item.name)) <= 1_000_000:
                self._fail(("guard", item.name), f"{item.name} must be 0 (never) or more, not {number}")

    def _limits(self, place: Place, limits: ModelLimits) -> None:
        for name in ("concurrency", "rpm", "tpm"):
            number = getattr(limits, name)
            if number is not None and not 1 <= number <= 1_000_000_000:
                self._fail((*place, name), f"{name} must be 1 or more, not {number}")

    def _provider(self, name: str, provider: ProviderConfig) -> None:
        place: Place = ("providers", name)
        self._limits((*place, "limits"), provider.limits)
        for model, limits in provider.limits.models.items():
            self._limits((*place, "limits", "models", model), limits)
        if not _NAME.match(name) or name in {"sim", "cli"}:
            self._fail(place, f"{name!r} cannot be a provider's name")
        if is_program(name, provider):
            self._program(place, provider)
            return
        for field_name in ("command", "args", "env", "format", "fields", "permission_mode"):
            if getattr(provider, field_name):
                self._fail((*place, field_name), f"{field_name!r} belongs to kind cli")
        if name in BUILT_IN:
            if provider.kind not in {None, name}:
                self._fail((*place, "kind"), f"{name} is of kind {name}", "give the endpoint another name")
        elif provider.kind is None:
            self._fail(place, f"'kind' is missing for {name}", "openai, anthropic, ollama or cli")
        elif provider.base_url is None:
            self._fail(place, f"'base_url' is missing for {name}")
        url = provider.base_url
        if url is not None and not re.match(r"https?://[^/\s]+", url):
            self._fail((*place, "base_url"), f"base_url must be an http(s) URL, not {url!r:.60}")
        kind = provider.kind or name
        for field_name, kinds in (("api", {"openai"}), ("num_ctx", {"ollama"})):
            if getattr(provider, field_name) is not None and kind not in kinds:
                self._fail((*place, field_name), f"{field_name!r} means nothing for kind {kind}")
        if provider.num_ctx is not None and provider.num_ctx < 1:
            self._fail((*place, "num_ctx"), "num_ctx must be positive")
        if provider.key_env is not None and not provider.key_env.isidentifier():
            text = f"key_env is the name of an environment variable, not {provider.key_env!r:.20}"
            self._fail((*place, "key_env"), text)
        for model, price in provider.prices.items():
            self._price((*place, "prices", model), price)

    def _program(self, place: Place, provider: ProviderConfig) -> None:
        """A coding agent that is started as a program."""
        name = place[-1]
        if name in BUILT_IN:
            self._fail((*place, "kind"), f"{name} is of kind {name}", "give the program another name")
        for field_name in ("base_url", "key_env", "api", "structured", "num_ctx", "headers"):
            if getattr(provider, field_name):
                self._fail((*place, field_name), f"{field_name!r} means nothing for kind cli")
        if not provider.command and name not in PROGRAMS:
            self._fail(place, f"'command' is missing for {name}")
        for word in provider.env:
            if not word.isidentifier():
                text = f"env holds names of environment variables, not {word!r:.20}"
                self._fail((*place, "env"), text)
        for key in provider.fields:
            if key not in CLI_FIELDS:
                self._fail((*place, "fields"), f"unknown field {key!r}", did_you_mean(key, CLI_FIELDS))
        for model, price in provider.prices.items():
            self._price((*place, "prices", model), price)

    def _price(self, place: Place, price: Price) -> None:
        for item in fields(Price):
            value = getattr(price, item.name)
            if value is not None and not (value.is_finite() and 0 <= value <= 1_000_000):
                self._fail((*place, item.name), f"{item.name} must be a price in dollars, not {value}")

    def _alias(self, alias: str, target: str, parsed: _File) -> None:
        place: Place = ("models", alias)
        if not _NAME.match(alias):
            self._fail(place, f"{alias!r} cannot be an alias")
        provider, colon, model = target.partition(":")
        if not colon or not model:
            self._fail(place, f"{target!r} is no provider:model")
        known = [*BUILT_IN, "sim", "cli", *PROGRAMS, *parsed.providers]
        if provider not in known:
            self._fail(place, f"unknown provider {provider!r}", did_you_mean(provider, known))

    def _fail(self, place: Place, message: str, hint: str | None = None) -> NoReturn:
        line = line_of(self._text, tuple(part.removesuffix("_ms") for part in place))
        raise InvalidError(message, hint=hint, file=self._file, line_no=line)


_HEADER = re.compile(r"\s*\[\[?\s*(.+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PART = re.compile(r"[\w-]+|\"[^\"]*\"|'[^']*'")


def line_of(text: str, place: Sequence[str]) -> int | None:
    """The line where a key or table stands; that of the nearest one around it if it has none of its own."""
    lines: dict[Place, int] = {}
    for name, number in _places(text):
        for length in range(1, len(name) + 1):
            lines.setdefault(name[:length], number)
    for length in range(len(place), 0, -1):
        if (found := lines.get(tuple(place[:length]))) is not None:
            return found
    return None


def _places(text: str) -> Iterator[tuple[Place, int]]:
    table: Place = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _KEY.match(line):
            yield (*table, *_parts(found[1])), number
        elif found := _HEADER.match(line):
            table = _parts(found[1])
            yield table, number


def _parts(dotted: str) -> Place:
    return tuple(part.strip("\"'") for part in _PART.findall(dotted))


def _fields_at(place: Place) -> list[str]:
    """The known keys of the table at `place`."""
    kind: Any = _File
    for part in place:
        if is_dataclass(kind):
            kind = get_type_hints(kind).get(part)
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
    return [item.name for item in fields(kind)] if is_dataclass(kind) else []


def _located(message: str) -> tuple[str, int | None, int | None]:
    """The message of tomllib without its place, and the place."""
    found = re.search(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)", message)
    if not found:
        return message, None, None
    text = message[: found.start()]
    return text, int(found[1]) if found[1] else None, int(found[2]) if found[2] else None
