"""From a target to a client that was answered."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import assert_never

from aethermind.domain.errors import BusyError
from aethermind.engine.client import Attachment
from aethermind.engine.info import PROTOCOL, EngineInfo
from aethermind.infra.remote.asking import Asking, Patience
from aethermind.infra.remote.client import RemoteClient
from aethermind.infra.remote.lines import Line, NoAnswer, TcpLine, UnixLine
from aethermind.infra.remote.ssh import COMMAND, SshLine
from aethermind.infra.remote.target import SshTarget, Target, TcpTarget, UnixTarget

HERE_S = 2.0
"""An engine on this machine that says nothing for so long is silent."""
AWAY_S = 20.0
FIRST_AWAY_S = 90.0
"""The first answer from elsewhere: a person may have to type a password, an engine to be started."""
BATCH_AWAY_MS = 50
"""Events on a line with a latency of its own are sent in small bundles."""


class Silent(BusyError):
    """An engine that should be there does not answer."""

    frozen = False
    """It takes connections, and says nothing on them."""


@asynccontextmanager
async def connect(
    target: Target,
    *,
    by: str = "",
    token: str | None = None,
    read_only: bool = False,
    tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ssh_command: Sequence[str] = COMMAND,
    ssh_options: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    may_ask: bool = False,
) -> AsyncIterator[RemoteClient]:
    """A client of the engine there. Raises `BusyError` if nobody answers or another version does, and what
    the engine refuses."""
    line: Line
    host, via, local = "localhost", "", False
    match target:
        case UnixTarget(path=path):
            line, local = UnixLine(str(path)), True
        case TcpTarget():
            line = TcpLine(target.host, target.port, tls=tls() if target.tls else None)
            host = target.authority
        case SshTarget():
            line = SshLine(target, command=ssh_command, options=ssh_options, environ=environ, may_ask=may_ask)
            via = "ssh"
        case _:
            assert_never(target)
    first = Asking(line, host=host, patience=Patience(0), token=token, by=by, via=via)
    asking = Asking(
        line, host=host, patience=Patience(HERE_S if local else AWAY_S), token=token, by=by, via=via
    )
    try:
        try:
            info = await greet(first, timeout_s=HERE_S if local else FIRST_AWAY_S)
        finally:
            first.close()
        if local:
            asking.owner = f"the engine with pid {info.pid}"
        attached = Attachment(
            name=line.name,
            target=str(target),
            local=local,
            home=info.home,
            pid=info.pid,
            version=info.version,
            read_only=read_only,
        )
        yield RemoteClient(asking, attached, batch_ms=0 if local else BATCH_AWAY_MS)
    finally:
        asking.close()
        await line.close()


async def greet(asking: Asking, *, timeout_s: float) -> EngineInfo:
    """What the engine says of itself. Raises `BusyError`, also for one that speaks another version."""
    attached = Attachment(name=asking.line.name, target="", local=True)
    try:
        info = await RemoteClient(asking, attached).engine_info(timeout_s=timeout_s)
    except BusyError as error:
        silent = Silent(error.message, hint=error.hint)
        silent.frozen = isinstance(error.__cause__, NoAnswer)
        raise silent from error
    if info.protocol != PROTOCOL:
        raise BusyError(
            f"the engine of {asking.line.name} (pid {info.pid}, version {info.version}) speaks protocol "
            f"{info.protocol}, not {PROTOCOL}",
            hint="use the same version of aethermind, or: aethermind stop",
        )
    return info
