"""Frames in fewer bytes show the same: both ways of writing an update are drawn by an emulator."""

from __future__ import annotations

from typing import Any

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate
from textual.app import App

from aethermind.engine.client import TokenDelta
from aethermind.tui.paint import PLAIN, Frame, Pen, change, look_of
from tests.tui.histories import failed, research
from tests.tui.theatre import engine_of, make, playing, settle

SIZE = (120, 36)


class Emulated:
    """A terminal as its cells: what stands there, in which look."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(*SIZE)
        self.stream = pyte.Stream(self.screen)
        self.bytes = 0

    def feed(self, text: str) -> None:
        self.bytes += len(text.encode())
        self.stream.feed(text)

    def cells(self) -> list[list[Any]]:
        buffer = self.screen.buffer
        return [[_seen(buffer[y][x]) for x in range(SIZE[0])] for y in range(SIZE[1])]


def _seen(char: Any) -> Any:
    """The colour of text does not show on a blank."""
    return char._replace(fg="default", bold=False) if char.data == " " and not char.reverse else char


@pytest.mark.parametrize("theme", ["aether-dark", "ansi-dark", "ember"])
async def test_both_ways_draw_the_same_screen(theme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours = Emulated(), Emulated()
    partial = 0
    original = App._display

    def display(self: App[Any], screen: Any, renderable: Any) -> None:
        nonlocal partial
        if isinstance(renderable, Frame):
            partial += isinstance(renderable.update, ChopsUpdate)
            console = self.console
            theirs.feed(renderable.update.render_segments(console))
            ours.feed(renderable.render_segments(console))
            assert ours.cells() == theirs.cells()
        else:
            assert not isinstance(renderable, CompositorUpdate)
        original(self, screen, renderable)

    monkeypatch.setattr(App, "_display", display)
    script = research()
    app = make(script, failed(seq=1_000), theme=theme)
    async with playing(app, SIZE) as pilot:
        for n in range(8):
            engine_of(app).put(TokenDelta("r_8f21", "sections[2]", 1, 1, n * 400, "x" * 400))
            engine_of(app).play(script, lambda s: s.log(103_000, "warning", "漢字 and more"))
            await settle(pilot)
        await pilot.press("j", "j", "l", "k", "tab", "k", "2", "j", "enter", "z", "z", "question_mark")
        await settle(pilot)
        await pilot.press("escape")
        await settle(pilot)
    assert partial > 15
    assert ours.bytes * 4 < theirs.bytes * 3


STYLES = st.builds(
    Style,
    color=st.sampled_from([None, "red", "#102030", "color(200)"]),
    bgcolor=st.sampled_from([None, "default", "#405060"]),
    bold=st.booleans(),
    dim=st.booleans(),
    underline=st.booleans(),
    reverse=st.booleans(),
    italic=st.booleans(),
)


@given(st.lists(st.tuples(st.text("ab c漢", min_size=1, max_size=5), STYLES), max_size=12))
def test_any_chain_of_styles_comes_out_as_rich_writes_it(pieces: list[tuple[str, Style]]) -> None:
    theirs, ours = Emulated(), Emulated()
    pen = Pen(Console(color_system="truecolor", force_terminal=True))
    pen.write([Segment(text, style) for text, style in pieces])
    ours.feed(pen.end())
    theirs.feed("".join(style.render(text) for text, style in pieces))
    assert ours.screen.buffer[0] == theirs.screen.buffer[0]


def test_nothing_is_said_twice() -> None:
    red = look_of(Style(color="#ff0000", bgcolor="#000000"), ColorSystem.TRUECOLOR)
    bold = look_of(Style(color="#ff0000", bgcolor="#000000", bold=True), ColorSystem.TRUECOLOR)
    assert change(red, red) == ""
    assert change(red, bold) == "\x1b[1m"
    assert change(bold, red) == "\x1b[0;38;2;255;0;0;48;2;0;0;0m"
    assert change(PLAIN, red) == "\x1b[38;2;255;0;0;48;2;0;0;0m"
    assert change(bold, PLAIN) == "\x1b[0m"


def test_colours_that_the_terminal_has_not_got() -> None:
    style = Style(color="#ff0000")
    assert look_of(style, ColorSystem.STANDARD).front in {"31", "91"}
    assert look_of(style, ColorSystem.EIGHT_BIT).front.startswith("38;5;")


def test_links_are_written_by_rich() -> None:
    pen = Pen(Console(color_system="truecolor", force_terminal=True))
    pen.write([Segment("a", Style(bold=True)), Segment("here", Style(link="https://example.org"))])
    assert "https://example.org" in pen.end()
