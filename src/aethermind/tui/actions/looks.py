"""The steps by layers, and settings: how these screens are opened, and what can be done on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.tui.actions.registry import MAIN, WHOLE, Action
from aethermind.tui.actions.screens import but, has_run, open_one
from aethermind.tui.actions.target import run_id_of, step_path_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aethermind.tui.context import Context


# --- steps by layers -----------------------------------------------------------------------------


def _layers(context: Context, argument: str) -> None:
    from aethermind.tui.screens.layers import LayersScreen

    run_id = run_id_of(context)
    if run_id is not None:
        open_one(context, LayersScreen(context, run_id, at=step_path_of(context) or ""))


def _into(context: Context, argument: str) -> None:
    from aethermind.tui.screens.layers import LayersScreen

    screen = context.app.screen
    if isinstance(screen, LayersScreen):
        screen.into()


def _out(context: Context, argument: str) -> None:
    from aethermind.tui.screens.layers import LayersScreen

    screen = context.app.screen
    if isinstance(screen, LayersScreen) and not screen.out():
        context.toast("that is the whole run")


# --- settings ------------------------------------------------------------------------------------


def _settings(context: Context, argument: str) -> None:
    from aethermind.tui.screens.settings import SettingsScreen

    open_one(context, SettingsScreen(context))


async def _set(context: Context, argument: str) -> None:
    """`set density dense`."""
    from aethermind.tui import appearance
    from aethermind.tui.rows import settings as rows

    name, _, text = argument.strip().partition(" ")
    known = appearance.options(context.app)
    option = rows.find(known, name)
    if option is None:
        context.toast(f"set one of {', '.join(one.name for one in known)}", "warning")
        return
    value = rows.read(option, text)
    if value is None:
        context.toast(f"{name} is {', '.join(map(rows.word, option.values))}", "warning")
        return
    await appearance.put(context, option, value)
    context.toast(f"{name} is {rows.word(value)}")


def _set_words(context: Context) -> Iterable[str]:
    from aethermind.tui import appearance
    from aethermind.tui.rows.settings import word

    return [f"{o.name} {word(value)}" for o in appearance.options(context.app) for value in o.values]


LOOKS: tuple[Action, ...] = (
    Action(
        id="screen.layers",
        title="Steps by layers",
        description="The graph of the run: what could run at the same time stands in one layer.",
        group="view",
        where=MAIN | {"detail"},
        keys=("D",),
        no_cli="aethermind show RUN lists the steps with what they wait for",
        command="dag",
        enabled=has_run,
        run=_layers,
    ),
    Action(
        id="layers.into",
        title="Go into",
        description="Show the steps inside a group, the items of a fan-out, the rounds of a loop.",
        group="view",
        where=frozenset({"layers"}),
        keys=("space",),
        no_cli="it only changes what the screen shows",
        hint="into",
        rank=20,
        command="into",
        run=_into,
    ),
    Action(
        id="layers.out",
        title="Go out",
        description="Back to the steps that hold these.",
        group="view",
        where=frozenset({"layers"}),
        keys=("minus", "backspace"),
        no_cli="it only changes what the screen shows",
        hint="out",
        rank=21,
        command="outof",
        run=_out,
    ),
    Action(
        id="screen.settings",
        title="Settings",
        description="Theme, density, keys, ascii, animations, low bandwidth; kept in config.toml.",
        group="view",
        where=but("settings"),
        keys=("S",),
        no_cli="config.toml has them under [tui]",
        command="settings",
        run=_settings,
    ),
    Action(
        id="settings.set",
        title="Set one setting",
        description="Change one setting, and keep it: set density dense.",
        group="view",
        where=WHOLE,
        no_key="it needs a name and a value",
        no_cli="config.toml has them under [tui]",
        command="set",
        usage="NAME VALUE",
        complete=_set_words,
        run=_set,
    ),
)
