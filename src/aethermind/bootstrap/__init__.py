"""The composition root: the only module that sees every layer. It chooses adapters and wires them.

load(Options) ─► Composition ─► open_client / engine_thread      (terminal)
AgentRuntime, open                                               (SDK)
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from aethermind.bootstrap.attaching import Waiting, attach_here, silent
from aethermind.bootstrap.attaching import attach as attach
from aethermind.bootstrap.attaching import here as here
from aethermind.bootstrap.attaching import token_name as token_name
from aethermind.bootstrap.beginning import begun as begun
from aethermind.bootstrap.beginning import bridge as bridge
from aethermind.bootstrap.composition import DATABASE
from aethermind.bootstrap.composition import Composition as Composition
from aethermind.bootstrap.composition import Options as Options
from aethermind.bootstrap.composition import load as load
from aethermind.bootstrap.listening import close_door as close_door
from aethermind.bootstrap.listening import holder as holder
from aethermind.bootstrap.listening import listen as listen
from aethermind.bootstrap.listening import open_door as open_door
from aethermind.bootstrap.listening import open_web as open_web
from aethermind.bootstrap.listening import place as place
from aethermind.bootstrap.listening import try_listen as try_listen
from aethermind.domain.errors import BusyError, InvalidError, NotFoundError
from aethermind.domain.events import Submitter
from aethermind.engine.client import Client, RunRequest
from aethermind.engine.consent import model_names
from aethermind.engine.engine import Engine, environment_of
from aethermind.engine.hosting import EngineThread
from aethermind.engine.live import StepFunction
from aethermind.engine.local import LocalClient
from aethermind.engine.ports import EventStore
from aethermind.engine.registered import PREFIX
from aethermind.engine.surroundings import surroundings

if TYPE_CHECKING:
    from aethermind.definitions.loader import LoadedWorkflow
    from aethermind.infra.exchange import Exchange
    from aethermind.infra.providers.probe import Probe
    from aethermind.infra.stores.upkeep import Upkeep

MEMORY = ":memory:"


@asynccontextmanager
async def open_client(
    composition: Composition, *, look: bool = False, functions: Mapping[str, StepFunction] | None = None
) -> AsyncIterator[Client]:
    """The engine on this data directory: our own, or if another process owns it that one (`attached`), or
    the engine that was named (`Options.connect`).

    `look`: only look, so that nobody who wants to act is kept waiting; the database itself is read, unless
    an engine was named. `functions`: those of a workflow written in Python, by the names its definition uses.
    Raises `BusyError` if the owner is silent for two seconds.
    """
    if composition.options.connect is not None:
        if functions:
            raise InvalidError(_FUNCTIONS, hint="leave out --connect")
        async with attach(composition, composition.options.connect) as remote:
            yield remote
        return
    composition.config.make_home()
    database = composition.database
    if look and _readable(database):
        async with _looking(composition, database) as engine:
            yield LocalClient(engine, owner=engine_owner(composition))
        return
    async with AsyncExitStack() as stack:
        yield await _own_or_attach(composition, stack, functions or {})


def _readable(database: Path) -> bool:
    """Not an empty file, which has no tables yet, nor one of an older version, which an engine has to
    migrate."""
    from aethermind.infra.stores.database import is_current

    return database.exists() and database.stat().st_size > 0 and is_current(database)


async def _own_or_attach(
    composition: Composition, stack: AsyncExitStack, functions: Mapping[str, StepFunction]
) -> Client:
    waiting = Waiting(SILENT_S)
    while True:
        try:
            engine = await stack.enter_async_context(open_engine(composition, composition.database))
        except _Owned as owned:
            busy = owned.busy
        else:
            for name, function in functions.items():
                engine.register(name, function)
            return LocalClient(engine, host=composition.host)
        if functions:
            raise BusyError(f"{_FUNCTIONS}, and {busy.message}", hint="aethermind stop, or another --home")
        if (remote := await _attach(composition, stack, busy)) is not None:
            return remote
        await waiting.turn(busy)


async def _attach(composition: Composition, stack: AsyncExitStack, owner: BusyError) -> Client | None:
    @asynccontextmanager
    async def beside() -> AsyncIterator[Client | None]:
        if engine_owner(composition) is not None or not composition.database.exists():
            yield None
            return
        async with _looking(composition, composition.database) as engine:
            yield LocalClient(engine, owner="nobody")

    try:
        remote = await attach_here(composition, stack)
        if remote is not None:
            remote.beside = beside
        return remote
    except BusyError as error:
        if getattr(error, "frozen", False):
            raise silent(owner) from error
        raise


SILENT_S = 2.0
_FUNCTIONS = "the functions of a workflow in Python run in the process that starts it"


class _Owned(Exception):
    """Another process holds the lease."""

    def __init__(self, busy: BusyError) -> None:
        super().__init__(busy.message)
        self.busy = busy


@asynccontextmanager
async def open_engine(
    composition: Composition,
    database: Path | str,
    *,
    store: EventStore | None = None,
    durability: str | None = None,
    max_concurrent: int | None = None,
) -> AsyncIterator[Engine]:
    """Own this database (or use `store`) and drive its runs."""
    from aethermind.infra.stores.lease import Lease
    from aethermind.infra.stores.sqlite import open_store

    config, options = composition.config, composition.options
    wanted = durability or options.durability or config.durability
    limit = max_concurrent or options.max_concurrent or config.defaults.max_concurrent
    lease: Lease | None = None
    if store is None and str(database) != MEMORY:
        try:
            file = Path(database).absolute()
            lease = Lease.acquire(file.parent, f"{file.name}.lease")
        except BusyError as busy:
            raise _Owned(busy) from None
    try:
        opened = store or await open_store(database, durability=_durability(wanted), ballast=config.ballast)
        engine = _engine(opened, composition, max_concurrent=limit, owner=_owner(database))
        try:
            yield engine
        finally:
            await engine.close(drain_s=0)
    finally:
        if lease is not None:
            lease.release()


@asynccontextmanager
async def _looking(composition: Composition, database: Path) -> AsyncIterator[Engine]:
    """An engine that never writes, beside the one that owns the database."""
    from aethermind.infra.stores.sqlite import open_store

    store = await open_store(database, read_only=True)
    engine = _engine(store, composition, max_concurrent=1)
    try:
        yield engine
    finally:
        await engine.close(drain_s=0)


def _owner(database: Path | str) -> str:
    """A word that all engines on this database share: it marks their children."""
    return hashlib.sha256(str(Path(database).absolute()).encode()).hexdigest()[:12]


def _engine(store: EventStore, composition: Composition, *, max_concurrent: int, owner: str = "") -> Engine:
    from aethermind.definitions.expressions import JinjaExpressions
    from aethermind.definitions.schemas import JsonSchemas
    from aethermind.infra.chance import SystemChance
    from aethermind.infra.children.local import LocalChildren
    from aethermind.infra.clock import SystemClock
    from aethermind.infra.files import LocalFiles
    from aethermind.infra.providers.lanes import governor
    from aethermind.infra.redaction import veil
    from aethermind.infra.tools.deferred import DeferredTools

    models, schemas, clock = composition.models, JsonSchemas(), SystemClock()
    models.children = children = LocalChildren(owner=owner, environment=composition.config.environ)
    guarded = (str(composition.home), str(composition.config.path))
    engine = Engine(
        store=store,
        models=models,
        prices=models.prices,
        children=children,
        tools=DeferredTools(children=children, schemas=schemas, scrub=composition.redact, guarded=guarded),
        files=LocalFiles(guarded=guarded),
        expressions=JinjaExpressions(),
        schemas=schemas,
        clock=clock,
        chance=SystemChance(),
        scrub=composition.redact,
        max_concurrent=max_concurrent,
        day_budget_micro_usd=composition.config.budget.day_micro_usd,
        limits=composition.config.guard.limits,
        veil=veil(composition.config.environ, composition.secrets, models.endpoints),
        governor=governor(composition.config, models, clock),
    )
    engine.outage.remark = lambda text: debug_log(text, home=composition.home)
    return engine


def _durability(name: str) -> Any:
    if name not in {"power", "process"}:
        raise InvalidError(f"durability is 'power' or 'process', not {name!r}")
    return name


def wall_clock() -> Callable[[], int]:
    """Epoch milliseconds for what is shown; setting the machine's clock does not make them jump."""
    from aethermind.infra.clock import SystemClock

    return SystemClock().now


