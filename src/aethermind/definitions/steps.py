"""The `steps:` of a workflow or group → drafts → `StepDef`s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aethermind.definitions.actions import check_save, fill_action
from aethermind.definitions.context import MAX_EXPANDED, MAX_STEPS, Context, Settled
from aethermind.definitions.drafts import StepDraft
from aethermind.definitions.hints import closest, show
from aethermind.definitions.lookup import has_tags
from aethermind.definitions.nodes import Map, Node, Scalar, Seq, describe, error
from aethermind.definitions.reading import duration, fields_of, read
from aethermind.definitions.surface import STEP_KINDS, RetrySurface, StepSurface
from aethermind.domain.ids import RESERVED, STEP_ID
from aethermind.domain.workflow import AgentDef, Group, Repeat, Retry, StepDef, SubWorkflow

Json = Any

_RETRIED = frozenset({"prompt", "function"})
"""Kinds that are retried without being told to."""
_TIMED = frozenset({"prompt", "run", "python", "function"})
"""Kinds with a timeout even if nothing says so."""


class StepReader:
    """Reads all steps of one workflow."""

    def __init__(self, context: Context, agents: dict[str, AgentDef]) -> None:
        self._context = context
        self._agents = agents

    def read_all(self, node: Node) -> list[StepDraft]:
        assert isinstance(node, Seq)
        return self._read_level(node, None, self._context.settled)

    def _read_level(self, node: Seq, parent: StepDraft | None, settled: Settled) -> list[StepDraft]:
        here: dict[str, StepDraft] = {}
        for item in node.items:
            draft = self._read_step(item, parent, here, settled)
            here[draft.id] = draft
        return list(here.values())

    def _read_step(
        self, node: Node, parent: StepDraft | None, here: Mapping[str, StepDraft], settled: Settled
    ) -> StepDraft:
        context = self._context
        context.steps += 1
        if context.steps > MAX_STEPS:
            raise error(node, f"more than {MAX_STEPS:,} steps", hint="make a fan-out of them: `for_each`")
        if not isinstance(node, Map):
            raise error(node, f"a step is a mapping, not {describe(node)}", hint="- {id: plan, prompt: …}")
        kind = _kind_of(node)
        surface = self._read_surface(node, kind)
        self._find_agent(getattr(surface, "agent", None))
        _check_id(node.entries["id"], surface.id, here, parent)
        draft = StepDraft(surface.id, node, kind, surface, parent)
        inner = self._common(draft, settled)
        if kind == "steps":
            steps = node.entries["steps"]
            assert isinstance(steps, Seq)
            draft.children = self._read_level(steps, draft, inner)
            draft.shape = {child.id: _shape(child) for child in draft.children}
            if "cache" in node.entries and not _calls_models(draft):
                raise node.key_error(
                    "cache", "`cache` is for model calls, and no step in here makes any", hint="remove it"
                )
        else:
            fill_action(context, draft, self._agents)
        return draft

    def _find_agent(self, name: str | None) -> None:
        """One that is registered becomes the file's own; an unknown one is refused where it is used."""
        if name is not None and name not in self._agents:
            found = self._context.find_agent(name)
            if found is not None:
                self._agents[name] = found

    def _read_surface(self, node: Map, kind: str) -> StepSurface:
        cls = STEP_KINDS[kind]
        known = fields_of(cls)
        for key in node.entries:
            if key not in known:
                owners = [k for k, other in STEP_KINDS.items() if key in fields_of(other)]
                if owners:
                    raise node.key_error(
                        key,
                        f"a `{kind}` step has no `{show(key)}`",
                        hint=f"it belongs to `{'`, `'.join(owners)}` steps",
                    )
        name = node.entries.get("id")
        which = f"step `{show(name.text, 40)}`" if isinstance(name, Scalar) and name.text else "the step"
        return read(cls, node, which)

    # --- keys of every kind ------------------------------------------------------------------------

    def _common(self, draft: StepDraft, settled: Settled) -> Settled:
        """Check and keep the keys that any step may have; gives what its inner steps inherit."""
        surface, entries = draft.surface, draft.node.entries
        fields = draft.fields
        if surface.depends_on is not None and surface.depends_on_camel is not None:
            raise draft.node.key_error(
                "dependsOn", "`depends_on` and `dependsOn` are the same", hint="remove one of them"
            )
        if "when" in entries:
            fields["when"] = draft.condition(entries["when"], "outer")
        self._fan_out(draft)
        self._repeat(draft)
        if surface.always and draft.parent is not None:
            raise draft.node.key_error(
                "always", "`always` is only for steps of the workflow itself, not of a group"
            )
        fields.update(on_error=surface.on_error, always=surface.always, save=check_save(draft))
        return self._inherit(draft, settled)

    def _inherit(self, draft: StepDraft, settled: Settled) -> Settled:
        """Timeout, retry and what to do in doubt: workflow → agent → group → step."""
        context, surface, entries = self._context, draft.surface, draft.node.entries
        agent = self._agents.get(getattr(surface, "agent", None) or "")
        timeout, retry = settled.timeout_ms, settled.retry
        if agent is not None:
            timeout = agent.timeout_ms or timeout
            retry = agent.retry or retry
        for body, says in settled.group_retries:
            retry = context.retry(body, says, retry)
        timeout = context.timeout(draft.node) or settled.group_timeout_ms or timeout
        in_doubt = surface.on_in_doubt or settled.on_in_doubt
        own_cache = context.cache(draft.node)
        group_cache = settled.group_cache if own_cache is None else own_cache
        if draft.kind == "prompt":
            inherited = settled.cache if agent is None or agent.cache is None else agent.cache
            draft.fields["cache"] = inherited if group_cache is None else group_cache
        own = entries.get("retry")
        overlay: tuple[tuple[Map, RetrySurface], ...] = ()
        if isinstance(own, Map) and surface.retry is not None:
            retry = context.retry(own, surface.retry, retry)
            overlay = ((own, surface.retry),)
        if draft.kind != "steps":
            has_timeout = draft.kind in _TIMED or "timeout" in entries
            draft.fields.update(
                timeout_ms=timeout if has_timeout else None,
                retry=retry if overlay or draft.kind in _RETRIED else Retry(),
                on_in_doubt=in_doubt,
            )
        return replace(
            settled,
            group_timeout_ms=context.timeout(draft.node) or settled.group_timeout_ms,
            group_retries=(*settled.group_retries, *overlay),
            on_in_doubt=in_doubt,
            group_cache=group_cache,
        )

    def _fan_out(self, draft: StepDraft) -> None:
        surface, entries = draft.surface, draft.node.entries
        for key in ("max_parallel", "max_items"):
            if key in entries and "for_each" not in entries:
                raise draft.node.key_error(key, f"`{key}` needs `for_each`")
        if "for_each" not in entries:
            return
        node = entries["for_each"]
        most = surface.max_items or 1_000
        if isinstance(node, Scalar):
            if not isinstance(node.value, str) or not has_tags(node.value):
                hint = (
                    f'"{{{{ {node.text} }}}}"'
                    if isinstance(node.value, str) and node.text
                    else '"{{ plan.sections }}"'
                )
                raise error(
                    node, f"`for_each` should be a list or an expression, not {describe(node)}", hint=hint
                )
            count = len(draft.used)
            draft.template(node, "outer")
            if len(draft.used) > count and not draft.used[-1].uses.is_expression:
                raise error(node, "`for_each` should be one whole expression", hint='"{{ plan.sections }}"')
        elif isinstance(node, Seq):
            if len(node.items) > most:
                raise error(
                    node, f"`for_each` has {len(node.items):,} items, more than `max_items: {most:,}`"
                )
            draft.template(node, "outer")
        else:
            raise error(node, "`for_each` should be a list or an expression, not a mapping")
        draft.fields.update(for_each=node.plain_data(), max_items=most, max_parallel=surface.max_parallel)

    def _repeat(self, draft: StepDraft) -> None:
        surface = draft.surface.repeat
        if surface is None:
            return
        node = draft.node.entries["repeat"]
        assert isinstance(node, Map)
        if "until" not in node.entries and "max" not in node.entries:
            raise error(node, "`repeat` needs `until` or `max`", hint='repeat: {until: "{{ … }}", max: 3}')
        until = draft.condition(node.entries["until"], "until") if "until" in node.entries else None
        every = duration(node.entries["every"]) if "every" in node.entries else 0
        draft.fields["repeat"] = Repeat(until=until, max=surface.max, every_ms=every)


