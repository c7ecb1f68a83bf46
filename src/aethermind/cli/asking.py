"""Questions on a terminal: asked on stderr, so that stdout keeps to the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from aethermind.definitions.inputs import describe_type, from_words
from aethermind.domain.errors import AethermindError
from aethermind.infra.sanitize import clean_line
from aethermind.tui.typed import forget_typed

Json = Any


def ask_field(
    name: str,
    schema: Mapping[str, Json],
    *,
    check: Callable[[Json], Json] | None = None,
    about: str = "",
    empty: str | None = None,
) -> Json:
    """Ask for one value until it fits `schema`; `check` may raise an error of ours for more. `empty`: what
    an empty line stands for, where one is allowed ("" for nothing: None is given).
    """
    kind = describe_type(schema)
    notes = [note for note in (about, "" if kind in {"text", "a value"} else kind) if note]
    label = clean_line(f"{name} ({'; '.join(notes)})" if notes else name)

    def convert(raw: str) -> Json:
        if raw == "" and empty == "":
            return None
        try:
            value = from_words(name, raw, schema)
            return check(value) if check is not None else value
        except AethermindError as error:
            raise click.UsageError(clean_line(error.message)) from None

    return click.prompt(label, value_proc=convert, err=True, default=empty, show_default=bool(empty))


def confirm(question: str) -> bool:
    """A yes or no; no is what an empty line means. What was typed before it is asked does not answer it."""
    forget_typed()
    return click.confirm(clean_line(question), default=False, err=True)
