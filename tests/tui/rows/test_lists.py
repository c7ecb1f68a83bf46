from __future__ import annotations

import inspect
import re

from aethermind.domain import events as e
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.workflow import Ask, Value, WorkflowDef
from aethermind.engine.queries import RunRow
from aethermind.tui.actions import REGISTRY
from aethermind.tui.glyphs import ASCII, UNICODE
from aethermind.tui.rows import agents, cost, header, message, runs
from aethermind.tui.rows.cells import cells_width, plain
from aethermind.tui.rows.trace import failed_steps
from tests.tui.histories import T0, Script, failed, research, step

NOW = T0 + 102_000


def listed(*scripts: Script) -> runs.RunList:
    known = runs.RunList()
    for script in scripts:
        for recorded in script.history:
            known.apply(recorded)
    return known


# --- runs --------------------------------------------------------------------------------------


def test_the_list_follows_events_without_folding() -> None:
    for script in (research(), research(until="end"), failed()):
        item = listed(script).items[0]
        run = script.run
        assert item.status == run.status
        assert (item.cost_micro_usd, item.unpriced_calls) == (run.tally.cost, run.tally.unpriced)
        assert (item.started_at, item.finished_at) == (run.started_at, run.finished_at)
        assert item.error == (run.error.message if run.error else None)


def test_newest_first() -> None:
    known = listed(failed(at=T0 - 9), research(run_id="r_b", at=T0), research(run_id="r_c", at=T0 + 5))
    assert [item.id for item in known.items] == ["r_c", "r_b", "r_8f1e"]


def test_what_is_not_known_is_asked_for() -> None:
    known = runs.RunList()
    assert known.apply(research().history[5]) is None
    assert known.unknown == {"r_8f21"}
    known.merge(RunRow(id="r_8f21", workflow="research", status="running", created_at=T0))
    assert not known.unknown
    assert known.items[0].workflow == "research"


def test_the_states_between_begin_and_end() -> None:
    script = research()
    known = listed(script)
    item = known.items[0]
    changes: list[tuple[e.AnyEvent, str]] = [
        (e.RunPaused(), "paused"),
        (e.RunResumed(), "running"),
        (e.CancelRequested(), "stopping"),
    ]
    for event, status in changes:
        assert known.apply(script.add(103_000, event)) == "r_8f21"
        assert item.status == status


def test_an_open_question_shows_once_nothing_else_runs() -> None:
    known = listed(failed())
    item = known.items[0]
    item.status, item.active = "running", 1
    stream = "run/r_8f1e"
    known.apply(
        e.Recorded(900, stream, 900, T0, e.AskOpened(step="gate", attempt=1, about="ask", message="ok?"))
    )
    assert item.status == "running"
    known.apply(e.Recorded(901, stream, 901, T0, e.AttemptSucceeded(step="a", attempt=1, output=None)))
    assert item.status == "waiting_answer"
    known.apply(e.Recorded(902, stream, 902, T0, e.AskAnswered(step="gate", values={}, by="me")))
    assert item.status == "running"


def test_an_interrupted_run_stays_so_until_something_happens() -> None:
    script = research()
    known = runs.RunList()
    known.merge(RunRow(id="r_8f21", workflow="research", status="interrupted", created_at=T0))
    known.overlay(script.run)
    assert known.items[0].status == "interrupted"
    known.apply(script.add(200_000, e.RunResumed()))
    known.overlay(script.run)
    assert known.items[0].status == "running"


def test_a_run_on_one_line() -> None:
    item = listed(research()).items[0]
    assert plain(runs.cells(item, 29, NOW, UNICODE, opened=True)) == " ● r_8f21 research     01:42"
    wide = plain(runs.cells(item, 78, NOW, UNICODE, opened=False))
    assert "$.32" in wide
    item.status = "waiting_answer"
    assert plain(runs.cells(item, 29, NOW, UNICODE, opened=False)) == " ‖ r_8f21 research    answer"
    for width in range(20, 100):
        assert cells_width(runs.cells(item, width, NOW, ASCII, opened=False)) <= width