def _calls_models(draft: StepDraft) -> bool:
    return draft.kind == "prompt" or any(map(_calls_models, draft.children))


def _shape(draft: StepDraft) -> Any:
    return "a list" if draft.surface.for_each is not None else draft.shape


def _kind_of(node: Map) -> str:
    kinds = [key for key in node.entries if key in STEP_KINDS]
    if len(kinds) == 1:
        return kinds[0]
    if len(kinds) > 1:
        raise node.key_error(
            kinds[1], f"a step is one thing: `{kinds[0]}` or `{kinds[1]}`", hint="make two steps of it"
        )
    common = fields_of(StepSurface)
    for key in node.entries:
        if key not in common and (match := closest(key, STEP_KINDS)) is not None:
            raise node.key_error(key, f"unknown key `{show(key)}`", hint=f"did you mean `{match}`?")
    raise error(node, "this step does nothing", hint=f"it needs one of {', '.join(STEP_KINDS)}")


def _check_id(node: Node, step_id: str, here: Mapping[str, StepDraft], parent: StepDraft | None) -> None:
    if not STEP_ID.match(step_id) or len(step_id) > 100:
        raise error(
            node,
            f"`{show(step_id)}` cannot be a step's id",
            hint="letters, digits and _, not beginning with a digit",
        )
    if step_id in RESERVED:
        raise error(node, f"`{step_id}` is reserved: expressions use it", hint="take another id")
    if step_id in here:
        line = here[step_id].id_node.start.line
        raise error(node, f"there are two steps `{step_id}`", hint=f"the other one is on line {line}")
    while parent is not None:
        if parent.id == step_id:
            raise error(node, f"`{step_id}` is also the group around it", hint="take another id")
        parent = parent.parent


