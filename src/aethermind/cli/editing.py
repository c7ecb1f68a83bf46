"""An edited file under a run that is there already: what stays done, what runs, and how it goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

from aethermind import bootstrap
from aethermind.cli import consent, sources, streams
from aethermind.cli.session import user
from aethermind.definitions.edited import done
from aethermind.definitions.loader import LoadedWorkflow
from aethermind.domain.errors import InvalidError
from aethermind.domain.run import Run
from aethermind.domain.workflow import WorkflowDef
from aethermind.engine.client import Client, RunRequest
from aethermind.engine.hosting import EngineThread
from aethermind.infra.sanitize import clean_line

Json = Any
Asked = Callable[[Client], Awaitable[object]]
NAMED = 12
"""Steps that are named in one line."""


def adopting(
    engine: EngineThread,
    composition: bootstrap.Composition,
    run: Run,
    loaded: LoadedWorkflow,
    *,
    overrides: Mapping[str, str],
    trust: bool,
    quiet: bool,
) -> Asked | None:
    """What to ask of the client so that the run goes on with this file; None if nothing in it has changed.
    Says what stays and what runs. Raises `DeniedError` (not trusted), `InvalidError`.
    """
    if sources.unchanged(run, loaded, overrides):
        if not quiet:
            streams.note("the file has not changed")
        return None
    if fresh := sources.new_inputs(run, loaded.definition):
        given = " ".join(f"-i {name}=…" for name in fresh)
        raise InvalidError(
            f"the edited file has an input that run {run.id} has no value for: {', '.join(fresh)}",
            hint=f"aethermind fork {run.id} --at STEP --edited {given}",
        )
    sources.inputs_for(run, loaded.definition, {})
    consent.check_trust(engine, composition, loaded, trust=trust)
    kept = engine.call(lambda client: client.edited(run.id, loaded.definition)).result()
    if not quiet:
        tell(loaded.definition, done(run, kept))
    env = environment(composition, run, loaded)

    async def adopt(client: Client) -> None:
        await client.resume_edited(
            run.id,
            loaded.definition,
            by=user(),
            env=env,
            source_hash=loaded.content_hash or None,
            env_names=loaded.env_names,
        )

    return adopt


def tell(definition: WorkflowDef, stays: Collection[str], *, fork_of: str | None = None) -> None:
    """`keeps a, b; runs c, d, e` on stderr; `fork of r_…: takes over a, b; runs c, d, e` for a new run."""
    kept = [step.id for step in definition.steps if step.id in stays]
    rest = [step.id for step in definition.steps if step.id not in stays]
    lead = "keeps" if fork_of is None else f"fork of {fork_of}: takes over"
    streams.note(clean_line(f"{lead} {named(kept)}; runs {named(rest)}"))


def named(steps: Sequence[str]) -> str:
    if not steps:
        return "nothing"
    more = f" and {len(steps) - NAMED} more" if len(steps) > NAMED else ""
    return ", ".join(steps[:NAMED]) + more


def environment(composition: bootstrap.Composition, run: Run, loaded: LoadedWorkflow) -> dict[str, str]:
    """What the run takes from the environment, and what the edited file takes besides."""
    names = dict.fromkeys((*run.env_names, *loaded.env_names))
    return bootstrap.environment(composition, tuple(names))


def fork_request(
    composition: bootstrap.Composition,
    run: Run,
    loaded: LoadedWorkflow,
    inputs: Mapping[str, Json],
    adopted: Mapping[str, Json],
    *,
    model: str | None = None,
    budget_micro_usd: int | None = None,
) -> RunRequest:
    """A new run of this file where the old one ran, which takes over these outputs of its steps."""
    import msgspec

    created = run.created
    request = bootstrap.submission(
        composition,
        loaded,
        inputs,
        cwd=created.submitter.cwd,
        sim=created.simulated,
        model=model,
        budget_micro_usd=budget_micro_usd,
        priority=created.priority,
        limit=created.limit,
    )
    return msgspec.structs.replace(request, forked_from=run.id, adopted=dict(adopted), tags=created.tags)
