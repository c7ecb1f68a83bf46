"""What a template of a step can see: a lazy mapping, so that a scope of 100,000 steps costs nothing.

Names, nearest first: the steps of the same group, then of the groups around it, up to the run; and
`inputs`, `run`, `steps`, `item`, `index`, `iteration`, `previous`, `workflow`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.domain.workflow import SubWorkflow

Json = Any


SPECIAL = ("inputs", "run", "steps", "item", "index", "iteration", "previous", "workflow")
"""Names that are no step's."""


class Scope(Mapping[str, Json]):
    """Names visible to `node` (None: to the outputs of the run). Read-only; values are JSON."""

    def __init__(self, run: Run, node: Node | None = None, *, inside: Node | None = None) -> None:
        self.run = run
        self._node = node
        self._inside = inside
        """See as the steps of this sub-workflow do."""

    def __getitem__(self, name: str) -> Json:
        if name in SPECIAL:
            return self._special(name)
        peer = self.find(name)
        if peer is None:
            raise KeyError(name)
        return peer.output

    def __contains__(self, name: object) -> bool:
        return name in SPECIAL or (isinstance(name, str) and self.find(name) is not None)

    def __iter__(self) -> Iterator[str]:
        yield from SPECIAL
        seen: set[str] = set()
        for group in self.groups():
            for name in group.by_id:
                if name not in seen:
                    seen.add(name)
                    yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def groups(self) -> Iterator[Node]:
        up = self._inside or (self._node.parent if self._node is not None else self.run.root)
        while up is not None:
            if up.mode == "group":
                yield up
            up = None if up.encloses else up.parent

    def find(self, name: str) -> Node | None:
        for group in self.groups():
            if (found := group.by_id.get(name)) is not None:
                return found
        return None

    def _nearest(self, attribute: str) -> Node | None:
        up = self._node
        while up is not None:
            if getattr(up, attribute) is not None:
                return up
            up = up.parent
            if up is not None and up.encloses:
                return None
        return None

    def _enclosing(self) -> Node | None:
        """The sub-workflow that the names belong to."""
        up = self._inside or (self._node.parent if self._node is not None else None)
        while up is not None and not up.encloses:
            up = up.parent
        return up

    def _item(self) -> Json:
        node = self._nearest("index")
        return node.item if node is not None else None

    def _index(self) -> int | None:
        node = self._nearest("index")
        return node.index if node is not None else None

    def _round(self) -> Node | None:
        """The round of a repeat this is in; for the loop itself (its `until`), the last one."""
        if self._node is not None and self._node.mode == "loop":
            return self._node.children[-1] if self._node.children else None
        return self._nearest("iteration")

    def _iteration(self) -> int | None:
        node = self._round()
        return node.iteration if node is not None else None

    def _previous(self) -> Json:
        node = self._round()
        if node is None or node.parent is None or node.iteration is None or node.iteration < 2:
            return None
        return node.parent.children[node.iteration - 2].output

    def _run_facts(self) -> Json:
        run = self.run
        return {"id": run.id, "status": run.outcome, "error": run.root.error and run.root.error.message}

    def _special(self, name: str) -> Json:
        match name:
            case "inputs":
                enclosing = self._enclosing()
                return self.run.created.inputs if enclosing is None else enclosing.inputs or {}
            case "run":
                return self._run_facts()
            case "steps":
                return _Steps(self)
            case "item":
                return self._item()
            case "index":
                return self._index()
            case "iteration":
                return self._iteration()
            case "previous":
                return self._previous()
            case _:
                definition = self.run.definition
                enclosing = self._enclosing()
                if enclosing is not None and isinstance(enclosing.step.action, SubWorkflow):
                    definition = enclosing.step.action.workflow
                return {"name": definition.name, "description": definition.description}


class _Steps(Mapping[str, Json]):
    """`steps.X`: status, output, result, error and errors of a step."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __getitem__(self, name: str) -> Json:
        node = self._scope.find(name)
        if node is None:
            raise KeyError(name)
        return {
            "status": node.status,
            "output": node.output,
            "result": node.result,
            "error": node.error.message if node.error else None,
            "errors": [c.error.message if c.error else None for c in node.children]
            if node.mode == "fan_out"
            else [],
            "attempts": len(node.attempts),
        }

    def __iter__(self) -> Iterator[str]:
        return (name for group in self._scope.groups() for name in group.by_id)

    def __len__(self) -> int:
        return sum(len(group.by_id) for group in self._scope.groups())


def until_scope(run: Run, loop: Node) -> Mapping[str, Json]:
    """What `until` sees: the names of the round that just ended (a group's steps; `output` of a leaf),
    before those around the loop.
    """
    last = loop.children[-1]
    return _Until(Scope(run, loop), last)


class _Until(Mapping[str, Json]):
    def __init__(self, outer: Scope, last: Node) -> None:
        self._outer = outer
        self._last = last

    def __getitem__(self, name: str) -> Json:
        if name == "output" or (name == self._last.step.id and self._last.mode != "group"):
            return self._last.output
        if (inner := self._last.by_id.get(name)) is not None:
            return inner.output
        if name == "steps" and self._last.mode == "group" and self._last.children:
            return _Steps(Scope(self._outer.run, self._last.children[0]))
        return self._outer[name]

    def __iter__(self) -> Iterator[str]:
        yield "output"
        yield from self._last.by_id
        yield from self._outer

    def __len__(self) -> int:
        return 1 + len(self._last.by_id) + len(self._outer)
