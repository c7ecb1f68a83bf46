"""Questions on a terminal: asked on stderr, so that stdout keeps to the outputs."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, TypeVar

import click

from aethermind.cli import parent, streams
from aethermind.definitions.inputs import describe_type, from_words
from aethermind.domain.errors import AethermindError
from aethermind.infra.sanitize import clean_line
from aethermind.tui.typed import forget_typed

Json = Any
T = TypeVar("T")


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

    return _asked(
        lambda: click.prompt(label, value_proc=convert, err=True, default=empty, show_default=bool(empty))
    )


def confirm(question: str) -> bool:
    """A yes or no; no is what an empty line means. What was typed before it is asked does not answer it."""
    forget_typed()
    return _asked(lambda: click.confirm(clean_line(question), default=False, err=True))


def _asked(ask: Callable[[], T]) -> T:
    """The answer. ctrl+z gives the shell the terminal, and the question is asked anew when it is back; who
    drives a run meanwhile sees to that himself.
    """
    link = parent.link()
    if link is None or signal.getsignal(signal.SIGTSTP) != link.on_key:
        return ask()
    link.watch()

    def put_aside(number: int, frame: FrameType | None) -> None:
        if link.in_foreground:
            raise parent.PutAside

    while True:
        signal.signal(signal.SIGTSTP, put_aside)
        try:
            return ask()
        except parent.PutAside:
            streams.note("")  # the prompt's line ends
        finally:
            signal.signal(signal.SIGTSTP, link.on_key)
        link.suspend()
        link.wait_for_terminal()
