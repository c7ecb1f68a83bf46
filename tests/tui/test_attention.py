from __future__ import annotations

from dataclasses import dataclass

import pytest

from aethermind.tui.attention import LONGEST, THERE_MS, Attention, Wanted, Way, sequence, way_of

SINCE = 1_000_000


@dataclass
class Item:
    id: str
    status: str
    workflow: str = "research"
    error: str | None = None
    created_at: int = SINCE + 1


@pytest.mark.parametrize(
    "wanted, environ, way",
    [
        ("auto", {}, "bell"),
        ("auto", {"TERM_PROGRAM": "WezTerm"}, "osc9"),
        ("auto", {"TERM": "xterm-kitty"}, "osc9"),
        ("auto", {"TERM_PROGRAM": "WezTerm", "TMUX": "/tmp/x"}, "bell"),
        ("auto", {"TERM_PROGRAM": "WezTerm", "TERM": "screen-256color"}, "bell"),
        ("off", {"TERM_PROGRAM": "WezTerm"}, "off"),
        ("osc9", {"TMUX": "1"}, "osc9"),
    ],
)
def test_auto_is_what_this_terminal_shows(wanted: Wanted, environ: dict[str, str], way: Way) -> None:
    assert way_of(wanted, environ) == way


def test_what_is_written_is_harmless_short_and_no_progress_bar() -> None:
    assert sequence("off", "x") == ""
    assert sequence("bell", "x") == "\a"
    assert sequence("osc9", "4;1;50") == "\x1b]9;aethermind: 4;1;50\x1b\\"
    bad = sequence("osc9", "\x1b]52;c;eA==\x07\u202e\n" + "x" * 1_000)
    inner = bad.removeprefix("\x1b]9;").removesuffix("\x1b\\")
    assert not set(inner) & {"\x1b", "\x07", "\n", "\u202e"}
    assert len(inner) <= LONGEST + len("aethermind: ")


def test_each_change_that_somebody_should_know_counts_once() -> None:
    attention = Attention("osc9", SINCE)
    old = Item("r_0", "waiting_answer", created_at=SINCE - 1)
    run = Item("r_1", "queued")
    assert attention.seen([old, run]) == []
    run.status = "running"
    assert attention.seen([old, run]) == []
    run.status = "waiting_answer"
    assert attention.seen([old, run]) == ["research waits for an answer"]
    assert attention.seen([old, run]) == []
    run.status = "running"
    attention.seen([old, run])
    run.status, run.error = "failed", "429"
    assert attention.seen([old, run]) == ["research failed: 429"]


def test_a_run_that_is_over_before_it_was_seen_counts_if_it_is_new() -> None:
    attention = Attention("bell", SINCE)
    assert attention.seen([Item("r_1", "succeeded", created_at=SINCE - 1)]) == []
    assert attention.seen([Item("r_2", "succeeded")]) == ["research succeeded"]


def test_nobody_is_called_who_is_there() -> None:
    attention = Attention("bell", SINCE)
    assert attention.away(SINCE)  # the terminal has said nothing, and nobody has typed
    attention.typed(SINCE)
    assert not attention.away(SINCE + THERE_MS - 1)
    assert attention.away(SINCE + THERE_MS)
    attention.focus(True)
    assert not attention.away(SINCE + 10 * THERE_MS)
    attention.focus(False)
    attention.typed(SINCE)  # into another window of the same terminal, say
    assert attention.away(SINCE)


def test_many_at_once_are_one_call() -> None:
    attention = Attention("osc9", SINCE)
    attention.seen([])
    items = [Item(f"r_{n}", "succeeded") for n in range(3)]
    assert attention.call(items, SINCE) == "\x1b]9;aethermind: research succeeded (and 2 more)\x1b\\"
    attention.focus(True)
    assert attention.call([Item("r_9", "failed")], SINCE) == ""
    attention.focus(False)
    assert attention.call([Item("r_9", "failed")], SINCE) == ""  # it was seen then
