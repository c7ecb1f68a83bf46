"""Recorded events without secrets, for whoever may see them.

Rules
- Every text is looked through, wherever it stands, but for the fields that a replay lives on
  (`STRUCTURE`): paths of steps, names of agents and models, kinds, hashes. A field that is new is looked
  through, until it is named here.
- Of JSON values the names under which secrets are kept (`password`, `api_key`) are enough: the text below
  them goes, whatever it looks like. A text that is a whole JSON document is not taken apart.
- Before it is recorded an event loses exact values, and nothing else (`concealed`): those that were loaded,
  and those of the environment that are secrets by name and look (`learn_environment`). What leaves the
  machine is looked through for whatever may be a secret (`Redaction` with `redact`).
- Numbers are never touched, and lists keep their length, so what is folded from the events is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from aethermind import wire
from aethermind.domain.events import AnyEvent, Recorded
from aethermind.engine.concealing import Veil
from aethermind.infra.secrets import (
    MASK,
    Secrets,
    any_known,
    conceal,
    holds_secret,
    redact,
    remember,
    remember_variables,
)

Json = Any

STRUCTURE = frozenset(
    {
        # of events
        "about",
        "agent",
        "definition_hash",
        "digests",
        "finish",
        "forked_from",
        "key",
        "kept",
        "kind",
        "level",
        "model",
        "models",
        "policy",
        "provider",
        "resolution",
        "response_id",
        "response_model",
        "scope",
        "source_hash",
        "step",
        "steps",
        "tool",
        "tool_call_id",
        "workflow",
        # of the submitter: names of variables, never their values
        "env_names",
        "origin",
        # of definitions
        "depends_on",
        "id",
        "name",
        "on_error",
        "on_exceed",
        "on_in_doubt",
        "on_timeout",
        "references",
        "target",
        "unpriced",
    }
)
"""Fields of records (not keys of JSON values) that are left as they are, unless records are in them."""

DROPPED = frozenset({"content_key"})
"""Fields that are left out: a digest over texts with their secrets is a way to guess these."""
EMPTIED = frozenset({"digest"})
"""Likewise, of calls and tools, where the field is a text. What came from elsewhere is not gone on from."""

MAPS = frozenset(
    {"adopted", "arguments", "env", "fields", "inputs", "outputs", "settings", "sim", "tags", "values"}
)
"""Fields that are maps by name (of inputs, outputs, steps): the keys are structure, what is below is not."""

SECRET_NAMES = re.compile(
    r"(?:.*[_-])?(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|authorization|access[_-]?token|refresh[_-]?token|auth[_-]?token|client[_-]?secret)\Z",
    re.IGNORECASE,
)

HARMLESS = re.compile(rf"(?:|\$[A-Za-z_]\w*|{re.escape(MASK)})\Z")
"""Nothing, the name of a variable, or what was redacted before."""

Redact = Callable[[str], str]


class Redaction:
    """One pass over the events of a run. `count`: texts that were changed. `whole`: every field is kept, and
    what stands under a telling name is no secret for that alone."""

    def __init__(self, redact: Redact, *, whole: bool = False) -> None:
        self._redact = redact
        self._whole = whole
        self.count = 0

    def recorded(self, item: Recorded) -> Recorded:
        event = self._record(item.event)
        return item if event is item.event else msgspec.structs.replace(item, event=event)

    def event(self, event: AnyEvent) -> AnyEvent:
        found: AnyEvent = self._record(event)
        return found

    def _record(self, record: Any) -> Any:
        changed = {}
        for name in record.__struct_fields__:
            value = getattr(record, name)
            if self._whole or name not in DROPPED | EMPTIED:
                found = self._field(name, value)
            else:
                found = None if name in DROPPED else ""
            if found is not value:
                changed[name] = found
        return msgspec.structs.replace(record, **changed) if changed else record

    def _field(self, name: str, value: Any) -> Any:
        match value:
            case msgspec.Struct():
                return self._record(value)
            case tuple() | list() if any(isinstance(part, msgspec.Struct) for part in value):
                return self._rebuilt(value, [self._record(part) for part in value])
            case dict() if any(isinstance(part, msgspec.Struct) for part in value.values()):
                return self._mapped(value, {key: self._record(part) for key, part in value.items()})
            case _ if name in STRUCTURE:
                return value
            case dict() if name in MAPS:
                return self._mapped(value, {key: self._below(key, part) for key, part in value.items()})
            case _:
                return self.value(value)

    def value(self, value: Json) -> Json:
        """A JSON value, keys included."""
        match value:
            case str():
                return self._text(value)
            case dict():
                found = {self._text(key): self._below(key, part) for key, part in value.items()}
                # Two secrets as keys of one object are one key afterwards: then the second is dropped.
                return self._mapped(value, found)
            case list() | tuple():
                return self._rebuilt(value, [self.value(part) for part in value])
            case _:
                return value

    def _below(self, key: str, value: Json) -> Json:
        telling = not self._whole and SECRET_NAMES.match(key)
        if isinstance(value, str) and telling and not HARMLESS.match(value):
            self.count += 1
            return MASK
        return self.value(value)

    def _text(self, text: str) -> str:
        found = self._redact(text)
        if found == text:
            return text
        self.count += 1
        return found

    @staticmethod
    def _mapped(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
        same = len(old) == len(new) and all(key in new and new[key] is part for key, part in old.items())
        return old if same else new

    @staticmethod
    def _rebuilt(old: Any, new: list[Any]) -> Any:
        return old if all(a is b for a, b in zip(old, new, strict=True)) else type(old)(new)


def concealed(event: AnyEvent) -> AnyEvent:
    """The event as it may be recorded: without the exact values of secrets that were loaded. What only looks
    like one stays, since a replay may need it; so does an event that holds none (the same object)."""
    if not any_known() or not holds_secret(wire.encode_event(event)):
        return event
    return Redaction(conceal, whole=True).event(event)


KEPT_FOR_SECRETS = re.compile(
    r"(?:.*_)?[A-Z0-9]*(?:KEY|TOKEN|SECRET|PASSWD|PASSWORD|PASSPHRASE|CREDENTIALS?|PAT|JWT|COOKIE)\d*\Z",
    re.IGNORECASE,
)
"""Names of variables that hold nothing but a secret. Fewer than of those that a run takes: a word that is
taken for a secret is taken out of everything."""
RANDOM = re.compile(r"(?=\S*\d)(?=\S*[A-Za-z])(?!~?\.{0,2}/)(?!\S*://)\S{16,}\Z")
"""A value nobody would use as a word: letters and digits, no blanks, neither a path nor an address."""


def learn_environment(environ: Mapping[str, str]) -> None:
    """Register the secrets among the variables of this process, whether anything takes them or not: a
    program, a file or a person may give one away that no run has named."""
    for name, value in environ.items():
        named = KEPT_FOR_SECRETS.match(name) and RANDOM.match(value.strip())
        # What was known already must not make secrets of the values that only hold it.
        if named or (redact(value) != value and conceal(value) == value):
            remember(value)


def veil(
    environ: Mapping[str, str] | None = None, secrets: Secrets | None = None, providers: Iterable[str] = ()
) -> Veil:
    """For an engine. Secret is what this process has loaded, the secrets of `environ`, the keys of
    `providers` that are there, and what a run takes."""
    if secrets is not None:
        for provider in providers:
            secrets.from_environment(provider)
    learn_environment(environ or {})
    return Veil(concealed, remember_variables)
