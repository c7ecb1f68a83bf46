"""Names, references and cycles: what each step waits for, and whether that can work.

A reference makes a step upstream. So what can be wrong is: a name that is nowhere, a name inside another
group, the step's own name, `item` outside a fan-out, a key that the referenced output cannot have, and a
circle. References into an outer scope are handed to the group that stands there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from aethermind.definitions.drafts import LIST, Place, Shape, StepDraft, Used
from aethermind.definitions.hints import closest, did_you_mean, show
from aethermind.definitions.lookup import Path
from aethermind.definitions.nodes import Scalar, Seq, error
from aethermind.definitions.shapes import DICT_METHODS, error_at, follow
from aethermind.domain.errors import InvalidError

STEP_FACTS = ("status", "output", "result", "error", "errors", "attempts")
RUN_FACTS = ("id", "status", "error")
WORKFLOW_FACTS = ("name", "description")


@dataclass(frozen=True, slots=True)
class Inside:
    """What surrounds a template."""

    item: bool = False
    round: Shape = None
    """The shape of a round, inside a repeat."""
    repeat: bool = False
    always: bool = False


@dataclass(slots=True, eq=False)
class Level:
    """The steps of a workflow or group."""

    ids: dict[str, StepDraft]
    owner: StepDraft | None = None
    parent: Level | None = None

    def chain(self) -> Iterator[Level]:
        level: Level | None = self
        while level is not None:
            yield level
            level = level.parent


class References:
    """Checks all steps of one workflow. `inputs`: name → shape."""

    def __init__(self, inputs: Mapping[str, Shape], steps: list[StepDraft]) -> None:
        self._inputs = inputs
        self._top = _level(steps)
        self._all: dict[str, list[StepDraft]] = {}
        for draft in _walk(steps):
            self._all.setdefault(draft.id, []).append(draft)

    def check(self) -> None:
        """Fill in `references` and `depends_on` of every draft. Raises `InvalidError`."""
        self._check_level(self._top, Inside())

    def check_outputs(self, used: Iterable[Used]) -> None:
        """The templates of the workflow's `outputs`."""
        for one in used:
            for path in one.uses.paths:
                self._name(self._top, None, one, path, Inside(always=True))

    def check_agent(self, used: Used, agent: str) -> None:
        """An agent's instructions are used by many steps: they see no steps."""
        for path in used.uses.paths:
            if path[0] not in {"inputs", "run", "workflow"}:
                raise error_at(
                    used,
                    path,
                    f"the instructions of agent `{agent}` cannot use `{show(path[0])}`",
                    "they see `inputs`; put the rest into the prompt",
                )
            self._name(self._top, None, used, path, Inside())

    # --- levels ----------------------------------------------------------------------------------

    def _check_level(self, level: Level, around: Inside) -> None:
        for draft in level.ids.values():
            always = around.always or draft.surface.always
            outer = Inside(around.item, around.round, around.repeat, always)
            repeats = draft.surface.repeat is not None
            body = Inside(
                around.item or draft.surface.for_each is not None,
                draft.shape if repeats else around.round,
                around.repeat or repeats,
                always,
            )
            self._explicit(level, draft)
            for used in draft.used:
                for path in used.uses.paths:
                    self._name(level, draft, used, path, outer if used.where == "outer" else body)
            if draft.children:
                self._check_level(_level(draft.children, draft, level), body)
        _refuse_cycles(level)

    def _explicit(self, level: Level, draft: StepDraft) -> None:
        """`depends_on`."""
        key = "depends_on" if draft.surface.depends_on is not None else "dependsOn"
        node = draft.node.entries.get(key)
        if node is None:
            return
        for item in node.items if isinstance(node, Seq) else [node]:
            assert isinstance(item, Scalar)
            name = str(item.value)
            if name == draft.id:
                raise error(item, f"`{show(name)}` cannot wait for itself")
            found = self._find(level, draft, name)
            if found is None:
                raise error(
                    item,
                    f"`{key}` names `{show(name)}`, which is no step here",
                    hint=self._where_is(level, name),
                )
            waiting, target = found
            if waiting is target:
                raise error(item, f"`{show(name)}` is the group that this step is in")
            if target.surface.always and not draft.surface.always:
                raise error(item, f"nothing can wait for `{target.id}`, which runs at the end (`always`)")
            waiting.depends_on.setdefault(target.id, Place(item))

    def _find(self, level: Level, draft: StepDraft, name: str) -> tuple[StepDraft, StepDraft] | None:
        """The step called `name` as seen from `draft`, and which step stands beside it (`draft` or the group
        around it)."""
        waiting = draft
        for one in level.chain():
            target = one.ids.get(name)
            if target is not None:
                return waiting, target
            if one.owner is not None:
                waiting = one.owner
        return None

    def _where_is(self, level: Level, name: str) -> str | None:
        visible = [i for one in level.chain() for i in one.ids]
        for hidden in self._all.get(name, ()):
            if hidden.parent is not None:
                group = _path(hidden.parent)
                return f"it is a step inside `{group}`: use `{group}.{name}`"
        if (match := closest(name, visible)) is not None:
            return f"did you mean `{match}`?"
        return did_you_mean(name, visible, label="steps")

    # --- names -----------------------------------------------------------------------------------

    def _name(self, level: Level, draft: StepDraft | None, used: Used, path: Path, inside: Inside) -> None:
        root = path[0]
        special = _SPECIAL.get(root)
        if special is not None:
            special(self, level, draft, used, path, inside)
            return
        if draft is not None and used.where == "until":
            if draft.children and (child := _level(draft.children).ids.get(root)) is not None:
                follow(used, path, 1, _output_shape(child))
                return
            if root == draft.id and not draft.children:
                follow(used, path, 1, draft.shape)
                return
        if draft is None:
            target = self._top.ids.get(root)
        else:
            found = self._find(level, draft, root)
            target = self._link(draft, found, used, path) if found is not None else None
        if target is None:
            raise self._unknown(level, draft, used, path)
        follow(used, path, 1, _output_shape(target))

    def _link(
        self,
        draft: StepDraft,
        found: tuple[StepDraft, StepDraft],
        used: Used,
        path: Path,
        *,
        only_order: bool = False,
    ) -> StepDraft:
        """Record that a step waits for another; `only_order`: for `steps.X`."""
        waiting, target = found
        if waiting is target:
            if target is not draft:
                message = f"`{target.id}` is the group that this step is in: it has no output yet"
                raise error_at(used, path, message, "`previous` is the output of the last round")
            hint = "`previous` is the output of the last round" if draft.surface.repeat is not None else None
            raise error_at(used, path, f"`{draft.id}` cannot use its own output", hint)
        if target.surface.always and not draft.surface.always:
            raise error_at(
                used, path, f"`{target.id}` runs at the end (`always`): nothing can use its output", None
            )
        place = Place(used.node, path[1] if only_order else path[0], ".".join(path))
        (waiting.depends_on if only_order else waiting.references).setdefault(target.id, place)
        return target

    def _unknown(self, level: Level, draft: StepDraft | None, used: Used, path: Path) -> InvalidError:
        name = path[0]
        if name in self._inputs:
            return error_at(used, path, f"unknown name `{show(name)}`", f"it is an input: `inputs.{name}`")
        inner = [c.id for c in draft.children] if draft is not None and used.where == "until" else []
        visible = [*inner, *(i for one in level.chain() for i in one.ids), "inputs"]
        hint = self._where_is(level, name) if name in self._all else did_you_mean(name, visible)
        return error_at(used, path, f"unknown name `{show(name)}`", hint)

    # --- names with a meaning ----------------------------------------------------------------------

    def use_inputs(
        self, level: Level, draft: StepDraft | None, used: Used, path: Path, inside: Inside
    ) -> None:
        if len(path) > 1 and path[1] not in self._inputs and path[1] not in DICT_METHODS:
            hint = did_you_mean(path[1], self._inputs, label="inputs") or "this workflow has no inputs"
            raise error_at(used, path, f"there is no input `{show(path[1])}`", hint, depth=2)
        if len(path) > 2:
            follow(used, path, 2, self._inputs.get(path[1]))

    def use_steps(
        self, level: Level, draft: StepDraft | None, used: Used, path: Path, inside: Inside
    ) -> None:
        if len(path) == 1:
            if inside.always:
                return
            raise error_at(
                used,
                path,
                "`steps` needs the name of a step, so that this one can wait for it",
                "steps.plan.status",
            )
        name = path[1]
        if len(path) > 2 and path[2] not in STEP_FACTS:
            hint = did_you_mean(path[2], STEP_FACTS, label="it has")
            raise error_at(used, path, f"`steps.{show(name)}` has no `{show(path[2])}`", hint, depth=3)
        target: StepDraft | None
        if draft is None:
            target = self._top.ids.get(name)
        elif used.where == "until" and any(c.id == name for c in draft.children):
            target = next(c for c in draft.children if c.id == name)
        else:
            found = self._find(level, draft, name)
            target = self._link(draft, found, used, path, only_order=True) if found is not None else None
        if target is None:
            raise error_at(
                used, path, f"there is no step `{show(name)}` here", self._where_is(level, name), depth=2
            )
        if len(path) > 3 and path[2] == "output":
            follow(used, path, 3, _output_shape(target))

    def use_item(self, level: Level, draft: StepDraft | None, used: Used, path: Path, inside: Inside) -> None:
        if inside.item:
            return
        hint = "add `for_each:` to this step or its group"
        if draft is not None and draft.surface.for_each is not None:
            hint = "`when` and `for_each` are decided once, before there are items"
        raise error_at(used, path, f"`{path[0]}` is only there inside a `for_each`", hint)

    def use_round(
        self, level: Level, draft: StepDraft | None, used: Used, path: Path, inside: Inside
    ) -> None:
        if not inside.repeat:
            hint = "add `repeat:` to this step or its group"
            if draft is not None and draft.surface.repeat is not None:
                hint = "`when` and `for_each` are decided once, before the first round"
            raise error_at(used, path, f"`{path[0]}` is only there inside a `repeat`", hint)
        if path[0] == "previous":
            follow(used, path, 1, inside.round)

    def use_output(
        self, level: Level, draft: StepDraft | None, used: Used, path: Path, inside: Inside
    ) -> None:
        if draft is None or used.where != "until":
            raise error_at(used, path, "`output` is only there in `until`", "name the step")
        follow(used, path, 1, draft.shape)

    def use_facts(
        self, level: Level, draft: StepDraft | None, used: Used, path: Path, inside: Inside
    ) -> None:
        facts = RUN_FACTS if path[0] == "run" else WORKFLOW_FACTS
        if len(path) > 1 and path[1] not in facts:
            hint = did_you_mean(path[1], facts, label="it has")
            raise error_at(used, path, f"`{path[0]}` has no `{show(path[1])}`", hint, depth=2)

    def use_env(self, level: Level, draft: StepDraft | None, used: Used, path: Path, inside: Inside) -> None:
        raise error_at(
            used, path, "templates do not see the environment", "give it to a child: `env: {NAME: $NAME}`"
        )


