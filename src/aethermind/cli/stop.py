"""`aethermind stop`."""

from __future__ import annotations

import os
import signal
import time

import click

from aethermind import bootstrap
from aethermind.cli import streams, text
from aethermind.cli.headless import DRAIN_S
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.session import compose, engine_of, user
from aethermind.domain.errors import BusyError, DeniedError

SLACK_S = 10.0
"""So much longer than its drain may an engine take to be gone."""
LOOK_S = 0.02


@verb("stop")
@as_json
@click.pass_obj
def command(given: Given, as_json: bool) -> int:
    """End the engine of this data directory: what is under way may end (at most 10 s), the rest is left
    interrupted and can be resumed.
    """
    composition = compose(given)
    pid = bootstrap.holder(composition)
    if pid is None:
        return _tell(None, f"no engine runs on {composition.home}", as_json=as_json)
    if not _ask(composition) and pid:
        _signal(pid)
    if not _gone(composition, pid):
        raise BusyError(
            f"the engine with pid {pid} has not ended yet",
            hint=f"what it does takes its time; if it hangs: kill -9 {pid}, no run is lost by it",
        )
    return _tell(pid, f"the engine with pid {pid} has ended", as_json=as_json)


def _ask(composition: bootstrap.Composition) -> bool:
    """Whether the engine was told over its socket. Raises `DeniedError` for one inside another program."""
    try:
        with engine_of(composition) as engine:
            if engine.attached is not None:
                engine.call(lambda client: client.stop_engine(by=user())).result()
            return True  # where it is ours now, the other one has just gone
    except BusyError:
        return False


def _signal(pid: int) -> None:
    """One that does not answer, or speaks another version, is told as any process is."""
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise DeniedError(f"the engine with pid {pid} belongs to somebody else") from None


def _gone(composition: bootstrap.Composition, pid: int) -> bool:
    until = time.monotonic() + DRAIN_S + SLACK_S
    while bootstrap.holder(composition) == pid:
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_S)
    return True


def _tell(pid: int | None, line: str, *, as_json: bool) -> int:
    streams.say(text.json_line({"engine": None if pid is None else {"pid": pid}}) if as_json else line)
    return 0