def engine_owner(composition: Composition) -> str | None:
    """Which other process drives the runs of this data, in words; None: nobody does."""
    from aethermind.infra.stores.lease import Lease

    return Lease.owner(composition.home, f"{DATABASE}.lease")


async def probe(composition: Composition) -> list[Probe]:
    """Ask each provider that has a key whether it answers and takes it; nothing is billed."""
    from aethermind.infra.providers.probe import probe as ask

    return await ask(composition.models.endpoints, composition.secrets, composition.config.environ)


def engine_thread(
    composition: Composition, *, look: bool = False, functions: Mapping[str, StepFunction] | None = None
) -> EngineThread:
    """The engine in its own thread and event loop; `start()` opens it as `open_client` does."""
    return EngineThread(lambda: open_client(composition, look=look, functions=functions))


def _check_ours(composition: Composition) -> None:
    """Raises `InvalidError` for what is done to the file, where another engine was named."""
    if composition.options.connect is not None:
        raise InvalidError("this works on the database of this data directory", hint="leave out --connect")


def upkeep(composition: Composition) -> Upkeep:
    """Check, rebuild, backup and prune of the database."""
    _check_ours(composition)
    from aethermind.infra.stores.upkeep import Upkeep

    return Upkeep(composition.database)


def exchange(composition: Composition) -> Exchange:
    """Runs as bundles, out of this database and into it."""
    _check_ours(composition)
    from aethermind.infra.exchange import Exchange

    config, secrets = composition.config, composition.secrets
    return Exchange(composition.database, secrets, composition.models.endpoints, config.environ)


