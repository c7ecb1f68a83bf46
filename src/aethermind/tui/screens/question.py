"""A question of a step, answered with the same form as inputs."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from aethermind.domain.state import Question
from aethermind.domain.workflow import InputDef
from aethermind.tui.screens.confirm import Shown
from aethermind.tui.screens.dialog import Dialog, Line, safe_line
from aethermind.tui.screens.fields import Field, field_of
from aethermind.tui.screens.form import Form

Json = Any


class QuestionScreen(Dialog[dict[str, Json]]):
    """Answers the values by field; escape decides later."""

    AUTO_FOCUS = "Input, Pick, Area"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "submit", "Answer", show=False, id="form.answer"),
    ]

    def __init__(self, title: str, question: Question) -> None:
        super().__init__()
        self.question_title = title
        self.question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog question") as box:
            box.border_title = safe_line(self.question_title)
            box.border_subtitle = safe_line("tab next   ^s answer   esc later")
            yield Line(self.question.message, classes="message")
            if self.question.show:
                yield Shown(self.question.show)
            yield Form(fields_of(self.question), id="question-form")

    def on_form_submitted(self, event: Form.Submitted) -> None:
        event.stop()
        self.action_submit()

    def action_submit(self) -> None:
        values = self.query_one(Form).values()
        if values is not None:
            self.answer(values)


def fields_of(question: Question) -> list[Field]:
    return [field_of(name, _definition(schema)) for name, schema in question.fields.items()]


def _definition(schema: dict[str, Json]) -> InputDef:
    """As an input: needed unless it has a default or may be null."""
    kinds = schema.get("type")
    takes_null = (isinstance(kinds, list) and "null" in kinds) or None in schema.get("enum", ())
    bare = {key: value for key, value in schema.items() if key not in {"default", "description"}}
    return InputDef(
        schema=bare,
        required=not takes_null and "default" not in schema,
        default=schema.get("default"),
        description=str(schema.get("description", "")),
    )
