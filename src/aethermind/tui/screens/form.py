"""A form: one control a field, checked while one types. For inputs of a run, and for questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, TextArea

from aethermind.domain.errors import InvalidError
from aethermind.infra.sanitize import clean, clean_line
from aethermind.tui.screens.dialog import Line, glyphs_of, safe_line
from aethermind.tui.screens.entry import Area, Entry
from aethermind.tui.screens.fields import Field, read

Json = Any
LABEL = 22
"""Most cells of a label."""


class Pick(Widget, can_focus=True):
    """One of a few: `‹ yes ›`. Left and right, space, or the first letter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l,space,plus", "step(1)", "Next", show=False),
        Binding("left,h,minus", "step(-1)", "Previous", show=False),
    ]
    value: reactive[str] = reactive("", layout=True)

    class Changed(Message):
        def __init__(self, pick: Pick) -> None:
            super().__init__()
            self.pick = pick

    def __init__(self, options: Sequence[str], value: str, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.options = list(options)
        self.set_reactive(Pick.value, value if value in self.options else self.options[0])

    def render(self) -> Content:
        words = {"true": "yes", "false": "no", "": "(none)"}
        word = clean_line(words.get(self.value, self.value))
        left, right = "<>" if glyphs_of(self.app).ascii else "‹›"
        muted = "$foreground-muted"
        return Content.assemble((f"{left} ", muted), word, (f" {right}", muted))

    def action_step(self, by: int) -> None:
        at = (self.options.index(self.value) + by) % len(self.options)
        self.value = self.options[at]

    def watch_value(self) -> None:
        self.post_message(self.Changed(self))

    def on_key(self, event: events.Key) -> None:
        if not event.is_printable or event.character is None:
            return  # escape, too, comes as a character, and an option may begin with it
        letter = event.character.casefold()
        words = {"true": "yes", "false": "no"}
        for option in self.options:
            if clean_line(words.get(option, option)).casefold().startswith(letter):
                self.value = option
                event.stop()
                event.prevent_default()
                return


class Row(Vertical):
    """Label and control, and below them what is said about it."""

    def __init__(self, field: Field, number: int, *, width: int, value: str) -> None:
        super().__init__(classes="form-row")
        self.field = field
        self.number = number
        self.width = width
        self.initial = value

    def compose(self) -> ComposeResult:
        field, id = self.field, f"field-{self.number}"
        needed = field.required and field.kind not in {"boolean", "choice"}
        label = clean_line(field.label)[: self.width - 2] + (" *" if needed else "")
        with Horizontal(classes="form-line"):
            head = Line(safe_line(label.ljust(self.width)), classes="form-label")
            head.styles.width = self.width + 2
            yield head
            match field.kind:
                case "boolean" | "choice":
                    yield Pick(field.options, self.initial, id=id)
                case "list" | "json":
                    yield Area(self.initial, id=id)
                case _:
                    yield Entry(self.initial, id=id)
        hint = Line(safe_line(field.hint), classes="form-hint")
        hint.styles.margin = (0, 0, 0, self.width + 3)
        hint.display = bool(field.hint)
        yield hint

    def on_descendant_focus(self) -> None:
        self.add_class("-current")

    def on_descendant_blur(self) -> None:
        self.remove_class("-current")

    @property
    def control(self) -> Pick | Area | Entry:
        found = self.query_one(f"#field-{self.number}")
        assert isinstance(found, Pick | Area | Entry)
        return found

    @property
    def text(self) -> str:
        """As typed; what could only be shown cleaned and was left alone is what it was."""
        control = self.control
        typed = control.text if isinstance(control, Area) else control.value
        shown = clean(self.initial) if isinstance(control, Area) else clean_line(self.initial)
        return self.initial if typed == shown else typed

    def say(self, problem: str | None) -> None:
        """What is wrong in place of the hint, or the hint again."""
        hint = self.query_one(".form-hint", Line)
        text = problem or self.field.hint
        hint.display = bool(text)
        hint.set_class(problem is not None, "-bad")
        hint.show(safe_line(text))


class Form(VerticalScroll, can_focus=False):
    """`values()` gives what was filled in, or says in place what is wrong."""

    class Changed(Message):
        """Something was typed."""

    class Submitted(Message):
        """Enter in the last field."""

    def __init__(
        self,
        fields: Sequence[Field],
        *,
        values: Mapping[str, str] | None = None,
        id: str | None = None,
        label_width: int | None = None,
    ) -> None:
        super().__init__(id=id)
        self.fields = list(fields)
        self._values = dict(values or {})
        longest = max((len(field.label) for field in self.fields), default=0) + 2
        self.label_width = label_width or min(longest, LABEL)

    def compose(self) -> ComposeResult:
        for number, field in enumerate(self.fields):
            value = self._values.get(field.name, field.initial)
            yield Row(field, number, width=self.label_width, value=value)

    @property
    def rows(self) -> list[Row]:
        return list(self.query(Row))

    def texts(self) -> dict[str, str]:
        """As typed."""
        return {row.field.name: row.text for row in self.rows}

    def values(self) -> dict[str, Json] | None:
        """By name, fields that were left empty left out. None if something is wrong: it is said in its place
        and has the focus.
        """
        found: dict[str, Json] = {}
        wrong: Row | None = None
        for row in self.rows:
            try:
                given, value = read(row.field, row.text)
            except InvalidError as error:
                row.say(error.line())
                wrong = wrong or row
            else:
                row.say(None)
                if given:
                    found[row.field.name] = value
        if wrong is not None:
            wrong.control.focus()
            return None
        return found

    # --- while one types -------------------------------------------------------------------------

    def _check(self, widget: Widget) -> None:
        row = next((r for r in self.rows if r.control is widget), None)
        if row is None:
            return
        try:
            read(row.field, row.text, files=False)
        except InvalidError as error:
            row.say(error.line() if row.text else None)
        else:
            row.say(None)
        self.post_message(self.Changed())

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self._check(event.input)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        event.stop()
        self._check(event.text_area)

    def on_pick_changed(self, event: Pick.Changed) -> None:
        event.stop()
        self._check(event.pick)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter goes on to the next field; in the last one it is done."""
        event.stop()
        if event.input is self.rows[-1].control:
            self.post_message(self.Submitted())
        else:
            self.screen.focus_next()

    def on_key(self, event: events.Key) -> None:
        """Up and down go from field to field, but inside a text of several lines."""
        if event.key in {"up", "down"} and isinstance(self.screen.focused, Input | Pick):
            event.stop()
            event.prevent_default()
            if event.key == "down":
                self.screen.focus_next()
            else:
                self.screen.focus_previous()
        elif event.key == "enter" and isinstance(self.screen.focused, Pick):
            event.stop()
            event.prevent_default()
            self.screen.focus_next()
