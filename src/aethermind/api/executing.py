"""How a workflow, an agent or a sent text becomes a run: is it trusted, whose is it, where does it run?"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from aethermind.api.idempotency import TAG
from aethermind.api.problems import Refused
from aethermind.api.room import Room
from aethermind.api.route import Answer, Asked, json
from aethermind.definitions.loader import LoadedWorkflow
from aethermind.domain.errors import DeniedError, InvalidError, NotFoundError
from aethermind.domain.usage import micro_usd
from aethermind.engine.consent import model_names
from aethermind.engine.registered import StoredWorkflow, trust_path
from aethermind.engine.surroundings import is_inherited

Json = Any


def micro(dollars: float | None) -> int | None:
    return None if dollars is None else micro_usd(Decimal(str(dollars)))


def needs_admin(asked: Asked) -> None:
    """Raises `Refused`: what may start any program, anywhere, is not an operator's to send."""
    if asked.identity.scope != "admin":
        raise Refused(403, f"the scope {asked.identity.scope} does not go so far: this needs admin")


def env_of(asked: Asked, env: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """Values that come with an act. Raises `Refused`: where programs are looked for and what they find at
    home decides what runs, and that is not an operator's to say."""
    ruling = sorted(filter(is_inherited, env or ()))
    if ruling and asked.identity.scope != "admin":
        raise Refused(
            403, f"{ruling[0]} is not for the scope {asked.identity.scope} to set: this needs admin"
        )
    return env


def check_model(room: Room, asked: Asked, model: str | None) -> None:
    """Raises `Refused` where a coding agent, which is a program, is to take the place of what was trusted."""
    if model is not None and asked.identity.scope != "admin" and (found := room.library.programs(model)):
        raise Refused(403, f"{found[0]}: this needs admin")


def tags(asked: Asked) -> dict[str, str]:
    """What marks a run that this request starts, so that a repetition finds it."""
    return {TAG: asked.mark} if asked.mark is not None else {}


def _is_directory(path: str) -> bool:
    return "\0" not in path and Path(path).is_absolute() and Path(path).is_dir()


async def find(room: Room, name: str) -> LoadedWorkflow | StoredWorkflow:
    """What was registered under this name, else a file of the user's or a sample. Raises `NotFoundError`,
    `InvalidError`."""
    try:
        return await room.ask(lambda client: client.workflow(name))
    except NotFoundError as missing:
        try:
            return await asyncio.to_thread(room.library.load, name)
        except NotFoundError:
            raise missing from None


async def check_trust(room: Room, target: LoadedWorkflow | StoredWorkflow) -> None:
    """Nothing that starts programs runs unless somebody who may said so. Raises `DeniedError`."""
    if isinstance(target, StoredWorkflow):
        if target.trusted:
            return
        models = model_names(target.definition)
        starts = (*target.needs_trust, *(found for model in models for found in room.library.programs(model)))
        name, path, sha256 = target.name, trust_path(target.name), target.definition_hash
    else:
        if target.path is None or room.library.ships(target.path):
            return  # a text that an admin sent, or one of our own samples
        starts = target.needs_trust
        name, path, sha256 = target.path, target.path, target.content_hash
    if starts and not await room.ask(lambda client: client.trusted(path, sha256)):
        raise DeniedError(
            f"{name} is not trusted, and it starts programs: {starts[0]}",
            hint="aethermind trust FILE there, or POST /api/trust",
        )


async def start(
    room: Room,
    asked: Asked,
    target: LoadedWorkflow | StoredWorkflow,
    inputs: Mapping[str, Json],
    **options: Any,
) -> Answer:
    """Start it; answers with the run's id. Raises `InvalidError`, `DeniedError`."""
    await check_trust(room, target)
    check_model(room, asked, options.get("model"))
    if (cwd := options.get("cwd")) is not None and not await asyncio.to_thread(_is_directory, cwd):
        raise InvalidError(f"{cwd} is no directory there", hint="an absolute path on the engine's machine")
    wanted = await asyncio.to_thread(
        room.library.request, target, inputs, by=asked.by, tags=tags(asked), **options
    )
    return json({"id": await room.ask(lambda client: client.start_run(wanted))}, 201)
