"""One life of the crash bench's engine: starts or resumes the run and is killed in the middle of it.

    python -m bench.crash.host DIRECTORY LIFE [RUN]

Every step appends `LIFE STEP` to `effects` when it acts. What the feed says is recorded is printed, so that
the parent knows what was acknowledged before the kill: `run ID`, `done STEP`, `end STATUS`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from aethermind import AgentRuntime, StepContext
from aethermind.domain import events as e
from aethermind.domain.events import Submitter
from aethermind.domain.workflow import Command, Function, Repeat, Retry, StepDef, Value, WorkflowDef
from aethermind.engine.client import FeedItem, RunRequest

PROGRAM = 'echo "$LIFE $0" >> effects; echo $$ >> pids; sleep 0.02; echo $0'
"""A real child that leaves an effect and its pid behind."""


def definition() -> WorkflowDef:
    """Forty-odd steps: a chain, a fan-out, a repeat, commands, values, a flaky step."""
    effect = Function(name="effect")
    chain = [StepDef(id=f"s{n}", action=effect, depends_on=(f"s{n - 1}",) if n else ()) for n in range(16)]
    unfolding = [
        StepDef(id="fan", action=effect, for_each=list(range(12)), max_parallel=4, depends_on=("s2",)),
        StepDef(id="loop", action=effect, repeat=Repeat(max=4), depends_on=("s4",)),
        StepDef(
            id="flaky",
            action=Function(name="flaky"),
            retry=Retry(max_attempts=3, backoff_ms=5),
            depends_on=("s5",),
        ),
        StepDef(id="value", action=Value(value="{{ s3 }}"), references=("s3",)),
    ]
    commands = [
        StepDef(
            id=f"c{n}",
            action=Command(argv=("sh", "-c", PROGRAM, f"c{n}"), env={"LIFE": "$LIFE"}),
            depends_on=(f"s{4 * n + 1}",),
            on_in_doubt="retry",
        )
        for n in range(3)
    ]
    return WorkflowDef(name="crash", steps=(*chain, *unfolding, *commands))


async def main(directory: Path, life: str, run_id: str | None) -> None:
    os.chdir(directory)
    effects = os.open("effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def effect(ctx: StepContext) -> str:
        os.write(effects, f"{life} {ctx.step}\n".encode())
        await asyncio.sleep(0.002)
        return "x" * 100

    async def flaky(ctx: StepContext) -> int:
        os.write(effects, f"{life} {ctx.step}\n".encode())
        if ctx.attempt == 1:
            raise RuntimeError("the first try fails")
        return ctx.attempt

    async with AgentRuntime("crash.db") as runtime:
        engine = runtime.engine
        engine.register("effect", effect)
        engine.register("flaky", flaky)
        telling = asyncio.create_task(tell(engine.feed.follow(after=await engine.store.last_seq())))
        await asyncio.sleep(0)
        env = {"LIFE": life}
        if run_id is None:
            request = RunRequest(
                definition=definition(),
                inputs={},
                submitter=Submitter(
                    user="bench", cwd=str(directory), interpreter=sys.executable, env_names=("LIFE",)
                ),
                env=env,
            )
            run_id = await runtime.client.start_run(request)
        else:
            await runtime.client.resume(run_id, env=env)
        run = await runtime.client.wait(run_id)
        print(f"end {run.status}", flush=True)
        telling.cancel()


async def tell(feed: object) -> None:
    async for item in feed:  # type: ignore[attr-defined]  # the feed of the engine
        _tell(item)


def _tell(item: FeedItem) -> None:
    if not isinstance(item, e.Recorded):
        return
    if isinstance(item.event, e.RunCreated):
        print(f"run {item.stream.removeprefix('run/')}", flush=True)
    elif isinstance(item.event, e.AttemptSucceeded):
        print(f"done {item.event.step}", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else None))