_Special = Callable[[References, Level, StepDraft | None, Used, Path, Inside], None]
_SPECIAL: dict[str, _Special] = {
    "inputs": References.use_inputs,
    "steps": References.use_steps,
    "item": References.use_item,
    "index": References.use_item,
    "previous": References.use_round,
    "iteration": References.use_round,
    "output": References.use_output,
    "run": References.use_facts,
    "workflow": References.use_facts,
    "env": References.use_env,
}


def _level(steps: list[StepDraft], owner: StepDraft | None = None, parent: Level | None = None) -> Level:
    return Level({d.id: d for d in steps}, owner, parent)


def _walk(steps: Iterable[StepDraft]) -> Iterator[StepDraft]:
    for draft in steps:
        yield draft
        yield from _walk(draft.children)


def _path(draft: StepDraft) -> str:
    parts = [draft.id]
    while draft.parent is not None:
        draft = draft.parent
        parts.append(draft.id)
    return ".".join(reversed(parts))


def _output_shape(draft: StepDraft) -> Shape:
    return LIST if draft.surface.for_each is not None else draft.shape


def _refuse_cycles(level: Level) -> None:
    """Depth-first with an own stack: a chain may have 10,000 steps."""
    done: set[str] = set()
    for start in level.ids:
        if start in done:
            continue
        way = [start]
        on_way = {start}
        todo = [_needs(level.ids[start])]
        while todo:
            following = next(todo[-1], None)
            if following is None:
                todo.pop()
                last = way.pop()
                on_way.discard(last)
                done.add(last)
            elif following in on_way:
                raise _cycle(level, [*way[way.index(following) :], following])
            elif following not in done:
                way.append(following)
                on_way.add(following)
                todo.append(_needs(level.ids[following]))


def _needs(draft: StepDraft) -> Iterator[str]:
    return iter(dict.fromkeys((*draft.depends_on, *draft.references)))


def _cycle(level: Level, way: list[str]) -> InvalidError:
    draft = level.ids[way[0]]
    place = draft.depends_on.get(way[1]) or draft.references[way[1]]
    shown = way if len(way) <= 12 else [*way[:6], "…", *way[-5:]]
    return place.error(f"the steps wait for each other: {' → '.join(shown)}", hint="break the circle")
