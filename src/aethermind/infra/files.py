"""Files that steps write: the adapter of the port `Files`. What keeps them below the root is `rooted.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from aethermind.domain.errors import ErrorInfo, StepFailure
from aethermind.infra.rooted import Guarded, Refused, Walk, file_parts_of, reason_of, replace
from aethermind.infra.sanitize import clean_line

T = TypeVar("T")


class LocalFiles:
    """Writes on worker threads. A cancelled `save` ends before the cancellation goes on.

    `guarded`: directories that are never written to, wherever the root lies (the product's own)."""

    def __init__(self, *, guarded: Sequence[str] = ()) -> None:
        self._guarded = Guarded(guarded)

    async def save(self, cwd: str, path: str, text: str) -> str:
        """Write `text` as UTF-8 to `path` below `cwd`; missing directories are made, an existing file keeps
        its mode. Returns the path without needless parts. Raises `StepFailure` (kind `bad_request`)."""
        return await to_its_end(lambda: save(cwd, path, text, self._guarded))


async def to_its_end(work: Callable[[], T]) -> T:
    """`work` on a worker thread. A cancellation goes on only after it has ended: a file is written or not,
    and whoever waits knows which."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait({future})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        future.exception()
        raise cancelled
    return future.result()


def save(cwd: str, path: str, text: str, guarded: Guarded | None = None) -> str:
    """As `LocalFiles.save`, here and now."""
    try:
        parts = file_parts_of(path)
        data = text.encode()
        with Walk(cwd, guarded, make=True) as walk:
            name = walk.to_directory_of(parts)
            replace(walk.directory, name, data)
    except Refused as refused:
        raise _refused(path, refused.reason, refused.hint) from None
    except UnicodeEncodeError:
        raise _refused(path, "its text holds half a surrogate pair") from None
    except OSError as error:
        raise _refused(path, reason_of(error)) from error
    return "/".join(parts)


def _refused(path: str, reason: str, hint: str | None = None) -> StepFailure:
    message = f"cannot save {clean_line(path)}: {reason}"
    return StepFailure(ErrorInfo(kind="bad_request", message=message, hint=hint))
