"""What people do to runs."""

from __future__ import annotations

from typing import Any

from litestar import post

from aethermind.api import bodies
from aethermind.api.answers import DONE, Answer, Asked, gives, json, who
from aethermind.api.room import Room
from aethermind.api.shapes import Id, Kept, Nothing
from aethermind.engine.registered import check_workflow

OPERATOR = {"scope": "operator"}
OK: dict[str, Any] = {
    "status_code": 200,
    "responses": gives(Nothing, "It is recorded."),
    "opt": OPERATOR,
    "tags": ["acts"],
}


def routes(room: Room) -> list[Any]:
    ask = room.engine.ask

    @post("/api/runs/{run_id:str}/cancel", **OK)
    async def cancel(request: Asked, run_id: str, data: bodies.Cancel) -> Answer:
        """Cancel a run, or one step and what hangs on it."""
        by = who(request).by
        await ask(lambda client: client.cancel(run_id, step=data.step, by=by, reason=data.reason))
        return json(DONE)

    @post("/api/runs/{run_id:str}/pause", **OK)
    async def pause(request: Asked, run_id: str) -> Answer:
        """Start nothing new in this run."""
        by = who(request).by
        await ask(lambda client: client.pause(run_id, by=by))
        return json(DONE)

    @post("/api/runs/{run_id:str}/resume", **OK)
    async def resume(request: Asked, run_id: str, data: bodies.Resume) -> Answer:
        """Go on with a paused or interrupted run."""
        by = who(request).by
        await ask(lambda client: client.resume(run_id, by=by, env=data.env))
        return json(DONE)

    @post("/api/runs/{run_id:str}/retry", **OK)
    async def retry(request: Asked, run_id: str, data: bodies.Retry) -> Answer:
        """Reopen a finished run from its failed steps, or from those that are named."""
        by = who(request).by
        await ask(lambda client: client.retry(run_id, steps=tuple(data.steps), by=by, env=data.env))
        return json(DONE)

    @post("/api/runs/{run_id:str}/answer", **OK)
    async def answer(request: Asked, run_id: str, data: bodies.Answer) -> Answer:
        """Decide what a step waits for. The same decision again is fine, another one is refused."""
        by = who(request).by
        await ask(lambda client: client.answer(run_id, data.step, data.values, by=by))
        return json(DONE)

    @post("/api/runs/{run_id:str}/budget", **OK)
    async def budget(request: Asked, run_id: str, data: bodies.Budget) -> Answer:
        """Set what the run may spend."""
        by = who(request).by
        await ask(lambda client: client.raise_budget(run_id, data.micro_usd, by=by))
        return json(DONE)

    @post(
        "/api/runs/{run_id:str}/fork",
        status_code=201,
        responses=gives(Id, "The new run.", 201),
        opt=OPERATOR,
        tags=["acts"],
    )
    async def fork(request: Asked, run_id: str, data: bodies.Fork) -> Answer:
        """A new run that takes over what succeeded and is not downstream of a step. A definition of one's own
        needs an admin."""
        identity = who(request)
        if data.definition is not None:
            needs_admin(identity.scope)
            check_workflow(data.definition)
        forked = await ask(
            lambda client: client.fork(
                run_id,
                data.at,
                definition=data.definition,
                inputs=data.inputs,
                outputs=data.outputs,
                model=data.model,
                budget_micro_usd=data.budget_micro_usd,
                env=data.env,
                by=identity.by,
            )
        )
        return json({"id": forked}, 201)

    @post(
        "/api/runs/{run_id:str}/edited",
        status_code=200,
        responses=gives(Kept, "Steps that it would keep."),
        opt=OPERATOR,
        tags=["acts"],
    )
    async def edited(run_id: str, data: bodies.Edited) -> Answer:
        """What the run would keep if it adopted this definition; nothing is changed."""
        check_workflow(data.definition)
        kept = await ask(lambda client: client.edited(run_id, data.definition))
        return json({"kept": list(kept)})

    @post(
        "/api/runs/{run_id:str}/resume-edited",
        status_code=200,
        responses=gives(Nothing, "It is recorded."),
        tags=["acts"],
    )
    async def resume_edited(request: Asked, run_id: str, data: bodies.ResumeEdited) -> Answer:
        """Adopt an edited definition and go on."""
        check_workflow(data.definition)
        by = who(request).by
        await ask(
            lambda client: client.resume_edited(
                run_id,
                data.definition,
                by=by,
                env=data.env,
                source_hash=data.source_hash,
                env_names=tuple(data.env_names),
            )
        )
        return json(DONE)

    return [cancel, pause, resume, retry, answer, budget, fork, edited, resume_edited]


def needs_admin(scope: str) -> None:
    """Raises `Refused`: a definition may start programs."""
    from aethermind.api.problems import Refused

    if scope != "admin":
        raise Refused(403, f"the scope {scope} does not go so far: this needs admin")