def environment(composition: Composition, names: Sequence[str]) -> dict[str, str]:
    """Values of these variables, for the steps that take them, and what every program gets of this shell
    (not where the engine is another machine's). Held in memory, never recorded."""
    environ = composition.config.environ
    ours = {} if composition.is_abroad else surroundings(environ)
    return {**ours, **environment_of(names, environ)}


def submitter(
    composition: Composition,
    *,
    cwd: str | Path | None = None,
    env_names: Sequence[str] = (),
    origin: str = "cli",
) -> Submitter:
    """Who asks, and where what they start runs: this directory and its interpreter."""
    from aethermind.infra.workspace import submitter_interpreter, user_name

    where = str(cwd or Path.cwd())
    return Submitter(
        user=user_name(),
        cwd=where,
        interpreter=submitter_interpreter(where, composition.config.python),
        env_names=tuple(env_names),
        origin=origin,
    )


def load_workflow(
    composition: Composition,
    target: str | Path,
    *,
    overrides: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
) -> LoadedWorkflow:
    """Read a file, or the workflow that a NAME means here. `cwd`: as if it were run there (None: here).
    Raises `NotFoundError`, `InvalidError`.
    """
    from aethermind.bootstrap import registered
    from aethermind.definitions.loader import Defaults, load_file
    from aethermind.definitions.templates import find_workflow

    try:
        path = find_workflow(str(target), Path.cwd(), composition.workflow_dirs)
    except NotFoundError:
        found = registered.find_workflow(composition, str(target).removeprefix(PREFIX))
        if found is None:
            raise
        if overrides:
            raise InvalidError(f"--set changes a file, and {target} is registered") from None
        return found
    settings = composition.config.defaults
    loaded = load_file(
        path,
        overrides=overrides,
        cwd=Path(cwd) if cwd is not None else None,
        defaults=Defaults(retries=settings.retries, timeout_ms=settings.timeout_ms),
        known_models=composition.model_problem,
        known_settings=composition.models.check_settings,
        known_agents=lambda name: registered.find_agent(composition, name),
    )
    starts = composition.models.programs_in(model_names(loaded.definition))
    return msgspec.structs.replace(loaded, needs_trust=(*loaded.needs_trust, *starts)) if starts else loaded


def submission(
    composition: Composition,
    loaded: LoadedWorkflow,
    inputs: Mapping[str, Any],
    *,
    cwd: str | Path | None = None,
    sim: bool = False,
    model: str | None = None,
    budget_micro_usd: int | None = None,
    priority: int | None = None,
    limit: int | None = None,
    origin: str = "cli",
) -> RunRequest:
    """A run of this file, here: in this directory, with its interpreter and the environment it names. Raises
    `InvalidError` for one that needs this directory while the engine is another machine's."""
    if composition.is_abroad:
        from aethermind.bootstrap.abroad import DIRECTORY, check_ground

        check_ground(loaded.definition, composition.options.connect or "")
        cwd = DIRECTORY
    if model is not None and (problem := composition.model_problem(model)):
        raise InvalidError(problem)  # simulated, any name would do
    return RunRequest(
        definition=loaded.definition,
        inputs=dict(inputs),
        submitter=submitter(composition, cwd=cwd, env_names=loaded.env_names, origin=origin),
        env=environment(composition, loaded.env_names),
        priority=priority,
        simulated=sim or composition.options.sim,
        model=model,
        budget_micro_usd=budget_micro_usd,
        limit=limit,
        source=loaded.path,
        source_hash=loaded.content_hash or None,
        sim=loaded.sim,
    )


def debug_log(text: str, *, home: Path | str | None = None) -> Path | None:
    """Append to the debug log (scrubbed); gives its path, or None if it can't be written."""
    from aethermind.infra import debug_log as log

    return log.write(text, home=home)
