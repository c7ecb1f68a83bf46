"""A located tree → `WorkflowDef`, with every inheritance merged."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from aethermind.definitions import units
from aethermind.definitions.actions import places_of, settings_of
from aethermind.definitions.analysis import BadTemplate, uses
from aethermind.definitions.checks import References
from aethermind.definitions.context import Context, Settled
from aethermind.definitions.drafts import Used, template_error
from aethermind.definitions.hints import show
from aethermind.definitions.inputs import read_inputs
from aethermind.definitions.nodes import Map, Node, Scalar, Seq, error
from aethermind.definitions.reading import read, refuse_odd
from aethermind.definitions.shapes import shape_of_schema
from aethermind.definitions.shorthand import Shorthand
from aethermind.definitions.steps import StepReader, check_size, finish, refuse_hidden
from aethermind.definitions.surface import AgentSurface, WorkflowSurface
from aethermind.definitions.tools import read_tools
from aethermind.domain.workflow import AgentDef, Budget, Retry, WorkflowDef

Json = Any

_AGENT = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
_OUTPUT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")


def build(root: Map, context: Context) -> WorkflowDef:
    """Raises `InvalidError` for the first thing that is wrong; what is only not there yet comes last."""
    refuse_odd(root)
    surface = read(WorkflowSurface, root, "the workflow")
    entries = root.entries
    _check_name(entries["name"], surface.name)
    context.shorthand = Shorthand(_map(entries.get("schemas")))
    context.shorthand.read_all()
    inputs_node = _map(entries.get("inputs"))
    inputs = read_inputs(inputs_node, context.shorthand) if inputs_node is not None else {}
    context.settled = _defaults(entries.get("defaults"), surface, context)
    agents, agent_templates = _agents(_map(entries.get("agents")), context)
    drafts = StepReader(context, agents).read_all(entries["steps"])
    refuse_hidden(drafts)
    references = References({name: shape_of_schema(d.schema) for name, d in inputs.items()}, drafts)
    for name, used in agent_templates:
        references.check_agent(used, name)
    references.check()
    references.check_outputs(_outputs(_map(entries.get("outputs"))))
    steps = tuple(finish(draft) for draft in drafts)
    check_size(steps, entries["steps"])
    return WorkflowDef(
        name=surface.name,
        description=surface.description,
        inputs=inputs,
        agents=agents,
        steps=steps,
        outputs=surface.outputs or {},
        budget=_budget(entries.get("budget"), surface),
        priority=surface.priority,
        max_concurrent=surface.max_concurrent,
        source=root.source.name,
    )


def _map(node: Node | None) -> Map | None:
    assert node is None or isinstance(node, Map)
    return node


def _check_name(node: Node, name: str) -> None:
    bad = next((c for c in name if not (unicodedata.category(c)[0] in "LMN" or c in " _-.")), None)
    if bad is not None or len(name) > 100 or name != name.strip() or name.startswith((".", "-")):
        raise error(
            node, f"`{show(name)}` cannot be a workflow's name", hint="letters, digits, spaces and _ - ."
        )


def _defaults(node: Node | None, surface: WorkflowSurface, context: Context) -> Settled:
    settled = Settled(
        timeout_ms=context.defaults.timeout_ms, retry=Retry(max_attempts=context.defaults.retries + 1)
    )
    if node is None or surface.defaults is None:
        return settled
    assert isinstance(node, Map)
    if "model" in node.entries:
        settled.models = context.models(node.entries["model"])
    settled.timeout_ms = context.timeout(node) or settled.timeout_ms
    if surface.defaults.retry is not None:
        body = node.entries["retry"]
        assert isinstance(body, Map)
        settled.retry = context.retry(body, surface.defaults.retry, settled.retry)
    settled.cache = context.cache(node)
    settings = node.entries.get("settings")
    settled.settings = settings_of(surface.defaults.settings, settings)
    settled.setting_places = places_of(settings)
    return settled


def _agents(node: Map | None, context: Context) -> tuple[dict[str, AgentDef], list[tuple[str, Used]]]:
    """The agents, and the templates in their instructions."""
    out: dict[str, AgentDef] = {}
    templates: list[tuple[str, Used]] = []
    if node is None:
        return out, templates
    for name, body in node.entries.items():
        if not _AGENT.match(name) or len(name) > 100:
            raise node.key_error(
                name, f"`{show(name)}` cannot be an agent's name", hint="letters, digits, _ and -"
            )
        surface = read(AgentSurface, body, f"agent `{name}`")
        assert isinstance(body, Map)
        instructions, parts = context.instructions(body.entries.get("instructions"))
        templates.extend((name, used) for part in parts if (used := _used(part)) is not None)
        retry = None
        if surface.retry is not None:
            retry_node = body.entries["retry"]
            assert isinstance(retry_node, Map)
            retry = context.retry(retry_node, surface.retry, context.settled.retry)
        settings = body.entries.get("settings")
        places = {**context.settled.setting_places, **places_of(settings)}
        context.agent_settings[name] = places
        agent = out[name] = AgentDef(
            name=name,
            description=surface.description,
            models=context.models(body.entries["model"])
            if "model" in body.entries
            else context.settled.models,
            instructions=instructions,
            settings={
                **context.settled.settings,
                **settings_of(surface.settings, settings),
            },
            tools=read_tools(context, body, f"agent `{name}`"),
            max_concurrent=surface.max_concurrent,
            retry=retry,
            timeout_ms=context.timeout(body),
            cache=context.cache(body),
        )
        context.check_settings(agent.models, agent.settings, places)
    return out, templates


def _used(node: Scalar) -> Used | None:
    try:
        found = uses(str(node.value))
    except BadTemplate as problem:
        raise template_error(node, problem) from None
    return Used(node, found, "body") if found.paths else None


def _outputs(node: Map | None) -> list[Used]:
    """The templates of `outputs:`."""
    if node is None:
        return []
    found: list[Used] = []

    def walk(inner: Node) -> None:
        if isinstance(inner, Scalar):
            if isinstance(inner.value, str) and (used := _used(inner)) is not None:
                found.append(used)
            return
        for child in inner.items if isinstance(inner, Seq) else inner.entries.values():
            walk(child)

    for name, child in node.entries.items():
        if not _OUTPUT.match(name):
            raise node.key_error(
                name, f"`{show(name)}` cannot be an output's name", hint="letters, digits, _ - and ."
            )
        walk(child)
    return found


def _budget(node: Node | None, surface: WorkflowSurface) -> Budget | None:
    if node is None or surface.budget is None:
        return None
    assert isinstance(node, Map)
    amount = node.entries["usd"]
    assert isinstance(amount, Scalar)
    try:
        micro_usd = units.micro_usd(amount.text)
    except ValueError as problem:
        raise error(amount, str(problem)) from None
    return Budget(micro_usd=micro_usd, on_exceed=surface.budget.on_exceed, unpriced=surface.budget.unpriced)