def refuse_hidden(steps: list[StepDraft], outer: Mapping[str, StepDraft] | None = None) -> None:
    """No id of a group hides one around it: a bare name has one meaning."""
    around = outer or {}
    for draft in steps:
        if draft.id in around:
            line = around[draft.id].id_node.start.line
            raise error(
                draft.id_node,
                f"`{draft.id}` is also a step outside this group",
                hint=f"on line {line}; take another id, so that the name has one meaning",
            )
    for draft in steps:
        if draft.children:
            refuse_hidden(draft.children, {**around, **{d.id: d for d in steps}})


def finish(draft: StepDraft) -> StepDef:
    """The record, after its references were found."""
    action = draft.action
    if draft.children:
        action = Group(steps=tuple(finish(child) for child in draft.children))
    assert action is not None
    references = tuple(draft.references)
    order = tuple(d for d in draft.depends_on)
    return StepDef(id=draft.id, action=action, depends_on=order, references=references, **draft.fields)


def check_size(steps: tuple[StepDef, ...], where: Node) -> None:
    """Steps with all lists that stand in the file written out."""
    total = expanded(steps)
    if total > MAX_EXPANDED:
        message = (
            f"the workflow has {total:,} steps once its lists are written out, more than {MAX_EXPANDED:,}"
        )
        raise error(where, message)


def expanded(steps: tuple[StepDef, ...]) -> int:
    total = 0
    for step in steps:
        match step.action:
            case Group(steps=inner):
                size = 1 + expanded(inner)
            case SubWorkflow(workflow=other):
                size = 1 + expanded(other.steps)
            case _:
                size = 1
        total += size * (len(step.for_each) if isinstance(step.for_each, list) else 1)
    return total
