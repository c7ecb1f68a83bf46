"""On the screen of a replay: play, wind, look."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aethermind.tui.actions.registry import MAIN, Action, Effect, Where
from aethermind.tui.actions.target import run_id_of, short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from aethermind.tui.context import Context
    from aethermind.tui.screens.replay import ReplayScreen

_HERE: frozenset[Where] = frozenset({"replay"})
_NO_CLI = "it only moves on the screen; aethermind show RUN --json tells when what happened"
_STEPS = "An event back, and on."
_LEAPS = "A twentieth of the whole back, and on."
_ENDS = "To the beginning, and to the end."


def _replay(context: Context, argument: str) -> None:
    from aethermind.tui.screens.replay import ReplayScreen

    wanted = argument.strip()
    known = [item.id for item in context.main.runs]
    run_id = next((i for i in known if i.startswith(wanted)), wanted) if wanted else run_id_of(context)
    if run_id is None:
        return
    run = context.run(run_id)
    item = next((item for item in context.main.runs if item.id == run_id), None)
    status = item.status if item is not None else ""
    if run is not None and run.finished is None and status != "interrupted":
        context.toast(f"{short(run_id)} goes on: watch it", "warning")
    else:
        context.push(ReplayScreen(context, run_id))


def _run_ids(context: Context) -> Iterable[str]:
    return [item.id for item in context.main.runs if item.finished]


def _has_runs(context: Context) -> str | None:
    return None if run_id_of(context) is not None else "there is no run"


def _on(act: Callable[[ReplayScreen], None]) -> Effect:
    def run(context: Context, argument: str) -> None:
        from aethermind.tui.screens.replay import ReplayScreen

        screen = context.app.screen
        if isinstance(screen, ReplayScreen):
            act(screen)

    return run


def _wind(
    id: str,
    title: str,
    description: str,
    keys: tuple[str, ...],
    act: Callable[[ReplayScreen], None],
    family: str,
) -> Action:
    return Action(
        id=f"replay.{id}",
        title=title,
        description=description,
        family=family,
        group="move",
        where=_HERE,
        keys=keys,
        no_cli=_NO_CLI,
        command={"earlier": "leapback", "later": "leapon", "start": "start", "end": "end"}[id],
        run=_on(act),
    )


REPLAY: tuple[Action, ...] = (
    Action(
        id="run.replay",
        title="Replay",
        description="Play a run that is over again, from its recorded events.",
        group="run",
        where=MAIN | {"detail"},
        keys=("v",),
        cli="aethermind show RUN --json",
        command="replay",
        usage="[RUN]",
        complete=_run_ids,
        enabled=_has_runs,
        run=_replay,
    ),
    Action(
        id="replay.play",
        title="Play, or stand still",
        description="Play, or stand still; at the end from the beginning.",
        group="move",
        where=_HERE,
        keys=("space",),
        no_cli=_NO_CLI,
        hint="play",
        rank=10,
        command="play",
        run=_on(lambda screen: screen.toggle_play()),
    ),
    Action(
        id="replay.speed",
        title="Speed",
        description="Once, four times, sixteen times as fast as it was.",
        group="move",
        where=_HERE,
        keys=("s",),
        no_cli=_NO_CLI,
        hint="speed",
        rank=12,
        command="speed",
        run=_on(lambda screen: screen.next_speed()),
    ),
    Action(
        id="replay.back",
        title="An event back",
        description="To the event before this one.",
        family=_STEPS,
        group="move",
        where=_HERE,
        keys=("left", "["),
        no_cli=_NO_CLI,
        hint="back",
        rank=14,
        command="stepback",
        run=_on(lambda screen: screen.wind(lambda tape: tape.step(-1))),
    ),
    Action(
        id="replay.on",
        title="An event on",
        description="To the event after this one.",
        family=_STEPS,
        group="move",
        where=_HERE,
        keys=("right", "]"),
        no_cli=_NO_CLI,
        hint="on",
        rank=15,
        command="stepon",
        run=_on(lambda screen: screen.wind(lambda tape: tape.step(1))),
    ),
    _wind(
        "earlier",
        "Leap back",
        "A twentieth of the whole back.",
        ("h", "shift+left"),
        lambda screen: screen.wind(lambda tape: tape.leap(-1)),
        _LEAPS,
    ),
    _wind(
        "later",
        "Leap on",
        "A twentieth of the whole on.",
        ("l", "shift+right"),
        lambda screen: screen.wind(lambda tape: tape.leap(1)),
        _LEAPS,
    ),
    _wind(
        "start",
        "To the beginning",
        "To the first event.",
        ("home", "g"),
        lambda screen: screen.wind(lambda tape: tape.go_to(tape.start)),
        _ENDS,
    ),
    _wind(
        "end",
        "To the end",
        "To the last event.",
        ("end", "G"),
        lambda screen: screen.wind(lambda tape: tape.go_to(tape.end)),
        _ENDS,
    ),
    Action(
        id="replay.fold",
        title="Fold or unfold",
        description="Fold or unfold what is under the cursor of the trace.",
        group="move",
        where=_HERE,
        keys=("enter",),
        no_cli=_NO_CLI,
        command="foldhere",
        run=_on(lambda screen: screen.fold()),
    ),
    Action(
        id="replay.pane",
        title="Next pane",
        description="Put the focus on the next pane.",
        group="move",
        where=_HERE,
        keys=("tab",),
        no_cli=_NO_CLI,
        hint="pane",
        rank=60,
        command="otherpane",
        run=_on(lambda screen: screen.next_pane(1)),
    ),
)
