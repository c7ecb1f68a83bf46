"""Taking something out: to the clipboard, to a file, to an editor."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from aethermind.domain.views import iso
from aethermind.engine.queries import LogFilter, LogRow
from aethermind.infra.sanitize import clean_line
from aethermind.tui.actions.mending import can_mend, is_file, mend
from aethermind.tui.actions.registry import MAIN, SCREENS, Action
from aethermind.tui.actions.target import OfStep, Readable, run_id_of, run_of

if TYPE_CHECKING:
    from aethermind.tui.context import Context

_PAGE = 5_000


def _copy(context: Context, argument: str) -> None:
    screen = context.app.screen
    text = screen.text_to_copy() if isinstance(screen, Readable) else context.main.text_to_copy()
    if text:
        context.copy(text)
    else:
        context.toast("there is nothing here to copy", "warning")


def _copy_command(context: Context, argument: str) -> None:
    run_id = run_id_of(context)
    if run_id is None:
        return
    screen = context.app.screen
    path = screen.path if isinstance(screen, OfStep) else ""
    context.copy(f"aethermind show {run_id}" + (f" --output '{path}'" if path else ""))


def _has_run(context: Context) -> str | None:
    return None if run_id_of(context) else "there is no run"


# --- logs into a file ----------------------------------------------------------------------------


async def _save_logs(context: Context, argument: str) -> None:
    from aethermind.tui.screens.prompt import PromptScreen

    run_id = run_id_of(context)
    if run_id is None:
        return
    name = argument or await context.ask(
        PromptScreen(
            "Save the log of this run to:", value=f"{run_id}.log", hint="a new file; ↵ saves, esc does not"
        )
    )
    if not name:
        return
    path = Path(name).expanduser()
    rows: list[LogRow] = []
    cursor: str | None = None
    while True:
        at = cursor
        page = await context.engine.ask(lambda c: c.logs(LogFilter(run_id=run_id), limit=_PAGE, cursor=at))  # noqa: B023 -- awaited at once
        rows.extend(page.items)
        cursor = page.next
        if cursor is None:
            break
    try:
        await asyncio.to_thread(write_log, path, rows)
    except FileExistsError:
        context.toast(f"{path} exists already: give another name", "error")
    except OSError as error:
        context.toast(f"{path}: {error.strerror or error}", "error")
    else:
        context.toast(f"{len(rows):,} lines saved to {path}")


def write_log(path: Path, rows: list[LogRow]) -> None:
    """One line per record into a new file. Raises `FileExistsError` or another `OSError`."""
    with path.open("x", encoding="utf-8") as file:
        for row in rows:
            where = " ".join(part for part in (row.agent, row.step) if part)
            message = clean_line(row.message)
            file.write(f"{iso(row.at)} {row.level.upper():<7} {clean_line(where)}  {message}\n")


# --- the editor ----------------------------------------------------------------------------------


async def _edit(context: Context, argument: str) -> None:
    from aethermind.tui import editor

    screen = context.app.screen
    if isinstance(screen, OfStep) and isinstance(screen, Readable):
        name = (screen.path or screen.run_id).replace("/", "-")
        await editor.read(context, screen.text_to_copy(), name=name)
        return
    run = run_of(context)
    source = run.created.source if run is not None else None
    if run is None or source is None:
        return
    before = await asyncio.to_thread(_content, source)
    await editor.edit(context, Path(source))
    if await asyncio.to_thread(_content, source) == before:
        return
    watched = context.app.comfort.watching
    if watched is not None and watched.run_id == run.id:
        return  # it sees the edit by itself
    if can_mend(context) is None:
        await mend(context, "")
    else:
        key = context.app.key_of("run.mend")
        context.toast(f"saved; when this run is over, {key} goes on with what changed")


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def _can_edit(context: Context) -> str | None:
    if isinstance(context.app.screen, OfStep):
        return None
    run = run_of(context)
    if run is None:
        return "there is no run"
    source = run.created.source
    if source is None or not is_file(source):
        return "this run was not started from a file that is still there"
    return None


OUT: tuple[Action, ...] = (
    Action(
        id="out.copy",
        title="Copy",
        description="Copy what is under the cursor, or the text that is shown, to the clipboard.",
        group="out",
        where=MAIN | SCREENS | {"detail", "text"},
        keys=("y",),
        no_cli="the shell has its own (aethermind show RUN --output NAME gives the text)",
        hint="copy",
        rank=65,
        command="copy",
        run=_copy,
    ),
    Action(
        id="out.copy_command",
        title="Copy the command",
        description="Copy the command line that shows this run or step in a shell.",
        group="out",
        where=MAIN | {"detail"},
        keys=("Y",),
        cli="aethermind show RUN",
        command="copycommand",
        enabled=_has_run,
        run=_copy_command,
    ),
    Action(
        id="out.save_logs",
        title="Save the log to a file",
        description="Write all log lines of this run into a new file.",
        group="out",
        where=MAIN,
        keys=("s",),
        cli="aethermind logs RUN > FILE",
        command="save",
        usage="[FILE]",
        enabled=_has_run,
        run=_save_logs,
    ),
    Action(
        id="out.edit",
        title="Open in the editor",
        description="Open the text that is shown, or the workflow's file, in $EDITOR; what changed can run.",
        group="out",
        where=MAIN | {"detail"},
        keys=("e",),
        no_cli="the shell has its own",
        hint="edit",
        rank=66,
        command="edit",
        enabled=_can_edit,
        run=_edit,
    ),
)
