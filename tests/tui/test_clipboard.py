from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from aethermind.domain.errors import NotFoundError
from aethermind.tui import editor
from aethermind.tui.clipboard import CAP, SCREEN_CHUNK, commands, copy, osc52


def program(folder: Path, name: str, *, code: int = 0) -> None:
    """A program that keeps its input in a file beside it."""
    path = folder / name
    path.write_text(f'#!/bin/sh\ncat > "{folder}/{name}.got"\nexit {code}\n')
    path.chmod(0o755)


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


async def test_the_terminal_is_asked_where_nothing_else_is(env: dict[str, str]) -> None:
    written: list[str] = []
    said = await copy("text", write=written.append, env=env)
    assert written == ["\x1b]52;c;dGV4dA==\a"]
    assert said.startswith("copied 4 characters (OSC 52")


async def test_in_tmux_its_own_command_takes_it(tmp_path: Path, env: dict[str, str]) -> None:
    program(tmp_path, "tmux")
    written: list[str] = []
    said = await copy("über\n", write=written.append, env=env | {"TMUX": "/tmp/x"})
    assert said == "copied 5 characters (tmux)"
    assert (tmp_path / "tmux.got").read_text() == "über\n"
    assert written == []


async def test_a_command_that_fails_is_passed_over(tmp_path: Path, env: dict[str, str]) -> None:
    program(tmp_path, "tmux", code=1)
    program(tmp_path, "wl-copy")
    said = await copy("x", write=lambda text: None, env=env | {"TMUX": "1", "WAYLAND_DISPLAY": "w"})
    assert said == "copied 1 character (wl-copy)"


def test_over_ssh_this_machines_clipboard_is_not_meant(tmp_path: Path, env: dict[str, str]) -> None:
    program(tmp_path, "xclip")
    program(tmp_path, "tmux")
    env |= {"DISPLAY": ":0", "TMUX": "1"}
    assert [Path(argv[0]).name for argv in commands(env, ssh=False)][:2] == ["tmux", "xclip"]
    assert [Path(argv[0]).name for argv in commands(env, ssh=True)] == ["tmux"]


async def test_what_is_too_long_for_the_terminal_goes_into_a_private_file(env: dict[str, str]) -> None:
    text = "x" * (CAP + 1)
    said = await copy(text, write=lambda text: pytest.fail("too long for that"), env=env)
    path = Path(said.split(" saved to ")[1].split(" (")[0])
    assert path.read_text() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.unlink()


def test_the_longest_text_makes_the_longest_sequence_that_terminals_take() -> None:
    assert len(osc52("x" * CAP)) == 100_000


async def test_within_tmux_it_is_also_passed_on_to_the_terminal_outside(env: dict[str, str]) -> None:
    written: list[str] = []
    # No TMUX in the environment: tmux runs at the other end of an SSH connection.
    said = await copy("text", how="osc52", write=written.append, env=env | {"TERM": "tmux-256color"})
    plain = "\x1b]52;c;dGV4dA==\a"
    assert written == [plain + "\x1bPtmux;\x1b\x1b]52;c;dGV4dA==\a\x1b\\"]
    assert "(OSC 52 through tmux:" in said


async def test_screen_passes_on_short_pieces(env: dict[str, str]) -> None:
    written: list[str] = []
    said = await copy("x" * 3_000, how="osc52", write=written.append, env=env | {"STY": "1.pts"})
    pieces = written[0].split("\x1b\\")
    assert pieces.pop() == ""
    assert all(piece.startswith("\x1bP") and len(piece) - 2 <= SCREEN_CHUNK for piece in pieces)
    assert "".join(piece[2:] for piece in pieces) == osc52("x" * 3_000)
    assert "through screen" in said


async def test_text_that_is_no_unicode_is_copied_with_marks(env: dict[str, str]) -> None:
    written: list[str] = []
    await copy("a\ud800", how="osc52", write=written.append, env=env)
    assert written == ["\x1b]52;c;YT8=\a"]


async def test_a_file_can_be_asked_for(env: dict[str, str]) -> None:
    said = await copy("short", how="file", write=lambda text: pytest.fail("not asked for"), env=env)
    path = Path(said.split(" saved to ")[1].split(" (")[0])
    assert path.read_text() == "short"
    path.unlink()


# --- the editor ------------------------------------------------------------------------------------


def test_the_editor_is_the_users_own() -> None:
    assert editor.command({"VISUAL": "code --wait", "EDITOR": "vi"}) == ["code", "--wait"]
    assert editor.command({"EDITOR": "ed"}) == ["ed"]


def test_without_any_editor_it_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no editor found") as caught:
        editor.command({"PATH": str(tmp_path)})
    assert caught.value.hint == "set EDITOR"


def test_an_editor_that_does_not_start_is_no_crash(tmp_path: Path) -> None:
    assert editor._run([str(tmp_path / "none")]) is None
    assert editor._run(["false"]) == 1
