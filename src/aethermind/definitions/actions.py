"""What a step does: the part of its record that its kind decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, cast

import msgspec

from aethermind.definitions import sim
from aethermind.definitions.context import Context
from aethermind.definitions.drafts import TEXT, StepDraft
from aethermind.definitions.hints import did_you_mean, show
from aethermind.definitions.lookup import has_tags
from aethermind.definitions.nodes import Map, Node, Scalar, error
from aethermind.definitions.shapes import shape_of_schema
from aethermind.definitions.surface import (
    ApprovalStep,
    AskStep,
    PromptStep,
    PythonStep,
    RunStep,
    SettingsSurface,
    WorkflowStep,
)
from aethermind.definitions.tools import read_tools
from aethermind.domain.workflow import (
    AgentDef,
    Ask,
    Command,
    Fail,
    Prompt,
    PythonCall,
    SubWorkflow,
    Value,
    may_be_left,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = Any


def fill_action(context: Context, draft: StepDraft, agents: Mapping[str, AgentDef]) -> None:
    """Set `action`, `shape` and the templates of a draft that is no group."""
    match draft.surface:
        case PromptStep() as surface:
            _prompt(context, draft, surface, agents)
        case RunStep() as surface:
            _run(context, draft, surface)
        case PythonStep() as surface:
            _python(context, draft, surface)
        case AskStep() as surface:
            _ask(context, draft, surface)
        case ApprovalStep() as surface:
            _approval(context, draft, surface)
        case WorkflowStep() as surface:
            _workflow(context, draft, surface)
        case _:
            _SIMPLE[draft.kind](draft, draft.node.entries[draft.kind])


def _value(draft: StepDraft, node: Node) -> None:
    draft.template(node)
    draft.action = Value(value=node.plain_data())
    if isinstance(node, Map):
        draft.shape = dict.fromkeys(node.entries)


def _fail(draft: StepDraft, node: Node) -> None:
    draft.template(node)
    draft.action = Fail(reason=str(node.plain_data()))


_SIMPLE: dict[str, Callable[[StepDraft, Node], None]] = {"value": _value, "fail": _fail}


def _output(context: Context, draft: StepDraft) -> dict[str, Json] | None:
    """The schema of `output:`; without one, a prompt or command gives text."""
    node = draft.node.entries.get("output")
    if node is None:
        draft.shape = None if draft.kind == "python" else TEXT
        return None
    schema = context.shorthand.read(node)
    draft.shape = shape_of_schema(schema)
    return schema


def _prompt(context: Context, draft: StepDraft, surface: PromptStep, agents: Mapping[str, AgentDef]) -> None:
    entries = draft.node.entries
    if surface.agent is not None and surface.agent not in agents:
        hint = did_you_mean(surface.agent, agents, label="agents") or "the file has no `agents:`"
        raise error(entries["agent"], f"there is no agent `{show(surface.agent)}`", hint=hint)
    template = context.prompt(entries["prompt"])
    draft.template(template)
    instructions, templates = context.instructions(entries.get("instructions"))
    for one in templates:
        draft.template(one)
    own = settings_of(surface.settings, entries.get("settings"))
    places = places_of(entries.get("settings"))
    models = context.models(entries["model"]) if "model" in entries else ()
    if surface.agent is None:
        own = {**context.settled.settings, **own}
        models = models or context.settled.models
        context.check_settings(models, own, {**context.settled.setting_places, **places})
    else:
        agent = agents[surface.agent]
        around = context.agent_settings.get(surface.agent, {})
        context.check_settings(models or agent.models, {**agent.settings, **own}, {**around, **places})
    draft.action = Prompt(
        template=str(template.value),
        agent=surface.agent,
        models=models,
        instructions=instructions,
        settings=own,
        tools=read_tools(context, draft.node, f"step `{draft.id}`"),
        output_schema=_output(context, draft),
    )


def settings_of(surface: SettingsSurface | None, node: Node | None) -> dict[str, Json]:
    """What is set, as plain values."""
    if surface is None or not isinstance(node, Map):
        return {}
    if "sim" in node.entries:
        sim.check_settings(node.entries["sim"])
    return {k: v for k, v in msgspec.to_builtins(surface).items() if v is not None}


def places_of(node: Node | None) -> dict[str, Map]:
    """Where each of these settings stands."""
    return dict.fromkeys(node.entries, node) if isinstance(node, Map) else {}


def _run(context: Context, draft: StepDraft, surface: RunStep) -> None:
    entries = draft.node.entries
    _child(context, draft, "run", "stdin")
    if not surface.run[0].strip():
        raise error(entries["run"], "the command's name is empty")
    context.needs_trust.append(f"step `{draft.id}` runs `{show(' '.join(surface.run), 80)}`")
    draft.action = Command(
        argv=tuple(surface.run),
        stdin=surface.stdin,
        cwd=surface.cwd,
        env=context.env(entries.get("env")),
        ok_codes=tuple(dict.fromkeys(surface.ok_codes or (0,))),
        output_schema=_output(context, draft),
    )


def _python(context: Context, draft: StepDraft, surface: PythonStep) -> None:
    entries = draft.node.entries
    _child(context, draft, "with")
    target = context.target(entries["python"])
    _check_arguments(entries.get("with"))
    context.needs_trust.append(f"step `{draft.id}` calls Python `{show(target, 80)}`")
    draft.action = PythonCall(
        target=target,
        arguments=surface.arguments or {},
        cwd=surface.cwd,
        env=context.env(entries.get("env")),
        output_schema=_output(context, draft),
    )


def _child(context: Context, draft: StepDraft, *keys: str) -> None:
    """Templates of a step that runs in a child process."""
    context.check_env_keys(draft.node.entries.get("env"))
    for key in (*keys, "cwd", "env"):
        node = draft.node.entries.get(key)
        if node is not None:
            draft.template(node)


def _check_arguments(node: Node | None) -> None:
    if isinstance(node, Map):
        for name in node.entries:
            if not name.isidentifier():
                raise node.key_error(name, f"`{show(name)}` cannot be a keyword argument")


def _ask(context: Context, draft: StepDraft, surface: AskStep) -> None:
    body = cast("Map", draft.node.entries["ask"])
    fields: dict[str, dict[str, Json]] = {}
    node = body.entries.get("fields")
    if isinstance(node, Map):
        for name, child in node.entries.items():
            if not name.isidentifier() or name in {"by", "at"}:
                raise node.key_error(
                    name,
                    f"`{show(name)}` cannot be the name of an answer",
                    hint="letters, digits and _; not by, at",
                )
            fields[name] = context.shorthand.read(child)
    _question(draft, body)
    action = draft.action = Ask(
        message=surface.ask.message,
        show=surface.ask.show,
        fields=fields,
        timeout_ms=context.timeout(body),
        on_timeout=surface.ask.on_timeout,
    )
    if action.on_timeout == "default":
        for name, schema in action.questions.items():
            if not may_be_left(schema):
                where = node.entries[name] if isinstance(node, Map) else body.entries["on_timeout"]
                raise error(
                    where,
                    f"`{show(name)}` has no default for `on_timeout: default`",
                    hint=f"write fields: {{{show(name)}: {{type: …, default: …}}}}",
                )
    answers = {name: shape_of_schema(schema) for name, schema in action.questions.items()}
    draft.shape = {**answers, "by": TEXT, "at": None}


def _approval(context: Context, draft: StepDraft, surface: ApprovalStep) -> None:
    body = cast("Map", draft.node.entries["approval"])
    _question(draft, body)
    draft.action = Ask(
        message=surface.approval.message,
        show=surface.approval.show,
        timeout_ms=context.timeout(body),
        on_timeout=surface.approval.on_timeout,
        approval=True,
    )


def _question(draft: StepDraft, body: Map) -> None:
    for key in ("message", "show"):
        if key in body.entries:
            draft.template(body.entries[key])


def _workflow(context: Context, draft: StepDraft, surface: WorkflowStep) -> None:
    entries = draft.node.entries
    place = entries["workflow"]
    assert isinstance(place, Scalar)
    if has_tags(surface.workflow):
        raise error(place, "the file of a workflow cannot be a template")
    if context.load_other is None:
        raise error(place, "a workflow that is no file cannot include another")
    other = context.load_other(place)
    if at_the_end := [step.id for step in other.definition.steps if step.always]:
        raise error(
            place,
            f"`{show(other.definition.name)}` has an `always` step, `{at_the_end[0]}`",
            hint="these run only in a workflow that runs by itself",
        )
    arguments = entries.get("with")
    given = arguments.entries if isinstance(arguments, Map) else {}
    for name in given:
        if name not in other.definition.inputs:
            assert isinstance(arguments, Map)
            hint = did_you_mean(name, other.definition.inputs, label="inputs") or "it has no inputs"
            raise arguments.key_error(
                name, f"`{show(other.definition.name)}` has no input `{show(name)}`", hint=hint
            )
    missing = [n for n, d in other.definition.inputs.items() if d.required and n not in given]
    if missing:
        raise error(
            arguments or place,
            f"`{show(other.definition.name)}` needs `{missing[0]}`",
            hint=f"with: {{{missing[0]}: …}}",
        )
    if arguments is not None:
        draft.template(arguments)
    context.needs_trust.extend(f"{line} (of {show(surface.workflow)})" for line in other.needs_trust)
    context.env_names.update(dict.fromkeys(other.env_names))
    draft.shape = dict.fromkeys(other.definition.outputs) or None
    draft.action = SubWorkflow(workflow=other.definition, arguments=surface.arguments or {})


def check_save(draft: StepDraft) -> str | None:
    """`save:`: a path below the working directory, as far as that can be seen before it is rendered."""
    node = draft.node.entries.get("save")
    if node is None:
        return None
    draft.template(node)
    path = str(node.plain_data())
    parts = PurePosixPath(path).parts
    if path.startswith(("/", "~")) or ".." in parts:
        raise error(
            node,
            f"`save` leads outside the working directory: {show(path)}",
            hint="a path below it: out/brief.md",
        )
    if path.endswith("/"):
        raise error(node, "`save` names a directory", hint="add the name of a file")
    return path
