"""What a new user sees first: what this is, which models there are and why, what sim means, what to press."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets.option_list import Option

from aethermind.infra.sanitize import clean_line
from aethermind.tui.actions import perform
from aethermind.tui.models_told import SIM, models_told
from aethermind.tui.screens.choices import Choices
from aethermind.tui.screens.dialog import Dialog, Line, safe, safe_line
from aethermind.tui.screens.making import samples_of

if TYPE_CHECKING:
    from aethermind.engine.client import RunRequest
    from aethermind.tui.context import Context

SAMPLE = "research-brief"
ABOUT = (
    "Agents and their steps are described in one file. Run it, watch every step, stop it at any moment, and "
    "go on where it stopped: what is done is never paid twice."
)
KEYS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("move.down", "move.up"), "move"),
    (("run.open",), "look inside"),
    (("move.next_pane",), "next pane"),
    (("find.filter",), "filter"),
    (("global.command",), "command"),
    (("global.help",), "keys of where you are"),
    (("global.quit",), "leave"),
)


class WelcomeScreen(Dialog[None]):
    """Shown once by itself. Escape goes to the screen below."""

    AUTO_FOCUS = "Choices"

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog welcome") as box:
            box.border_title = safe_line("Welcome to Aethermind")
            box.border_subtitle = safe_line(f"{self.context.glyphs.enter} do it   esc look around")
            with VerticalScroll(id="welcome-scroll", can_focus=False):
                yield Line(ABOUT, id="welcome-about")
                yield Line("", id="welcome-models")
                yield Line(self._keys(), id="welcome-keys")
            yield Choices(*self._options(), id="welcome-choices", markup=False, compact=True)

    def on_mount(self) -> None:
        super().on_mount()
        self._fit()
        self.context.app.comfort.welcomed()
        _ = self.run_worker(self._show_models(), exit_on_error=False)

    def on_resize(self, event: events.Resize) -> None:
        self._fit()

    def _fit(self) -> None:
        """The choices are always seen; the rest scrolls."""
        room = self.size.height - 5 - len(self._options())
        self.query_one("#welcome-scroll").styles.max_height = max(room, 2)

    async def _show_models(self) -> None:
        """On a thread: keys may be looked for in the keyring."""
        lines = await asyncio.to_thread(models_told, self.context.composition)
        if self.is_mounted:
            told = [*(f"{line[:1].upper()}{line[1:]}." for line in lines), SIM]
            self.query_one("#welcome-models", Line).show(safe("\n".join(told)))

    def _keys(self) -> Content:
        parts = []
        for ids, words in KEYS:
            keys = " ".join(key for id in ids if (key := self.context.app.key_of(id)))
            if keys:
                parts.append(Content.assemble((clean_line(f"{keys} "), "bold $accent"), clean_line(words)))
        return Content("    ").join(parts)

    def _options(self) -> list[Option]:
        keys = self.context.app.key_of
        rows = (
            (
                self.context.glyphs.enter,
                f"run the sample {SAMPLE}, simulated: it is free, some 20 s",
                "sample",
            ),
            (keys("run.start"), "pick another workflow", "start"),
            (keys("run.new"), "make one of your own: a copy of a sample, in your editor", "own"),
            (keys("global.help"), "all keys", "keys"),
        )
        return [
            Option(Content.assemble((clean_line(f"{key:>6}  "), "bold $accent"), clean_line(words)), id=id)
            for key, words, id in rows
        ]

    # --- what is done ----------------------------------------------------------------------------

    def on_key(self, event: events.Key) -> None:
        keymap = self.context.keymap
        if keymap is None:
            return
        for what, id in self._actions():
            if event.key in keymap.keys.get(id, ()):
                event.stop()
                event.prevent_default()
                self._do(what)
                return

    def _actions(self) -> Iterable[tuple[str, str]]:
        """(choice, action)"""
        return (("start", "run.start"), ("own", "run.new"), ("keys", "global.help"), ("quit", "global.quit"))

    def on_option_list_option_selected(self, event: Choices.OptionSelected) -> None:
        event.stop()
        self._do(str(event.option.id))

    def _do(self, what: str) -> None:
        self.answer(None)
        if what == "sample":
            self.call_after_refresh(self._sample)
        else:
            self.call_after_refresh(perform, self.context, dict(self._actions())[what])

    def _sample(self) -> None:
        _ = self.context.spawn(run_sample(self.context))


async def run_sample(context: Context) -> None:
    """Start the sample on simulated models with the inputs that it proposes itself, and show it."""
    request = await asyncio.to_thread(_request, context, samples_of(context) / f"{SAMPLE}.yaml")
    context.main.open_run(await context.engine.ask(lambda client: client.start_run(request)))


def _request(context: Context, path: Path) -> RunRequest:
    from aethermind import bootstrap
    from aethermind.definitions.inputs import parse_inputs

    loaded = bootstrap.load_workflow(context.composition, path)
    inputs = parse_inputs(loaded.definition.inputs, {})
    return bootstrap.submission(context.composition, loaded, inputs, sim=True, origin="tui")
