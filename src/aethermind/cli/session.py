"""From typed options to an engine that can be asked: the only file here that opens one."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

from aethermind import bootstrap
from aethermind.cli import parent
from aethermind.cli.options import Given
from aethermind.domain.errors import EndedError
from aethermind.domain.who import words
from aethermind.engine.client import Client
from aethermind.engine.hosting import EngineThread
from aethermind.engine.live import StepFunction

T = TypeVar("T")
TRIES = 5
"""Of engines that may end under one's hands."""


def compose(given: Given, *, sim: bool = False) -> bootstrap.Composition:
    """Config, paths and keys as the options say; no engine yet."""
    options = bootstrap.Options(
        home=given.home,
        env_file=given.env_file,
        sim=sim,
        connect=given.connect,
        read_only=given.read_only,
    )
    return bootstrap.load(options)


@contextmanager
def engine_of(
    composition: bootstrap.Composition,
    *,
    look: bool = False,
    functions: Mapping[str, StepFunction] | None = None,
    origin: str | None = None,
) -> Iterator[EngineThread]:
    """An engine in its own thread. Leaving the block stops it, unless other terminals need it (`owning`):
    what runs then is left interrupted.

    `look`: it is only asked, so it owns nothing and keeps nobody from running something. `origin`: what for,
    `run` or `tui`; if it is our own, others may then attach to it. None: it is for a moment.
    """
    engine = bootstrap.engine_thread(composition, look=look, functions=functions)
    engine.start()
    if not gc.isenabled():  # as `__main__` left it
        gc.freeze()
        gc.enable()
    if origin is None or look or engine.attached is not None:
        if origin is not None and (link := parent.link()) is not None:
            link.watch()  # without it no shell knows of us, and two would read from one terminal
        try:
            yield engine
        finally:
            engine.stop(drain_s=0)
        return
    from aethermind.cli.owning import own

    owned = own(composition, engine, bootstrap.try_listen(composition, engine), origin=origin)
    try:
        yield engine
    finally:
        owned.close()


def beginning(
    stack: ExitStack,
    opened: Callable[[], AbstractContextManager[EngineThread]],
    first: Callable[[EngineThread], T],
) -> tuple[EngineThread, T]:
    """An engine, and the answer to the first thing that is asked of it. Where it is another process's that
    ends just then, the next one is asked: another's, or our own.
    """
    for left in reversed(range(TRIES)):
        engine = stack.enter_context(opened())
        try:
            return engine, first(engine)
        except EndedError:
            stack.close()
            if not left:
                raise
    raise AssertionError


def ask(given: Given, question: Callable[[Client], Awaitable[T]]) -> T:
    """Open, look at one thing, close."""
    with engine_of(compose(given), look=True) as engine:
        return engine.call(question).result()


def user() -> str:
    """Who decides, for the record: `ana via cli`."""
    import getpass

    try:
        return words(getpass.getuser(), "cli")
    except (KeyError, OSError):
        return words("unknown", "cli")
