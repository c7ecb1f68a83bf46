"""What all parts of the server share."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from aethermind.api.hosting import Hosting
from aethermind.api.rate import Rate
from aethermind.api.settings import ServerSettings
from aethermind.api.tickets import Tickets
from aethermind.api.use import Use
from aethermind.domain.errors import BusyError

if TYPE_CHECKING:
    from aethermind.api.stream import Hub
    from aethermind.definitions.loader import LoadedWorkflow
    from aethermind.engine.client import Client, RunRequest
    from aethermind.engine.receipts import Receipts
    from aethermind.engine.registered import StoredWorkflow

Json = Any
T = TypeVar("T")


class Library(Protocol):
    """Workflow files that this engine knows, and how a definition becomes a run. Blocking: files are read."""

    def listed(self) -> list[dict[str, Json]]:
        """`{"name","description","origin","source","definition_hash","updated_at"}` of each file."""
        ...

    def load(self, name: str) -> LoadedWorkflow:
        """Raises `NotFoundError`, `InvalidError`."""
        ...

    def read(self, text: str, name: str) -> LoadedWorkflow:
        """The same for a text that was sent. Raises `InvalidError`."""
        ...

    def ships(self, path: str) -> bool:
        """Whether this file is one of the product's own."""
        ...

    def programs(self, model: str) -> Sequence[str]:
        """Programs of the engine's machine that would run if this model were called, in words. Raises
        `InvalidError` for what is no model."""
        ...

    def request(
        self,
        loaded: LoadedWorkflow | StoredWorkflow,
        inputs: Mapping[str, Json],
        *,
        by: str,
        cwd: str | None = None,
        sim: bool = False,
        model: str | None = None,
        budget_micro_usd: int | None = None,
        priority: int | None = None,
        limit: int | None = None,
        tags: Mapping[str, str] = ...,
    ) -> RunRequest:
        """A run of it in directory `cwd` (None: the engine's data directory). Raises `InvalidError`."""
        ...

    def environment(self, names: Sequence[str]) -> dict[str, str]:
        """Values of these variables where the engine lives."""
        ...


class Room:
    """One per server; belongs to the API's event loop."""

    def __init__(
        self,
        engine: Hosting,
        settings: ServerSettings,
        *,
        library: Library,
        receipts: Receipts,
        user: str,
        complain: Callable[[str], object],
        use: Use,
        now: Callable[[], int],
    ) -> None:
        self.engine = engine
        self.settings = settings
        self.library = library
        self.receipts = receipts
        self.user = user
        """Whose engine this is, in words."""
        self.complain = complain
        """Where an error inside is written down (scrubbed)."""
        self.use = use
        self.now = now
        """Epoch milliseconds."""
        self.tickets = Tickets(time.monotonic)
        self.rate = Rate(settings.rate_limit, settings.rate_window_s, time.monotonic)
        self.attached_rate = Rate(
            settings.rate_limit * settings.attached_factor, settings.rate_window_s, time.monotonic
        )
        self.attached: Counter[str] = Counter()
        """Open WebSockets of each token: who watches asks for what it shows."""
        self.ending = asyncio.Event()
        """The server ends: who waits for something is sent home."""
        self.hub: Hub
        """Set by the server."""

    async def ask_while_open(self, question: Callable[[Client], Awaitable[T]]) -> T | None:
        """The same for what may take long; None when the server ends first."""
        asking = asyncio.ensure_future(self.ask(question))
        ending = asyncio.ensure_future(self.ending.wait())
        try:
            await asyncio.wait({asking, ending}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else None
        finally:
            asking.cancel()
            ending.cancel()

    async def ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """Ask the engine. Raises what it raises, and `BusyError` when it is ending."""
        try:
            return await self.engine.ask(question)
        except RuntimeError as error:
            if str(error) != "the engine is not running":
                raise
            raise BusyError("the engine is ending", hint="ask again") from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # it is we who are given up
            raise BusyError("the engine ended meanwhile", hint="ask again") from None
