"""Running again what was saved: while a run's file is watched, each edit that fits goes on with the run.

Rules
- It is content that is compared: a file that is touched, or saved as it was, changes nothing.
- An edit of the workflow goes on with the same run (`Client.resume_edited`). What a run can't change any
  more, its script of simulated replies, makes a new run that takes over what is done.
- While the run is being driven, an edit waits for its end. Nothing is started that was not trusted.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from aethermind.definitions.saved import changed_replies, downstream, files_of, places
from aethermind.domain.errors import AethermindError, InvalidError
from aethermind.domain.state import FINISHED_RUN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from aethermind.definitions.loader import LoadedWorkflow
    from aethermind.domain.run import Run
    from aethermind.tui.context import Context

POLL_S = 0.5
STILL = FINISHED_RUN | {"interrupted", "parked"}
"""Nobody drives runs of these statuses."""


class Watching:
    """One file and its newest run. `check` is one look; `until_stopped` looks again and again."""

    def __init__(self, context: Context, run: Run, loaded: LoadedWorkflow, *, due: bool = False) -> None:
        assert loaded.path is not None
        self._context = context
        self.run_id = run.id
        self.path = loaded.path
        self._files = files_of(loaded)
        self._due = due
        """Something was saved that has not been looked into yet."""
        self._told = ""
        self.stopped = False

    @property
    def name(self) -> str:
        return Path(self.path).name

    async def until_stopped(self) -> None:
        while not self.stopped:
            await self.check()
            await asyncio.sleep(POLL_S)

    async def check(self) -> None:
        """Take in what was saved since, and run it as soon as nobody drives the run."""
        if await asyncio.to_thread(self._files.changed):
            self._due = True
        if not self._due or self._status() not in STILL:
            return
        self._due = False
        try:
            await self._round()
        except AethermindError as error:
            self._complain(error)

    def _status(self) -> str:
        item = next((item for item in self._context.main.runs if item.id == self.run_id), None)
        return item.status if item is not None else "running"

    def _complain(self, error: AethermindError) -> None:
        if (line := error.line()) != self._told:
            self._told = line
            self._context.toast(line, "warning")

    async def _round(self) -> None:
        context = self._context
        run = await context.engine.ask(lambda client: client.run(self.run_id))
        try:
            loaded = await asyncio.to_thread(read, context, run)
        except AethermindError as error:
            self._files.add(places(error, self.path, run.created.submitter.cwd))
            raise
        self._files = files_of(loaded)
        self._told = ""
        if await self._run(run, loaded):
            context.main.open_run(self.run_id)
            self._clear()

    def _clear(self) -> None:
        """The card of the run's end tells of what is over."""
        from aethermind.tui.screens.card import CardScreen

        screen = self._context.app.screen
        if isinstance(screen, CardScreen):
            screen.answer(None)

    async def _run(self, run: Run, loaded: LoadedWorkflow) -> bool:
        """Go on with the edited file; False if nothing runs."""
        from aethermind.definitions.edited import inputs_for, new_inputs, same
        from aethermind.tui.screens.trusting import trusted

        context, definition = self._context, loaded.definition
        replies = changed_replies(run.created.sim, loaded.sim) if run.created.simulated else set()
        if not replies and same(run.definition, definition):
            context.toast(f"{self.name} saved: nothing that this run does has changed")
            return False
        if fresh := new_inputs(run, definition):
            required = [name for name in fresh if definition.inputs[name].required]
            if required:
                raise InvalidError(
                    f"the edited file has a new input: {', '.join(required)}", hint="r starts it"
                )
        inputs = inputs_for(run, definition, {})
        if not await trusted(context, loaded):
            context.toast(f"{self.name} was not trusted: it does not run", "warning")
            return False
        kept = await context.engine.ask(lambda client: client.edited(run.id, definition))
        if replies or fresh:
            self.run_id = await self._fork(run, loaded, inputs, kept, downstream(definition, replies))
        else:
            await self._adopt(run, loaded)
        count = len(definition.steps)
        context.toast(f"{self.name} saved: what changed runs, {len(kept)} of {count} steps stay")
        return True

    async def _adopt(self, run: Run, loaded: LoadedWorkflow) -> None:
        from aethermind import bootstrap
        from aethermind.tui.actions.target import by

        context = self._context
        names = tuple(dict.fromkeys((*run.env_names, *loaded.env_names)))
        env = bootstrap.environment(context.composition, names)
        await context.engine.ask(
            lambda client: client.resume_edited(
                run.id,
                loaded.definition,
                by=by(context),
                env=env,
                source_hash=loaded.content_hash or None,
                env_names=loaded.env_names,
            )
        )

    async def _fork(
        self,
        run: Run,
        loaded: LoadedWorkflow,
        inputs: Mapping[str, Any],
        kept: tuple[str, ...],
        again: set[str],
    ) -> str:
        """A new run of the file, which takes over what is done and not concerned."""
        import msgspec

        from aethermind import bootstrap
        from aethermind.definitions.edited import done

        created = run.created
        adopted = {
            name: run.nodes[name].output
            for name in done(run, kept)
            if name not in again and run.nodes[name].status == "succeeded"
        }
        request = msgspec.structs.replace(
            bootstrap.submission(
                self._context.composition,
                loaded,
                inputs,
                cwd=created.submitter.cwd,
                sim=created.simulated,
                budget_micro_usd=run.budget_micro_usd,
                priority=created.priority,
                limit=created.limit,
                origin="tui",
            ),
            forked_from=run.id,
            adopted=adopted,
            tags=created.tags,
        )
        return await self._context.engine.ask(lambda client: client.start_run(request))


def read(context: Context, run: Run) -> LoadedWorkflow:
    """The run's file as it is now. Raises `NotFoundError`, `InvalidError`."""
    from aethermind import bootstrap

    source = run.created.source
    if source is None:
        raise InvalidError("this run was not started from a file")
    return bootstrap.load_workflow(context.composition, source, cwd=run.created.submitter.cwd)


async def watch(context: Context, run_id: str) -> Watching:
    """Begin to watch this run's file. Whatever was watched before is left. An edit since the run was made
    counts as saved. Raises `NotFoundError`, `InvalidError`.
    """
    run = await context.engine.ask(lambda client: client.run(run_id))
    loaded = await asyncio.to_thread(read, context, run)
    stop(context)
    edited = run.source_hash is not None and run.source_hash != loaded.content_hash
    watching = Watching(context, run, loaded, due=edited)
    context.app.comfort.watching = watching
    _ = context.app.run_worker(
        watching.until_stopped(), group="watching", exclusive=True, exit_on_error=False
    )
    return watching


def stop(context: Context) -> Watching | None:
    """Watch no longer; returns what was watched."""
    comfort = context.app.comfort
    watching, comfort.watching = comfort.watching, None
    if watching is not None:
        watching.stopped = True
    return watching
