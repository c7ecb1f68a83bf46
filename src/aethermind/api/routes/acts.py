"""What people do to runs."""

from __future__ import annotations

from aethermind.api import bodies
from aethermind.api.executing import check_model, env_of, needs_admin
from aethermind.api.room import Room
from aethermind.api.route import DONE, Answer, Asked, Routes, json
from aethermind.api.shapes import Id, Kept, Nothing
from aethermind.engine.registered import check_workflow


def routes(room: Room) -> Routes:
    on, ask = Routes("acts"), room.ask

    @on.post("/api/runs/{run_id}/cancel", Nothing, "It is recorded.", needs="operator")
    async def cancel(asked: Asked, run_id: str, data: bodies.Cancel) -> Answer:
        """Cancel a run, or one step and what hangs on it."""
        await ask(lambda client: client.cancel(run_id, step=data.step, by=asked.by, reason=data.reason))
        return json(DONE)

    @on.post("/api/runs/{run_id}/pause", Nothing, "It is recorded.", needs="operator")
    async def pause(asked: Asked, run_id: str) -> Answer:
        """Start nothing new in this run."""
        await ask(lambda client: client.pause(run_id, by=asked.by))
        return json(DONE)

    @on.post("/api/runs/{run_id}/resume", Nothing, "It is recorded.", needs="operator")
    async def resume(asked: Asked, run_id: str, data: bodies.Resume) -> Answer:
        """Go on with a paused or interrupted run."""
        env = env_of(asked, data.env)
        await ask(lambda client: client.resume(run_id, by=asked.by, env=env))
        return json(DONE)

    @on.post("/api/runs/{run_id}/retry", Nothing, "It is recorded.", needs="operator")
    async def retry(asked: Asked, run_id: str, data: bodies.Retry) -> Answer:
        """Reopen a finished run from its failed steps, or from those that are named."""
        env = env_of(asked, data.env)
        await ask(lambda client: client.retry(run_id, steps=tuple(data.steps), by=asked.by, env=env))
        return json(DONE)

    @on.post("/api/runs/{run_id}/answer", Nothing, "It is recorded.", needs="operator")
    async def answer(asked: Asked, run_id: str, data: bodies.Answer) -> Answer:
        """Decide what a step waits for. The same decision again is fine, another one is refused."""
        await ask(lambda client: client.answer(run_id, data.step, data.values, by=asked.by))
        return json(DONE)

    @on.post("/api/runs/{run_id}/budget", Nothing, "It is recorded.", needs="operator")
    async def budget(asked: Asked, run_id: str, data: bodies.Budget) -> Answer:
        """Set what the run may spend."""
        await ask(lambda client: client.raise_budget(run_id, data.micro_usd, by=asked.by))
        return json(DONE)

    @on.post("/api/runs/{run_id}/fork", Id, "The new run.", status=201, needs="operator")
    async def fork(asked: Asked, run_id: str, data: bodies.Fork) -> Answer:
        """A new run that takes over what succeeded and is not downstream of a step. A definition of one's own
        needs an admin."""
        if data.definition is not None:
            needs_admin(asked)
            check_workflow(data.definition)
        check_model(room, asked, data.model)
        env = env_of(asked, data.env)
        forked = await ask(
            lambda client: client.fork(
                run_id,
                data.at,
                definition=data.definition,
                inputs=data.inputs,
                outputs=data.outputs,
                model=data.model,
                budget_micro_usd=data.budget_micro_usd,
                env=env,
                by=asked.by,
            )
        )
        return json({"id": forked}, 201)

    @on.post("/api/runs/{run_id}/edited", Kept, "Steps that it would keep.", needs="operator")
    async def edited(run_id: str, data: bodies.Edited) -> Answer:
        """What the run would keep if it adopted this definition; nothing is changed."""
        check_workflow(data.definition)
        kept = await ask(lambda client: client.edited(run_id, data.definition))
        return json({"kept": list(kept)})

    @on.post("/api/runs/{run_id}/resume-edited", Nothing, "It is recorded.")
    async def resume_edited(asked: Asked, run_id: str, data: bodies.ResumeEdited) -> Answer:
        """Adopt an edited definition and go on."""
        check_workflow(data.definition)
        await ask(
            lambda client: client.resume_edited(
                run_id,
                data.definition,
                by=asked.by,
                env=data.env,
                source_hash=data.source_hash,
                env_names=tuple(data.env_names),
            )
        )
        return json(DONE)

    return on
