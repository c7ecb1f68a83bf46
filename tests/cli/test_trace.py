from __future__ import annotations

import io
import json
import re

import pytest

from aethermind import wire
from aethermind.cli import streams, trace
from aethermind.cli.live import LiveTree
from aethermind.domain import events as e
from aethermind.domain.run import Run
from aethermind.engine.client import TokenDelta
from tests.hostile import HOSTILE
from tests.tui.histories import Script, failed, research, wide


def play(script: Script, shown: trace.Trace) -> Run:
    run = Run(script.run_id)
    for recorded in script.history:
        run.fold(recorded)
        shown.event(recorded, run)
    shown.turn(run)
    shown.close(run)
    return run


def test_plain_lines_tell_the_story_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    play(research(until="end"), trace.Plain())
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert "research  r_8f21  smart → openai:gpt-5" in lines[0]
    assert any(re.search(r"8\.2s ✓ plan  8\.2s  3\.1k tok  \$0\.0310", line) for line in lines)
    assert any("↻ gather/scrape  429 Too Many Requests; again in 8.0s" in line for line in lines)
    assert any("✗ gather/scrape  gave up after 3 tries" in line for line in lines)
    assert any("sections  3 items" in line for line in lines)
    assert any("✓ sections[2]" in line and line.endswith("unpriced") for line in lines)
    assert not any("GET https" in line for line in lines)  # debug stays in the log


def test_json_lines_are_the_events_as_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    script = research(until="live")
    play(script, trace.JsonLines())
    out, err = capsys.readouterr()
    assert err == ""
    assert [wire.decode_envelope(line) for line in out.splitlines()] == script.history
    assert set(json.loads(out.splitlines()[0])) == {"seq", "stream", "version", "at", "type", "v", "data"}


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    play(failed(), trace.Quiet())
    assert capsys.readouterr() == ("", "")


def test_a_flood_of_logs_is_counted_and_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    script = wide(3)
    for number in range(trace.LOGS_A_TURN + 50):
        script.log(100 + number, "info", f"line {number}")
    play(script, trace.Plain())
    err = capsys.readouterr().err
    assert f"line {trace.LOGS_A_TURN - 1}\n" in err
    assert f"line {trace.LOGS_A_TURN}\n" not in err
    assert "50 more log lines: aethermind logs r_wide" in err


def test_every_event_of_a_run_can_be_told() -> None:
    """The match is closed: a new type of event fails the type check, and here."""
    run = research(until="end").run
    for recorded in research(until="end").history:
        trace.tell(recorded, run)
    system = e.Recorded(1, "system", 1, 0, e.WorkflowRemoved(name="x"))
    assert trace.tell(system, run) is None


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_takes_one_harmless_row(hostile: str, capsys: pytest.CaptureFixture[str]) -> None:
    script = wide(1)
    script.log(100, "error", hostile, step="each[0]")
    play(script, trace.Plain())
    err = capsys.readouterr().err
    row = [line for line in err.split("\n") if "error:" in line]
    assert len(row) == 1
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", err)


# ------------------------------------------------------------------------------ the live tree


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in the place of stderr. In the test itself: pytest sets stderr anew after fixtures."""
    file = Terminal()
    monkeypatch.setattr("sys.stderr", file)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")
    streams.prepare()
    return file


def test_the_live_tree_ends_with_every_step_and_the_cursor_back(monkeypatch: pytest.MonkeyPatch) -> None:
    file = terminal(monkeypatch)
    clock = iter(range(1_000_000))
    play(research(until="end"), LiveTree(now=lambda: float(next(clock))))
    shown = file.getvalue()
    last = shown[shown.rindex("research") :]
    for name in ("plan", "gather", "read_papers", "[2]", "#2", "judge", "brief"):
        assert name in last
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "gave up after 3 tries" in shown  # remarks stay above the tree


@pytest.mark.parametrize("hostile", HOSTILE)
def test_the_live_tree_lets_nothing_through(hostile: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = terminal(monkeypatch)
    shown = LiveTree(now=lambda: 1.0)
    script = wide(2)
    script.log(100, "error", hostile)
    shown.signal(TokenDelta("r_wide", "each[0]", 1, 1, 0, hostile))
    play(script, shown)
    own = re.sub(r"\x1b\[(?:\d+(?:;\d+)*)?[mKA]|\x1b\[\?25[hl]|\x1b\[2K|\r", "", file.getvalue())
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", own)


def test_markup_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    file = terminal(monkeypatch)
    shown = LiveTree(now=lambda: 1.0)
    script = wide(2)
    script.log(100, "error", "[bold red]not markup[/] :smile: [/x]")
    play(script, shown)
    assert "[bold red]not markup[/] :smile: [/x]" in file.getvalue()


def test_a_terminal_that_goes_away_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    file = terminal(monkeypatch)

    def gone(_: str) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(file, "write", gone)
    run = play(research(until="end"), LiveTree(now=lambda: 1.0))
    assert run.finished == "succeeded"
    assert streams.ERR.error is not None
