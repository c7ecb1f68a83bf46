"""A step on its way from the file to a `StepDef`: what was read, and the templates that were found in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from aethermind.definitions.analysis import BadTemplate, Uses, uses, uses_of_condition
from aethermind.definitions.nodes import Map, Node, Scalar, Seq, Spot, find_word
from aethermind.definitions.surface import StepSurface
from aethermind.domain.errors import InvalidError
from aethermind.domain.workflow import Action

Json = Any

Where = Literal["outer", "body", "until"]
"""Which names a template sees: `outer` those around the step (`when`, `for_each`), `body` also its own
item and round, `until` also what its last round gave."""

TEXT = "text"
LIST = "a list"
NUMBER = "a number"
BOOLEAN = "a boolean"
Shape = dict[str, Any] | str | None
"""What is known of a value: a mapping's keys (with their shapes), the name of another kind, or nothing."""


class Place(NamedTuple):
    """Where a step is named; looked up only for an error."""

    node: Scalar
    word: str | None = None
    path: str | None = None

    def error(self, message: str, *, hint: str | None = None) -> InvalidError:
        spot = find_word(self.node, self.word, occurrence=self.path) if self.word else self.node.start
        return self.node.source.error(message, spot, hint=hint)


@dataclass(slots=True)
class Used:
    """A template of a step and what it uses."""

    node: Scalar
    uses: Uses
    where: Where


@dataclass(slots=True, eq=False)
class StepDraft:
    id: str
    node: Map
    kind: str
    surface: StepSurface
    parent: StepDraft | None = None
    action: Action | None = None
    """All but groups; those are made from their children in the end."""
    shape: Shape = None
    """Of one item or round, `for_each` aside."""
    children: list[StepDraft] = field(default_factory=list)
    used: list[Used] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    """What of the `StepDef` is settled already."""
    depends_on: dict[str, Place] = field(default_factory=dict)
    references: dict[str, Place] = field(default_factory=dict)

    @property
    def id_node(self) -> Node:
        return self.node.entries["id"]

    def template(self, node: Node, where: Where = "body") -> None:
        """Note every template in a tree."""
        if isinstance(node, Scalar):
            if isinstance(node.value, str):
                try:
                    found = uses(node.value)
                except BadTemplate as problem:
                    raise template_error(node, problem) from None
                if found.paths:
                    self.used.append(Used(node, found, where))
            return
        for child in node.items if isinstance(node, Seq) else node.entries.values():
            self.template(child, where)

    def condition(self, node: Node, where: Where) -> str:
        """Note a condition and give it as text."""
        assert isinstance(node, Scalar)
        if isinstance(node.value, bool):
            return "true" if node.value else "false"
        text = str(node.value).strip()
        try:
            found = uses_of_condition(text)
        except BadTemplate as problem:
            raise template_error(node, problem) from None
        self.used.append(Used(node, found, where))
        return text


def template_error(node: Scalar, problem: BadTemplate) -> InvalidError:
    """A `BadTemplate` at its place in the file."""
    spot = find_word(node, problem.word) if problem.word else _line_of(node, problem.line)
    return node.source.error(str(problem), spot, hint=problem.hint)


def _line_of(node: Scalar, line: int) -> Spot:
    """The place of a template's line, at its tag."""
    lines = node.source.lines
    block = not node.plain and lines[node.start.line - 1][node.start.column - 1 :][:1] in {"|", ">"}
    number = node.start.line + line - 1 + (1 if block else 0)
    if number == node.start.line or number > node.end.line or number > len(lines):
        return node.start
    text = lines[number - 1]
    column = max(text.rfind("{{"), text.rfind("{%"))
    return Spot(number, column + 1 if column >= 0 else len(text) - len(text.lstrip()) + 1)
