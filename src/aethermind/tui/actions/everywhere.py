"""Commands, palette, help, leaving."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.tui.actions.registry import WHOLE, Action

if TYPE_CHECKING:
    from aethermind.tui.context import Context

_SCREEN = "it belongs to the screen"


def _command(context: Context, argument: str) -> None:
    from aethermind.tui.screens.command import CommandScreen

    context.push(CommandScreen(context))


def _palette(context: Context, argument: str) -> None:
    from aethermind.tui.screens.palette import PaletteScreen

    context.push(PaletteScreen(context))


def _help(context: Context, argument: str) -> None:
    from aethermind.tui.actions.target import place_of
    from aethermind.tui.screens.help import HelpScreen

    context.push(HelpScreen(context, place_of(context)))


def _keys(context: Context, argument: str) -> None:
    from aethermind.tui.screens.keys import KeysScreen

    context.push(KeysScreen(context))


async def _quit(context: Context, argument: str) -> None:
    from aethermind.tui.screens.leave import LeaveScreen, WaitScreen, at_work

    leaving = context.app.leaving
    live = at_work(context) if leaving.owns else []
    if live:
        answer = await context.ask(LeaveScreen(live, keep=leaving.keeps))
        if answer is None:
            return
        leaving.kept, leaving.stopped = answer == "keep", answer == "stop"
        if answer == "wait" and not await context.ask(WaitScreen(context, live)):
            return
    context.app.exit()


async def _suspend(context: Context, argument: str) -> None:
    from aethermind.tui.leaving import suspend

    await suspend(context)


EVERYWHERE_ACTIONS: tuple[Action, ...] = (
    Action(
        id="global.command",
        title="Type a command",
        description="A line for commands with arguments: run research, theme ember, save run.log.",
        group="global",
        where=WHOLE,
        keys=(":",),
        no_cli=_SCREEN,
        hint="cmd",
        rank=50,
        command="command",
        run=_command,
    ),
    Action(
        id="global.palette",
        title="Palette",
        description="Find and do anything: actions, runs, workflows.",
        group="global",
        where=WHOLE,
        keys=("ctrl+p", "P"),
        no_cli=_SCREEN,
        command="palette",
        run=_palette,
    ),
    Action(
        id="global.help",
        title="Help",
        description="All keys of the pane or screen one is in.",
        group="global",
        where=WHOLE | {"text"},
        keys=("?", "f1"),
        cli="aethermind --help",
        hint="help",
        rank=0,
        command="help",
        run=_help,
    ),
    Action(
        id="global.keys",
        title="Keys, and what is wrong with them",
        description="Clashes and mistakes in the keys of the config, your own keys, the ids of all.",
        group="global",
        where=WHOLE,
        keys=("K",),
        no_cli="config.toml has them under [tui.keymap]",
        command="keys",
        run=_keys,
    ),
    Action(
        id="global.quit",
        title="Quit",
        description="Leave. While runs are at work it asks what is to become of them.",
        group="global",
        where=WHOLE,
        keys=("q", "ctrl+c"),
        cli="aethermind stop",
        hint="quit",
        rank=1,
        command="quit",
        run=_quit,
    ),
    Action(
        id="global.suspend",
        title="Give the shell back",
        description="The screen goes away, what runs goes on, and fg brings the screen back.",
        group="global",
        where=WHOLE | {"text"},
        keys=("ctrl+z",),
        no_cli="it belongs to the terminal",
        command="shell",
        run=_suspend,
    ),
)
