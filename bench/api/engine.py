"""The engine that is measured: a database of its own, functions that beat, and the API before it.

Started by `bench.api`; says where it listens in one line of JSON and obeys lines on stdin:
`run BEATS PAUSE_MS` starts a run and says how long it took; the end of stdin ends it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from aethermind import bootstrap
from aethermind.api.settings import ServerSettings
from aethermind.domain.events import Submitter
from aethermind.domain.workflow import Function, StepDef, WorkflowDef
from aethermind.engine.client import RunRequest
from aethermind.engine.context import StepContext


async def beat(ctx: StepContext) -> int:
    """One log record each so often, as a run of many short steps would record them."""
    beats, pause_ms = ctx.inputs["beats"], ctx.inputs["pause_ms"]
    for n in range(beats):
        await asyncio.sleep(pause_ms / 1000)
        ctx.log(f"beat {n} of {beats}: nothing else to say about it, and yet a line of the usual length")
    return int(beats)


def request(beats: int, pause_ms: float) -> RunRequest:
    return RunRequest(
        definition=WorkflowDef(
            name="beats", steps=(StepDef(id="beat", action=Function(name="beat"), timeout_ms=None),)
        ),
        inputs={"beats": beats, "pause_ms": pause_ms},
        submitter=Submitter(user="bench", cwd="/", interpreter=sys.executable),
    )


def main(home: str) -> None:
    import resource

    resource.setrlimit(
        resource.RLIMIT_NOFILE, (min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 8_192),) * 2
    )
    composition = bootstrap.load(bootstrap.Options(home=Path(home)))
    engine = bootstrap.engine_thread(composition, functions={"beat": beat})
    engine.start()
    server = bootstrap.listen(composition, engine, tcp=("127.0.0.1", 0), settings=ServerSettings())
    token = engine.call(lambda client: client.create_token("bench", scope="admin", by="bench")).result()
    assert server.tcp is not None
    print(json.dumps({"port": server.tcp[1], "token": token.token}), flush=True)
    for line in sys.stdin:
        words = line.split()
        asked = request(int(words[1]), float(words[2]))
        began = time.monotonic()
        run_id = engine.call(lambda client, asked=asked: client.start_run(asked)).result()  # type: ignore[misc]  # a default binds the loop's value
        print(json.dumps({"id": run_id}), flush=True)
        engine.call(lambda client, run_id=run_id: client.wait(run_id)).result()  # type: ignore[misc]  # as above
        print(json.dumps({"took_s": time.monotonic() - began, "watching": server.watching}), flush=True)
    bootstrap.close_door(composition, server, drain_s=2)
    engine.stop(drain_s=0)


if __name__ == "__main__":
    main(sys.argv[1])
