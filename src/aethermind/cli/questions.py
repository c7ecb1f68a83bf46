"""Questions of a run that is followed here: asked on the terminal as soon as they open, one after the other,
while the run's other branches go on; or answered by its script.

Where nobody can be asked, a simulated run takes the answers of its `.sim.yaml`; any other run waits, and the
command that answers it is printed (`ending`).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import click

from aethermind.cli import streams
from aethermind.cli.asking import ask_field, confirm
from aethermind.cli.drive import Decision, drive
from aethermind.cli.session import user
from aethermind.cli.trace import Trace
from aethermind.definitions.inputs import parse_inputs
from aethermind.definitions.schemas import takes_null
from aethermind.domain.errors import DeniedError, InvalidError
from aethermind.domain.run import Run
from aethermind.domain.state import Node, Question
from aethermind.domain.views import open_questions
from aethermind.domain.workflow import InputDef
from aethermind.engine import scripted
from aethermind.engine.client import Client
from aethermind.engine.hosting import EngineThread
from aethermind.infra.sanitize import clean, clean_line
from aethermind.tui.typed import forget_typed

Json = Any


def drive_asking(
    engine: EngineThread,
    run: Run,
    trace: Trace,
    *,
    person: bool,
    begin: Callable[[Client], Awaitable[object]] | None = None,
) -> bool:
    """As `drive`, and on with what the run asks for as long as somebody answers. `person`: someone may be
    asked, if there is a terminal.
    """
    person = person and streams.can_ask()
    asking = _Asking(engine, person=person)
    return drive(engine, run, trace, begin=begin, decide=asking.next, person=person)


class _Asking:
    """What was asked of this run so far. `person`: somebody sits there; else the script answers."""

    def __init__(self, engine: EngineThread, *, person: bool) -> None:
        self._engine = engine
        self._person = person
        self._seen: set[tuple[str, int, str | None]] = set()
        """Questions that were answered, whether or not their answer has come back as an event."""

    def next(self, run: Run) -> Decision | None:
        """The first open question that nobody was asked yet; None: nothing is to be decided here."""
        for node in open_questions(run):
            question = node.question
            if node.status != "waiting_answer" or question is None or _key(node.path, question) in self._seen:
                continue
            if self._person:
                return partial(self._ask, run, node, question)
            values = scripted.answer(run, node)
            if values is not None:
                return partial(self._send, run, node.path, question, values, "script")
        return None

    def _ask(self, run: Run, node: Node, question: Question) -> None:
        try:
            values = ask(node)
        except OSError:  # the terminal is gone
            raise click.Abort from None
        self._send(run, node.path, question, values, user())

    def _send(self, run: Run, path: str, question: Question, values: dict[str, Json], by: str) -> None:
        try:
            self._engine.call(_sending(run.id, path, values, by)).result()
        except DeniedError as error:  # somebody else, or the clock, was faster
            streams.note(clean_line(error.message))
        except InvalidError as error:
            if by == "script":
                raise InvalidError(f"the script's answer to {path}: {error.message}") from None
            streams.note(clean_line(error.line()))
            return  # it is asked again
        self._seen.add(_key(path, question))


def _key(path: str, question: Question) -> tuple[str, int, str | None]:
    return path, question.asked_at, question.digest


def _sending(
    run_id: str, path: str, values: dict[str, Json], by: str
) -> Callable[[Client], Awaitable[object]]:
    async def send(client: Client) -> None:
        await client.answer(run_id, path, values, by=by)

    return send


def ask(node: Node) -> dict[str, Json]:
    """Field by field, on stderr. Raises `click.Abort` for whoever would rather decide later."""
    question = node.question
    assert question is not None
    forget_typed()
    streams.note("")
    if question.show:
        streams.note(clean(question.show) + "\n")
    if list(question.fields) == ["approved"]:
        return {"approved": confirm(question.message)}
    if question.about == "tool":
        seen = {"digest": question.digest}
        if confirm(question.message):
            return {"approved": True, **seen}
        return {"approved": False, **_reason(question), **seen}
    streams.note(clean(question.message))
    values = {name: _field(name, schema) for name, schema in question.fields.items()}
    return {name: value for name, value in values.items() if value is not None}


def _reason(question: Question) -> dict[str, Json]:
    """What the model is told with a no, if anything."""
    note = _field("note", question.fields["note"])
    return {} if note is None else {"note": note}


def _field(name: str, schema: Mapping[str, Json]) -> Json:
    """None where nothing was said and nothing need be."""
    definition = InputDef(schema=dict(schema), required=True)
    default = schema.get("default")
    empty = default if default is None or isinstance(default, str) else json.dumps(default)
    if empty is None and takes_null(schema):
        empty = ""

    def check(value: Json) -> Json:
        return parse_inputs({name: definition}, {name: value}, from_text=False)[name]

    return ask_field(name, schema, check=check, about=str(schema.get("description", "")), empty=empty)
