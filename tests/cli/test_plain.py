from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from aethermind.cli import plain, streams
from aethermind.cli.options import Given
from aethermind.cli.trace import SILENCE_S, Plain, so_far
from aethermind.cli.trees import print_tree
from tests.e2e.terminal import terminal
from tests.tui.histories import research

ASKS = """\
name: asks
steps:
  - {id: sure, approval: {message: "Sure?"}}
  - {id: after, depends_on: [sure], value: went on}
outputs: {told: "{{ after }}"}
"""
FAILS = "name: fails\nsteps:\n  - {id: a, value: 1}\n  - {id: b, depends_on: [a], fail: as it says}\n"


@pytest.fixture(autouse=True)
def own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    streams.prepare()
    yield
    streams.prepare()


def session(*lines: str) -> None:
    typed = iter(lines)

    def read(prompt: str) -> str:
        line = next(typed, None)
        if line is None:
            raise EOFError
        return line

    assert plain.open_plain(Given(), read=read) == 0


def test_a_new_user_is_told_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    session("help")
    out, _ = capsys.readouterr()
    assert "smart mean a simulated model: no provider key" in out
    assert "Nothing is called, nothing is spent" in out
    assert "To try it: run research-brief --sim" in out
    assert "questions          what waits for you" in out


def test_what_runs_is_told_in_words_and_is_the_run_at_hand(capsys: pytest.CaptureFixture[str]) -> None:
    Path("fails.yaml").write_text(FAILS)
    session("run fails.yaml", "tree", "show --step b", "runs", "1", "retry", "foo", "9", "'", "quit", "runs")
    out, err = capsys.readouterr()
    assert "succeeded: a" in err
    assert "failed: b  as it says" in err
    assert re.search(r"(?m)^b, failed, \d+ms$", out)
    assert "try 1  failed" in out
    assert "1. fails, failed, " in out
    assert "again from b" in err  # `retry` meant the run at hand
    assert "No such command 'foo'" in err
    assert "the list has 1 lines" in err
    assert "not understood: No closing quotation" in err
    assert out.count("Runs, newest first") == 1  # nothing is read after `quit`
    assert not set(plain_signs()) & set(out + err)


def plain_signs() -> str:
    from aethermind.cli.text import GLYPHS

    return "".join(sign for sign, _ in GLYPHS.values() if sign != "–")


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("show", ["r_1"]),
        ("show r_2", ["r_2"]),
        ("show --step plan", ["r_1", "--step", "plan"]),
        ("logs --level=error", ["r_1", "--level=error"]),
        ("approve publish", ["r_1", "publish"]),
        ("approve r_2 publish", ["r_2", "publish"]),
        ("answer publish -i choice=yes", ["r_1", "publish", "-i", "choice=yes"]),
        ("budget 2.50", ["r_1", "2.50"]),
        ("retry --help", ["--help"]),
        ("costs --by day", ["--by", "day"]),
        ("nothing at all", ["at", "all"]),
    ],
)
def test_the_run_at_hand_is_meant_where_none_is_named(typed: str, meant: list[str]) -> None:
    shell = plain.Plain(Given(), input)
    shell._at_hand = "r_1"
    name, *rest = typed.split()
    assert shell.completed(name, rest) == meant


def test_what_is_no_text_is_no_end_of_the_session(capsys: pytest.CaptureFixture[str]) -> None:
    def read(prompt: str) -> str:
        if not told:
            told.append(prompt)
            return b"\xff".decode()
        raise EOFError

    told: list[str] = []
    assert plain.open_plain(Given(), read=read) == 0
    assert "not understood: that is not UTF-8" in capsys.readouterr().err


def test_on_a_terminal_no_escape_sequence_ever_appears(tmp_path: Path) -> None:
    (tmp_path / "asks.yaml").write_text(ASKS)
    with terminal("--plain", cwd=tmp_path) as screen:
        screen.shows("To try it")
        screen.type("run asks.yaml\r")
        screen.shows("Sure? [y/N]:")
        screen.type("\x03")  # later
        screen.shows("sure asks: Sure?")
        screen.type("questions\r")
        screen.shows("1 question for you")
        screen.type("follow\r")
        screen.until(lambda: screen.raw.count(b"Sure? [y/N]") == 2)
        screen.type("y\r")
        screen.shows("succeeded in")
        screen.type("tree\r")
        screen.shows("sure, succeeded")
        screen.until(lambda: [row for row in screen.rows if row][-1] == ">", what="the prompt")
        screen.type("\x03")
        screen.shows("quit leaves")
        screen.type("quit\r")
        assert screen.end() == 0
        assert b"went on" in screen.raw
        assert b"\x1b" not in screen.raw
        assert screen.is_restored()


def test_a_terminal_that_can_do_nothing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Typewriter(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdout", Typewriter())
    monkeypatch.setenv("TERM", "dumb")
    streams.prepare()
    assert streams.PLAIN.is_set()
    assert streams.WORDS.is_set()
    monkeypatch.setenv("TERM", "xterm")
    streams.prepare()
    assert not streams.PLAIN.is_set()
    assert streams.draws(streams.OUT)
    streams.be_plain()
    assert not streams.draws(streams.OUT)
    assert not streams.colours(streams.OUT)


def test_the_tree_is_indented_and_spoken(capsys: pytest.CaptureFixture[str]) -> None:
    streams.be_plain()
    print_tree(research(until="end").run, limit=1_000)
    out, _ = capsys.readouterr()
    assert "plan, succeeded, 8.2s, 3.1k tokens, $0.0310" in out.splitlines()
    assert "├" not in out


def test_a_long_silence_is_broken_by_how_far_the_run_is(capsys: pytest.CaptureFixture[str]) -> None:
    streams.be_plain()
    now = 0.0
    run = research(until="live").run
    shown = Plain(now=lambda: now)
    shown.turn(run)
    assert capsys.readouterr().err == ""
    now = SILENCE_S
    shown.turn(run)
    shown.turn(run)
    said = capsys.readouterr().err
    assert said == so_far(run) + "\n"
    assert said.startswith("so far: 6 of 8 steps, 31.4k tokens, $0.3229; running: sections[2]")
