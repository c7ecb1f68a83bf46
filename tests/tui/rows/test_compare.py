"""Two runs side by side: what differs, what each took."""

from __future__ import annotations

import pytest

from aethermind.domain import events as e
from aethermind.domain.workflow import Value, WorkflowDef
from aethermind.tui.glyphs import ASCII, UNICODE
from aethermind.tui.rows.cells import plain
from aethermind.tui.rows.compare import Pair, cells, head, outcome, pairs, text_diff
from tests.tui.histories import Script, agents, prompt, research, step


def brief(answer: str, *, run_id: str, cost: int = 4_000, took: int = 5_000, extra: bool = False) -> Script:
    """Two steps, and a third one if wanted."""
    steps = [prompt("plan", "planner"), prompt("write", "planner", "plan")]
    if extra:
        steps.append(step("save", Value(value="{{ write }}"), "write"))
    definition = WorkflowDef(name="brief", agents=agents(planner="smart"), steps=tuple(steps))
    s = Script(definition, run_id=run_id)
    s.prompt(10, 1_000, "plan", "one, two")
    s.prompt(1_010, took, "write", answer, micro_usd=cost)
    if extra:
        s.begin(took + 10, "save")
        s.succeed(took + 20, "save", answer)
    s.add(took + 100, e.RunSucceeded(outputs={"text": answer}))
    return s


LEFT = brief("Tides rise.", run_id="r_one")
RIGHT = brief("Tides rise and fall.", run_id="r_two", cost=6_000, took=8_000, extra=True)


def found() -> dict[str, Pair]:
    return {f"{pair.kind} {pair.name}": pair for pair in pairs(LEFT.run, RIGHT.run)}


def test_outputs_come_first_then_steps_of_both() -> None:
    assert list(found()) == ["output text", "step plan", "step write", "step save"]


def test_what_is_the_same_but_for_its_time_is_the_same() -> None:
    rows = found()
    assert rows["step plan"].same
    assert not rows["step write"].same
    assert not rows["step write"].output_same
    assert not rows["output text"].same


def test_a_step_of_one_run_alone_is_marked() -> None:
    row = found()["step save"]
    assert row.left is None
    assert plain(cells(row, 118, UNICODE)).startswith(" + save")
    back = {pair.name: pair for pair in pairs(RIGHT.run, LEFT.run)}["save"]
    assert plain(cells(back, 118, UNICODE)).startswith(" - save")


@pytest.mark.parametrize("width", [58, 78, 118])
def test_a_row_says_both_sides_within_its_width(width: int) -> None:
    drawn = plain(cells(found()["step write"], width, UNICODE))
    assert len(drawn) == len(plain(head(width))) == width
    assert "4.0s → 7.0s" in drawn
    assert "differs" in drawn
    assert "$0.0040 → $0.0060" in drawn


def test_both_sides_alike_are_said_once() -> None:
    drawn = plain(cells(found()["step plan"], 118, UNICODE))
    assert "→" not in drawn
    assert "same" in drawn


def test_ascii_means_every_sign() -> None:
    rows = [*found().values(), *pairs(research().run, LEFT.run)]
    assert all(plain(cells(row, 118, ASCII)).isascii() for row in rows)
    assert plain(outcome(LEFT.run, "-", 118, ASCII)).isascii()


def test_the_second_run_says_how_much_more_it_took() -> None:
    line = plain(outcome(RIGHT.run, "+", 118, UNICODE, beside=LEFT.run))
    assert "+3.0s" in line
    assert "+$0.0020" in line
    assert "-3.0s" in plain(outcome(LEFT.run, "-", 118, UNICODE, beside=RIGHT.run))


def test_real_and_simulated_money_are_not_compared() -> None:
    simulated = research(until="end", run_id="r_sim", simulated=True)
    line = plain(outcome(simulated.run, "+", 118, UNICODE, beside=LEFT.run))
    assert "sim" in line
    assert "+$" not in line


def test_texts_are_compared_line_by_line_and_cleaned() -> None:
    lines = text_diff("a\nb\x1b[31m", "a\nc", ("one", "two"))
    assert lines[:2] == ["--- one", "+++ two"]
    assert lines[-1] == "+c"
    assert not any("\x1b" in line for line in lines)
    assert text_diff("a", "a", ("one", "two")) == []


def test_what_a_fork_took_over_is_the_same_and_says_so() -> None:
    definition = research(until="end").run.definition
    whole = research(until="end", run_id="r_one").run
    given = {"plan": whole.nodes["plan"].output, "gather": whole.nodes["gather"].output}
    fork = Script(definition, run_id="r_two", forked_from="r_one", adopted=given).run
    rows = {pair.name: pair for pair in pairs(whole, fork) if pair.kind == "step"}
    taken = {name for name, pair in rows.items() if pair.taken_over}
    assert taken == {"plan", "gather", *(name for name in rows if name.startswith("gather/"))}
    assert all(rows[name].same for name in taken)
    drawn = plain(cells(rows["plan"], 118, UNICODE))
    assert " kept " in drawn
    assert "1 → 0" not in drawn
    assert plain(cells(rows["gather/scrape"], 118, UNICODE)).startswith("   gather/scrape")
