"""What `pause` and `cancel` share: ask, wait until it shows, say so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aethermind.cli import streams, text
from aethermind.cli.options import Given
from aethermind.cli.session import compose, engine_of
from aethermind.cli.show import find
from aethermind.domain import views
from aethermind.engine.client import Client


def act(
    given: Given, ref: str, what: Callable[[Client, str], Awaitable[None]], *, wait: bool, as_json: bool
) -> int:
    """Do it, then print the run as it is afterwards (`{"run": {…}}` as in `show --json`)."""

    async def do(client: Client) -> str:
        run_id = await client.find_run(ref)
        await what(client, run_id)
        if wait:
            await client.wait(run_id)
        return run_id

    with engine_of(compose(given)) as engine:
        run_id = engine.call(do).result()
        run, status = engine.call(lambda client: find(client, run_id)).result()
    if as_json:
        streams.say(text.json_line({"run": views.run_object(run, status=status)["run"]}))
    else:
        streams.say(f"{run.id}  {text.state(status, streams.OUT)}")
        if status == "interrupted":
            streams.note(f"to go on: aethermind resume {run.id}")
    return 0