def test_runs_are_filtered_by_what_one_sees() -> None:
    known = listed(research(), failed())
    shown = runs.Shown()
    for text, found in (("NIGHT", ["r_8f1e"]), ("failed", ["r_8f1e"]), ("", ["r_8f21", "r_8f1e"])):
        assert shown.update(known, text, frozenset())
        assert [item.id for item in shown.items] == found
    assert not shown.update(known, "", frozenset({"r_8f1e"})), "the same runs in the same order"


def test_what_is_shown_follows_what_changes() -> None:
    script = research()
    known = listed(script, failed())
    shown = runs.Shown()
    shown.update(known, "running", known.take_changed())
    assert [item.id for item in shown.items] == ["r_8f21"]
    known.apply(script.add(103_000, e.RunPaused()))
    assert known.take_changed() == {"r_8f21"}
    assert shown.update(known, "running", frozenset({"r_8f21"}))
    assert not shown.items
    known.apply(script.add(104_000, e.RunResumed()))
    for recorded in research(run_id="r_new", at=T0 + 200_000).history:
        known.apply(recorded)
    assert shown.update(known, "running", known.take_changed())
    assert [item.id for item in shown.items] == ["r_new", "r_8f21"]
    assert [shown.place(item) for item in known.items] == [0, 1, None]
    assert not known.take_changed()


# --- agents ------------------------------------------------------------------------------------


def test_agents_in_the_order_of_the_definition() -> None:
    found = agents.agents(research().run, lambda path: 7 if path == "sections[2]" else 0)
    assert [(a.name, a.status) for a in found] == [
        ("planner", "succeeded"),
        ("researcher", "running"),
        ("critic", "pending"),
        ("scraper", "failed"),
        ("writer", "pending"),
    ]
    assert found[1].streaming == 7
    assert found[4].model == "openai:gpt-5"  # what `smart` means in this run


def test_an_agent_on_one_line() -> None:
    found = agents.agents(research().run, lambda path: 0)
    line = plain(agents.cells(found[0], 29, UNICODE))
    assert line.startswith(" ✓ planner")
    assert line.rstrip().endswith("$.03")
    for width in range(22, 120):
        for item in found:
            assert cells_width(agents.cells(item, width, ASCII)) <= width


# --- cost --------------------------------------------------------------------------------------


def test_the_numbers_of_a_cost_are_never_mixed() -> None:
    script = research(until="end")
    shown = [plain(line) for line in cost.lines(script.run, 80, NOW, UNICODE)]
    assert any("settled" in s and "$0.3629" in s for s in shown)
    assert any("unpriced" in s and " 1  " in s for s in shown)
    assert any("budget" in s and "$1.6371 left" in s for s in shown)
    assert any("ollama:qwen3" in s and "unpriced" in s for s in shown)
    parts = cost.by_model(script.run)
    assert sum(p.cost or 0 for p in parts) == script.run.tally.cost
    assert sum(p.cost or 0 for p in cost.by_step(script.run)) == script.run.tally.cost


def test_simulated_money_says_so_on_top() -> None:
    first = plain(cost.lines(research(simulated=True).run, 80, NOW, UNICODE)[0])
    assert first.startswith(" sim")


def test_the_end_is_projected_from_what_the_like_of_it_cost() -> None:
    live = research().run
    # A section costs $0.021, and one is left; what comes after it has no like yet, and a loop no number.
    found = cost.projection(live)
    assert found == ((live.tally.cost or 0) + 21_000, True)
    said = "\n".join(plain(row) for row in cost.lines(live, 100, NOW, UNICODE))
    assert "at the end" in said
    assert cost.projection(research(until="end").run) is None
    assert cost.projection(failed().run) is None


def test_costs_fit() -> None:
    for width in (40, 60, 80, 140):
        for line in cost.lines(research().run, width, NOW, ASCII):
            assert cells_width(line) <= max(width, 50)
            assert plain(line).isascii()


# --- header and message ------------------------------------------------------------------------


