"""Clients of engines that other processes own: the one on this data directory, or one that was named."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from aethermind.bootstrap.composition import DATABASE, Composition
from aethermind.domain.errors import BusyError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from aethermind.infra.remote.client import RemoteClient
    from aethermind.infra.remote.target import Target

PAUSE_S = 0.05
LONGEST_TOKEN = 512


@asynccontextmanager
async def attach(
    composition: Composition, target: str, *, token: str | None = None
) -> AsyncIterator[RemoteClient]:
    """The engine at this target (`infra.remote.target`). Raises `InvalidError` for what is no target,
    `BusyError` if nobody answers there, `DeniedError` without a good token."""
    from aethermind.infra.remote.opening import connect
    from aethermind.infra.remote.target import SshTarget, TcpTarget, parse
    from aethermind.infra.workspace import user_name

    config, options = composition.config, composition.options
    place = parse(target)
    host = config.hosts.get(place.host) if isinstance(place, SshTarget) else None
    opened = connect(
        place,
        by=user_name(),
        token=(token or _token(composition, place)) if isinstance(place, TcpTarget) else None,
        read_only=options.read_only,
        ssh_command=host.argv if host is not None and host.command else ("aethermind",),
        ssh_options=host.options if host is not None else (),
        environ=config.environ,
        may_ask=sys.stdin.isatty() if sys.stdin is not None else False,
    )
    async with opened as client:
        if composition.is_abroad:
            from aethermind.bootstrap.abroad import ModelsThere

            assert isinstance(composition.models, ModelsThere)
            composition.models.learn(await client.models())
        yield client


async def attach_here(composition: Composition, stack: AsyncExitStack) -> RemoteClient | None:
    """The engine that owns this data directory, if it answers; None if nobody takes connections just now.
    Raises `BusyError` for one that says nothing for two seconds, or can't be understood."""
    from aethermind.infra import sockets
    from aethermind.infra.remote.opening import Silent, connect
    from aethermind.infra.remote.target import UnixTarget
    from aethermind.infra.workspace import user_name

    path = sockets.locate(composition.home)
    if path is None:
        return None
    opened = connect(UnixTarget(path), by=user_name(), read_only=composition.options.read_only)
    try:
        return await stack.enter_async_context(opened)
    except Silent as silent:
        if silent.frozen:
            raise
        return None


class Waiting:
    """How long an engine that owns the data may be silent: it may be about to listen, or about to end.
    Counted in turns of our own: where the machine is so busy that these are late, it is, too."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds

    async def turn(self, owner: BusyError) -> None:
        """Before the next try. Raises `BusyError` when it has been silent for too long."""
        self._left -= PAUSE_S
        if self._left <= 0:
            raise silent(owner)
        await asyncio.sleep(PAUSE_S)


def silent(owner: BusyError) -> BusyError:
    return BusyError(f"{owner.message} and does not answer", hint="end it, or use another --home")


def token_name(target: str) -> str:
    """The name under which the keyring has this engine's token. Raises `InvalidError` for what needs none."""
    from aethermind.infra.remote.target import TcpTarget, parse

    place = parse(target)
    if not isinstance(place, TcpTarget):
        raise InvalidError(f"{target} needs no token", hint="http(s)://host:port does")
    return str(place)


def _token(composition: Composition, target: Target) -> str | None:
    """From `AETHERMIND_TOKEN`, else the keyring."""
    from aethermind.infra.secrets import Secrets

    key = Secrets(composition.config.environ, key_env={str(target): "AETHERMIND_TOKEN"}).find(str(target))
    if key is None:
        return None
    if len(key.value) > LONGEST_TOKEN or not key.value.isascii() or not key.value.isprintable():
        raise InvalidError(f"{key.origin} holds no token", hint="aethermind tokens create NAME")
    return key.value


def here(composition: Composition) -> str:
    """The target of this data directory's engine. Raises `NotFoundError` if none has begun to listen."""
    from aethermind.infra import sockets
    from aethermind.infra.stores.lease import Lease

    path = sockets.locate(composition.home)
    if path is None or Lease.owner(composition.home, f"{DATABASE}.lease") is None:
        raise NotFoundError(
            f"no engine runs on the data in {composition.home}",
            hint="aethermind starts one, aethermind serve too",
        )
    return f"unix:{path}"
