"""`aethermind fork`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from aethermind import bootstrap
from aethermind.cli import consent, editing, imported, sources, streams
from aethermind.cli.detaching import detaching, leave, refuse_views
from aethermind.cli.follow import follow
from aethermind.cli.inputs import from_pairs
from aethermind.cli.options import Given, dollars, setting, verb, viewing
from aethermind.cli.resume import engine_for
from aethermind.cli.session import compose, user
from aethermind.definitions.hints import did_you_mean
from aethermind.definitions.inputs import describe_type
from aethermind.definitions.loader import LoadedWorkflow
from aethermind.definitions.schemas import first_problem
from aethermind.domain.errors import DeniedError, InvalidError, NotFoundError
from aethermind.domain.run import Run
from aethermind.domain.workflow import (
    Ask,
    Command,
    Group,
    Prompt,
    PythonCall,
    StepDef,
    SubWorkflow,
    WorkflowDef,
)
from aethermind.engine import adoption
from aethermind.engine.hosting import EngineThread
from aethermind.infra.sanitize import clean_line

Json = Any


@verb("fork")
@click.argument("run")
@click.option(
    "--at", "step", required=True, metavar="STEP", help="This step runs again, and what follows from it."
)
@click.option("-i", "--input", "pairs", multiple=True, metavar="K=V|K=@F|K=-", help="Another input.")
@setting
@click.option("--model", metavar="MODEL", help="This model for every agent: an alias or provider:model.")
@click.option(
    "--output",
    "given_outputs",
    multiple=True,
    metavar="STEP=V|STEP=@F|STEP=-",
    help="Take this as the step's output; it does not run.",
)
@click.option("--budget", callback=dollars, metavar="USD", help="Spend no more than this.")
@click.option("--edited", is_flag=True, help="With the file as it is now.")
@click.option("--trust", is_flag=True, help="The edited file may start programs, this time.")
@click.option("-y", "--yes", is_flag=True, help="Also of a run that was imported: it may start programs.")
@detaching
@viewing
@click.pass_obj
def command(
    given: Given,
    run: str,
    step: str,
    pairs: tuple[str, ...],
    overrides: dict[str, str],
    model: str | None,
    given_outputs: tuple[str, ...],
    budget: int | None,
    edited: bool,
    trust: bool,
    yes: bool,
    detach: bool,
    plain: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """A new run that takes over what RUN has done, at no cost, except STEP and what follows from it.

    Its budget is its own. The working directory is not wound back.
    """
    refuse_views(detach, plain=plain)
    composition = compose(given)
    with engine_for(composition, run, yes=yes) as (engine, found):
        if not imported.may_go_on(engine, found, yes=yes):
            raise DeniedError(
                f"run {found.id} was imported: a fork starts its programs and calls its models here",
                hint="--yes allows it",
            )
        loaded = sources.reload(composition, found, overrides) if edited or overrides else None
        definition = loaded.definition if loaded is not None else found.definition
        outputs = outputs_of(definition, given_outputs)
        inputs = sources.inputs_for(found, definition, from_pairs(pairs))
        if loaded is None:
            env = bootstrap.environment(composition, found.env_names)
            run_id = engine.call(
                lambda client: client.fork(
                    found.id,
                    step,
                    inputs=inputs,
                    outputs=outputs,
                    model=model,
                    budget_micro_usd=budget,
                    env=env,
                    by=user(),
                )
            ).result()
        else:
            adopted = adoption.adopted(found, definition, step, outputs)
            _check(engine, composition, found, loaded, edited=edited, trust=trust)
            request = editing.fork_request(
                composition, found, loaded, inputs, adopted, model=model, budget_micro_usd=budget
            )
            run_id = engine.call(lambda client: client.start_run(request)).result()
        if not quiet:
            _tell(engine, found, run_id, outputs)
        if detach:
            return leave(engine, run_id, quiet=quiet, as_json=as_json)
        return follow(engine, run_id, plain=plain, quiet=quiet, as_json=as_json)


def _check(
    engine: EngineThread,
    composition: bootstrap.Composition,
    run: Run,
    loaded: LoadedWorkflow,
    *,
    edited: bool,
    trust: bool,
) -> None:
    consent.check_trust(engine, composition, loaded, trust=trust)
    if not edited and sources.has_changed(composition, run):
        streams.note("the file has changed since, and --set reads it again: its edits are in this run, too")


def _tell(engine: EngineThread, old: Run, run_id: str, outputs: dict[str, Json]) -> None:
    """What the new run takes over; and what of that has changed all the same."""
    new = engine.call(lambda client: client.run(run_id)).result()
    adopted = new.created.adopted
    editing.tell(new.definition, adopted, fork_of=old.id)
    same = adoption.kept(old.definition, new.definition)
    steps = {step.id for step in old.definition.steps}
    if stale := [name for name in adopted if name not in same and name in steps and name not in outputs]:
        streams.note(
            clean_line(f"changed, and taken over as it was: {editing.named(stale)} (--at runs it again)")
        )


def outputs_of(definition: WorkflowDef, pairs: Sequence[str]) -> dict[str, Json]:
    """`STEP=VALUE|@FILE|-` → outputs of root steps, of the type that they have. Raises `InvalidError`,
    `NotFoundError`.
    """
    for pair in pairs:
        if not pair.partition("=")[1] or pair.startswith("="):
            raise InvalidError(f"--output {pair!r}", hint="write step=value, step=@file or step=-")
    steps = {step.id: step for step in definition.steps}
    found: dict[str, Json] = {}
    for name, text in from_pairs(pairs).items():
        if name not in steps:
            raise NotFoundError(
                f"there is no step {name!r} to give an output", hint=did_you_mean(name, steps, label="steps")
            )
        found[name] = _typed(name, text, output_schema(steps[name]))
    return found


def output_schema(step: StepDef) -> dict[str, Json]:
    """What a step's output is, as far as its definition says; {}: anything."""
    if step.for_each is not None:
        return {"type": "array"}
    match step.action:
        case Prompt(output_schema=schema) | Command(output_schema=schema):
            return schema or {"type": "string"}
        case PythonCall(output_schema=schema):
            return schema or {}
        case Ask() | Group() | SubWorkflow():
            return {"type": "object"}
        case _:
            return {}


def _typed(name: str, text: str, schema: dict[str, Json]) -> Json:
    if schema.get("type") == "string":
        return text
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if not schema:
            return text
        if schema.get("type") in {"array", "object"}:
            raise InvalidError(
                f"--output {name}: this is no JSON", hint=f"it is {describe_type(schema)}"
            ) from None
        value = text
    problem = first_problem(value, schema) if schema else None
    if problem is not None:
        raise InvalidError(
            f"--output {name}: {problem.removeprefix('$: ')}", hint=f"it is {describe_type(schema)}"
        )
    return value