def test_the_header_never_drops_run_status_and_money() -> None:
    run = research(simulated=True).run
    for width in (60, 80, 100, 120, 200):
        cells = header.cells(
            run, width, NOW, UNICODE, rate=[1, 5, 2], flowing=10, pace="live 10Hz", place="me@box"
        )
        shown = plain(cells)
        assert cells_width(cells) <= width
        for part in ("r_8f21", "RUNNING 01:42", "sim", "$0.3229/$2.00"):
            assert part in shown, (width, shown)
    assert "me@box" in plain(header.cells(run, 200, NOW, UNICODE, place="me@box"))


def test_nothing_comes_and_goes_in_the_header_while_numbers_grow() -> None:
    """From the first second to the end, what is named at one width stays named."""
    for width in range(60, 160, 3):
        named: set[tuple[bool, ...]] = set()
        for script, now in (
            (Script(failed().run.definition, run_id="r_8f21"), T0 + 1_000),
            (research(budget_micro_usd=None), NOW),
            (research(until="end", budget_micro_usd=None), NOW),
        ):
            cells = header.cells(script.run, width, now, UNICODE, rate=[1, 2, 3], pace="live 10Hz")
            shown = plain(cells)
            named.add(("AETHERMIND" in shown, "▃" in shown or "▁" in shown, "10Hz" in shown, " tok" in shown))
        assert len(named) == 1, (width, named)


def test_one_line_says_it_all() -> None:
    shown = plain(header.tiny(research().run, 50, NOW, UNICODE))
    assert shown.startswith("● r_8f21 01:42 6/8 ✗1 $0.3229")
    assert len(shown) == 50
    assert "no run" in plain(header.tiny(None, 50, NOW, UNICODE))


def said(script: Script | None, **more: str) -> str:
    run = script.run if script is not None else None
    nodes = failed_steps(run) if run is not None else []
    keys = {"find.next_error": "E", "run.retry": "R", "run.open": "↵", "run.pause": "p", "run.answer": "a"}
    return plain(message.cells(run, nodes, 100, UNICODE, lambda action: keys.get(action, ""), **more)).strip()


def test_what_asks_for_attention() -> None:
    assert said(None) == ""
    assert said(research()) == "! gather/scrape failed — E next error"
    assert said(failed()) == "! build failed — E next error · R retry from here"
    assert said(research(), status="interrupted").endswith("nothing drives it — p go on")
    assert said(research(), note="copied") == "copied"


def test_a_question_is_shown_with_the_key_that_answers_it() -> None:
    definition = WorkflowDef(
        name="gate", steps=(step("publish", Ask(message="Publish?")), step("then", Value(value=1), "publish"))
    )
    script = Script(definition)
    script.begin(10, "publish")
    question = e.AskOpened(step="publish", attempt=1, about="ask", message="Publish 300 words?")
    script.add(20, question)
    assert said(script) == "! publish asks: Publish 300 words? — a answer"


def test_a_long_question_says_that_there_is_more_of_it() -> None:
    script = Script(WorkflowDef(name="p", steps=(step("ok", Ask(message="x")),)))
    script.begin(0, "ok")
    script.add(1, e.AskOpened(step="ok", attempt=1, about="ask", message="why " * 30))
    assert said(script) == f"! ok asks: {('why ' * 30)[:59].rstrip()}… — a answer"


def test_the_keys_it_names_are_of_actions_that_exist() -> None:
    source = inspect.getsource(message)
    named = set(re.findall(r'"((?:run|find|view|out)\.[a-z_]+)"', source))
    assert len(named) >= 5
    assert all(id in REGISTRY for id in named)


def test_a_paused_run_says_how_to_go_on() -> None:
    script = Script(failed().run.definition)
    script.begin(10, "fetch")
    script.add(20, e.RunPaused())
    assert said(script) == "‖ paused — p go on"


def test_an_end_without_a_failed_step() -> None:
    script = Script(failed().run.definition)
    error = ErrorInfo(kind="expression", message="outputs: 'x' is undefined")
    script.add(20, e.RunFailed(error=error))
    assert said(script) == "! outputs: 'x' is undefined — R retry"
    done = Script(failed().run.definition)
    done.add(20, e.RunSucceeded(outputs={"brief": "x"}))
    assert said(done) == "✓ done — outputs: brief — ↵ read the result"
