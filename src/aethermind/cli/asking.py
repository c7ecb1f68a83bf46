"""Questions on a terminal: asked on stderr, so that stdout keeps to the outputs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import click

from aethermind.domain.errors import AethermindError
from aethermind.infra.sanitize import clean_line

Json = Any


def typed(raw: str, schema: Mapping[str, Json]) -> Json:
    """What somebody typed, as the schema's type; what does not fit stays text, to be refused."""
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if "string" in kinds or "enum" in schema:
        return raw
    if kinds == ["boolean"] and raw.lower() in {"yes", "no", "y", "n"}:
        return raw.lower().startswith("y")
    try:
        return json.loads(raw)
    except ValueError:
        return raw


def ask_field(
    name: str,
    schema: Mapping[str, Json],
    *,
    check: Callable[[Json], Json] | None = None,
    default: Json = None,
    about: str = "",
) -> Json:
    """Ask for one value until it fits. `check` raises an error of ours for one that does not."""
    choices = schema.get("enum")
    hint = "|".join(map(str, choices)) if choices else str(schema.get("type") or "")
    label = clean_line(f"{name}{f' ({hint})' if hint and hint != 'string' else ''}")
    if about:
        click.echo(clean_line(f"{name}: {about}"), err=True)

    def convert(raw: Json) -> Json:
        value = typed(raw, schema) if isinstance(raw, str) else raw
        if choices and value not in choices:
            raise click.UsageError(f"one of {', '.join(map(str, choices))}")
        if check is None:
            return value
        try:
            return check(value)
        except AethermindError as error:
            raise click.UsageError(clean_line(error.line())) from None

    return click.prompt(label, value_proc=convert, default=default, err=True)


def confirm(question: str) -> bool:
    """A yes or no; no is what an empty line means."""
    return click.confirm(clean_line(question), default=False, err=True)
