"""Textual is imported without its command palette, and works so."""

from __future__ import annotations

import subprocess
import sys

CHECK = """
import asyncio, sys
from aethermind.tui.trim import without_palette
with without_palette():
    import textual.app
assert "textual.command" not in sys.modules
assert "textual.widgets._tree" not in sys.modules

class Small(textual.app.App[int]):
    ENABLE_COMMAND_PALETTE = False

async def go() -> None:
    async with Small().run_test() as pilot:
        await pilot.press("ctrl+p")
        await pilot.pause()

asyncio.run(go())
from textual.command import CommandPalette
from textual.screen import Screen
assert issubclass(CommandPalette, Screen)
with without_palette():
    assert sys.modules["textual.command"].CommandPalette is CommandPalette
print("fine")
"""
BEFORE_PAINT = """
import sys
from aethermind.tui.trim import without_palette
with without_palette():
    import aethermind.tui.app
print(*sys.modules)
"""
NOT_NEEDED = {"yaml", "markdown_it", "rich.markdown", "textual.command", "textual.widgets._option_list"}


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_textual_without_its_palette_runs_and_the_real_one_can_be_had() -> None:
    assert python(CHECK) == "fine\n"


def test_the_screen_imports_nothing_that_its_first_frame_does_not_need() -> None:
    assert set(python(BEFORE_PAINT).split()) & NOT_NEEDED == set()
