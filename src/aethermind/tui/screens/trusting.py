"""Whether a file may start programs: asked about once, as long as it stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aethermind.tui.actions.target import by
from aethermind.tui.screens.confirm import Choice, ConfirmScreen

if TYPE_CHECKING:
    from aethermind.definitions.loader import LoadedWorkflow
    from aethermind.tui.context import Context

_LINES = 6


async def trusted(context: Context, loaded: LoadedWorkflow) -> bool:
    """A file that starts programs is asked about; the program's own samples are not."""
    path = loaded.path
    if not loaded.needs_trust or path is None:
        return True
    if Path(path).is_relative_to(context.composition.samples_dir.resolve()):
        return True
    if await context.engine.ask(lambda client: client.trusted(path, loaded.content_hash)):
        return True
    lines = list(loaded.needs_trust[:_LINES])
    if len(loaded.needs_trust) > _LINES:
        lines.append(f"and {len(loaded.needs_trust) - _LINES} more")
    answer = await context.ask(
        ConfirmScreen(
            f"{Path(path).name} starts programs on this machine. Run it?",
            note="\n".join(lines),
            choices=[Choice("t", "trust it, now and as long as it stays as it is", "trust")],
            refuse="do not run it",
        )
    )
    if answer is None:
        return False
    await context.engine.ask(lambda client: client.trust(path, loaded.content_hash, by=by(context)))
    return True
