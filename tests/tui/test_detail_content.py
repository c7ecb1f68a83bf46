"""What the sections of the detail screen say of a run's steps, without a screen."""

from __future__ import annotations

from typing import Any

import pytest

from aethermind.domain import events as e
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.usage import Cost
from aethermind.domain.workflow import Command, StepDef, WorkflowDef
from aethermind.tui.glyphs import ASCII, UNICODE
from aethermind.tui.screens.detail import content, head, markdown, timeline
from aethermind.tui.screens.detail.changes import changes
from aethermind.tui.screens.detail.content import Body, Prose, Section, Text, Value
from aethermind.tui.screens.detail.lines import plain
from aethermind.tui.screens.detail.timeline import Stop
from tests.tui import histories
from tests.tui.histories import ANSWER, Script


def body(script: Script, path: str, section: Section, stop: Stop | None = None, partial: str = "") -> Body:
    run = script.run
    node = run.nodes[path] if path else run.root
    known = timeline.stops(node)
    return content.body(
        section,
        run,
        node,
        stop or (known[-1] if known else Stop(0, None)),
        partial=partial,
        now=script.now,
        width=80,
        glyphs=UNICODE,
    )


def text(found: Body) -> str:
    assert isinstance(found, Text)
    return "\n".join(plain(a_line) for a_line in found.lines)


RESEARCH = histories.research()


# --- sections --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path, sections",
    [
        ("", ["output", "inputs", "steps", "usage"]),
        ("plan", ["answer", "prompt", "output", "usage", "definition"]),
        ("gather/search_web", ["process", "output", "definition"]),
        ("gather", ["output", "steps", "usage", "definition"]),
        ("brief", ["output", "definition"]),
    ],
)
def test_each_kind_of_step_has_its_sections(path: str, sections: list[Section]) -> None:
    node = RESEARCH.run.nodes[path] if path else RESEARCH.run.root
    assert content.sections(node) == sections


# --- answers ---------------------------------------------------------------------------------------


def test_an_answer_that_is_json_is_a_value() -> None:
    assert body(RESEARCH, "plan", "answer") == Value({"sections": ["moon", "sun", "sea"]})


def test_any_other_answer_is_prose() -> None:
    assert body(RESEARCH, "gather/read_papers", "answer") == Prose(ANSWER)
    first = body(RESEARCH, "gather/read_papers", "answer", Stop(1, 1))
    assert first == Prose("Twelve papers, three worth it.")


def test_a_call_in_flight_shows_what_has_streamed() -> None:
    assert body(RESEARCH, "sections[2]", "answer", partial="The sea") == Prose("The sea", live=True)


def test_a_failed_call_shows_its_error_and_hint() -> None:
    found = body(RESEARCH, "gather/scrape", "answer", Stop(1, 1))
    assert isinstance(found, Prose)
    said = "\n".join(plain(a_line) for a_line in found.tail)
    assert "rate_limit 429  429 Too Many Requests" in said
    assert "hint  wait, or ask for more" in said


def test_the_last_call_of_a_failed_attempt_shows_why_the_attempt_failed() -> None:
    found = body(RESEARCH, "gather/scrape", "answer")
    assert isinstance(found, Prose)
    assert found.text == "half a page"
    assert "gave up after 3 tries" in plain(found.tail[-1])


def test_reasoning_stands_before_the_answer() -> None:
    script = Script(histories.RESEARCH)
    script.begin(10, "plan")
    script.call(20, "plan")
    script.reply(30, "plan", "Yes.", reasoning="Let me\nthink.")
    found = body(script, "plan", "answer")
    assert isinstance(found, Prose)
    assert [plain(a_line) for a_line in found.head] == ["reasoning", "Let me", "think.", "", "answer"]


def test_an_answer_that_ended_early_says_so() -> None:
    script = Script(histories.RESEARCH)
    script.begin(10, "plan")
    script.call(20, "plan")
    at: Any = {"step": "plan", "attempt": 1, "call": 1}
    script.add(30, e.CallFinished(**at, usage=None, cost=Cost(), text="Cut of", finish="length"))
    found = body(script, "plan", "answer")
    assert isinstance(found, Prose)
    assert plain(found.tail[-1]) == "ended early: length"


def test_tools_show_arguments_and_results() -> None:
    script = Script(histories.RESEARCH)
    script.begin(10, "plan")
    script.call(20, "plan")
    at: Any = {"step": "plan", "attempt": 1, "call": 1}
    script.add(30, e.ToolStarted(**at, tool_call_id="t1", tool="search", arguments={"q": "tides"}))
    script.add(40, e.ToolFinished(**at, tool_call_id="t1", result=["a"]))
    script.add(50, e.ToolStarted(**at, tool_call_id="t2", tool="fetch", arguments={}))
    error = ErrorInfo(kind="exception", message="no such page")
    script.add(60, e.ToolFailed(**at, tool_call_id="t2", error=error))
    script.reply(70, "plan", "Done.")
    found = body(script, "plan", "answer")
    assert isinstance(found, Prose)
    said = [plain(a_line) for a_line in found.tail]
    assert "tool search" in said
    assert '  "q": "tides"' in said
    assert '  "a"' in said
    assert "exception  no such page" in said


# --- prompt, process, output -----------------------------------------------------------------------


def test_the_prompt_is_what_was_sent() -> None:
    found = body(RESEARCH, "plan", "prompt")
    assert "system\nYou are planner." in text(found)
    assert "user\nDo plan for tides." in text(found)
    assert '"max_tokens": 2000' in text(found)
    assert content.copy_of(found) == "Do plan for tides."


def test_before_anything_was_sent_the_template_is_shown() -> None:
    found = body(Script(histories.RESEARCH), "plan", "prompt")
    assert "nothing was sent yet" in text(found)
    assert content.copy_of(found) == "Do plan. "


def command_run() -> Script:
    definition = WorkflowDef(name="build", steps=(StepDef(id="make", action=Command(argv=("make", "-j2"))),))
    script = Script(definition, inputs={}, models={})
    script.begin(10, "make")
    return script


def test_a_command_shows_what_it_wrote_and_its_exit_code() -> None:
    script = command_run()
    result = {"stdout": "cc main.c\n", "stderr": "warning: \x1b[31mred", "exit_code": 0}
    script.succeed(500, "make", "cc main.c", result=result)
    said = text(body(script, "make", "process"))
    assert "command\nmake -j2" in said
    assert "exit code 0" in said
    assert "stdout\ncc main.c" in said
    assert "stderr\nwarning: ␛[31mred" in said


def test_a_failed_command_shows_code_and_detail() -> None:
    said = text(body(histories.failed(), "build", "process"))
    assert "exit code 2" in said
    assert "command 2  make exited with 2" in said
    assert said.endswith("main.c:3: expected ';'")


def test_a_command_nobody_saw_end_says_so() -> None:
    script = command_run()
    script.add(900, e.AttemptLost(step="make", attempt=1, resolution="ask"))
    assert "nobody saw how it ended" in text(body(script, "make", "process"))


def test_outputs_of_a_run() -> None:
    assert body(histories.research(until="end"), "", "output") == Prose(ANSWER)
    assert "failed at build" in text(body(histories.failed(), "", "output"))
    assert text(body(RESEARCH, "", "output")) == "it runs"


def test_a_step_without_output_says_why() -> None:
    script = Script(histories.RESEARCH)
    assert text(body(script, "brief", "output")) == "it waits for the steps before it"
    script.add(5, e.StepSkipped(step="brief", reason="polish skipped"))
    assert text(body(script, "brief", "output")) == "skipped: polish skipped"


def test_the_steps_of_a_group_are_lines() -> None:
    said = text(body(RESEARCH, "gather", "steps")).splitlines()
    assert len(said) == 3
    assert said[2].startswith("✗ scrape")
    assert "try 3" in said[2]
    assert "gave up after 3 tries" in said[2]


# --- usage -----------------------------------------------------------------------------------------


def test_usage_adds_up_and_never_hides_what_is_unpriced() -> None:
    end = histories.research(until="end")
    said = text(body(end, "", "usage"))
    assert "settled  $0.3629" in said
    assert "unpriced 1 call without a known price" in said
    assert "budget   $2.00" in said
    assert "sim" not in said


def test_usage_of_a_call_in_flight_shows_its_reservation() -> None:
    script = Script(histories.RESEARCH)
    script.begin(10, "plan")
    script.call(20, "plan")
    said = text(body(script, "plan", "usage"))
    assert "reserved $0.0090  until it is settled" in said
    assert "in flight ~1 call" in said


def test_simulated_money_says_so() -> None:
    script = histories.research(until="end", simulated=True)
    assert "sim: simulated, nothing was spent" in text(body(script, "", "usage"))


# --- timeline and head -----------------------------------------------------------------------------


def test_the_timeline_has_attempts_waits_calls_and_errors() -> None:
    node = RESEARCH.run.nodes["gather/scrape"]
    found = timeline.entries(node, now=RESEARCH.now, width=40, glyphs=UNICODE)
    said = [plain(entry.line) for entry in found]
    assert all(len(row) <= 40 for row in said)
    assert [row.split()[:2] for row in said[:4]] == [
        ["✗", "try"],
        ["✗", "call"],
        ["429", "Too"],
        ["↻", "waited"],
    ]
    assert said[3].endswith("8.0s")
    assert [entry.stop for entry in found if entry.stop] == [Stop(1, 1), Stop(2, 1), Stop(3, 1)]


def test_a_retry_that_is_due_counts_down() -> None:
    script = Script(histories.RESEARCH)
    script.prompt(0, 100, "plan", "{}")
    script.expand(110, "gather")
    script.begin(120, "gather/scrape")
    script.fail(1_000, "gather/scrape", histories.RATE_LIMIT, retry_in=8_000)
    node = script.run.nodes["gather/scrape"]
    found = timeline.entries(node, now=script.now + 3_000, width=40, glyphs=UNICODE)
    assert plain(found[-1].line).split() == ["↻", "tries", "again", "in", "5s"]


@pytest.mark.parametrize("width", [30, 60, 120])
def test_the_title_keeps_the_money(width: int) -> None:
    node = RESEARCH.run.nodes["gather/read_papers"]
    found = head.title(RESEARCH.run, node, streaming=False, now=RESEARCH.now, width=width, glyphs=UNICODE)
    said = plain(found)
    assert "$0.2100" in said
    if width > 30:
        assert len(said) == width
        assert said.startswith(" ✓ gather/read_papers  succeede")


def test_names_of_sections_are_cut_where_they_do_not_fit() -> None:
    sections: list[Section] = ["answer", "prompt", "output", "changes", "usage", "definition", "attempts"]
    line, places = head.tabs(sections, "prompt", 50)
    assert plain(line) == "  1 An  2 Prompt  3 Ou  4 Ch  5 Us  6 De  7 At "
    assert places[-1][1] == len(plain(line))
    assert "6 Definition  7 Attempts" in plain(head.tabs(sections, "prompt", 80)[0])
    assert plain(head.tabs(sections, "prompt", 10)[0]) == "  1  2 Prompt  3  4  5  6  7 "


def test_ascii_has_no_other_signs() -> None:
    node = RESEARCH.run.nodes["gather/scrape"]
    title = plain(head.title(RESEARCH.run, node, streaming=True, now=RESEARCH.now, width=80, glyphs=ASCII))
    rows = [plain(x.line) for x in timeline.entries(node, now=RESEARCH.now, width=40, glyphs=ASCII)]
    assert (title + "".join(rows)).isascii()


# --- an attempt beside the one before ----------------------------------------------------------------


def test_a_try_is_shown_beside_the_one_before_it() -> None:
    node = RESEARCH.run.nodes["gather/scrape"]
    assert "changes" in content.sections(node)
    said = [
        plain(a_line)
        for a_line in changes(node, Stop(3, 1), prompts=("a\nb", "a\nc"), written=(), glyphs=UNICODE)
    ]
    assert said[0] == "try 2, call 1 → try 3, call 1"
    assert "  cost    — → $0.0399" in said
    assert "  status  failed" in said
    begin = said.index("prompt")
    assert said[begin + 2 : begin + 5] == [" a", "-b", "+c"]
    assert "-rate_limit: 429 Too Many Requests" in said
    assert "+half a page" in said


def test_what_a_command_wrote_is_compared() -> None:
    script = histories.failed()
    script.add(8_000, e.RunReopened(steps=("build",), generation=2))
    script.begin(8_100, "build")
    node = script.run.nodes["build"]
    written = [(1, "stdout", "cc main.c"), (1, "stderr", "expected ;"), (2, "stdout", "cc main.c")]
    found = changes(node, Stop(2, None), prompts=("", ""), written=written, glyphs=ASCII)
    said = [plain(a_line) for a_line in found]
    assert said[0] == "try 1 -> try 2"
    assert "-expected ;" in said
    assert " cc main.c" in said


def test_the_first_try_has_none_before_it_and_what_is_huge_is_not_compared() -> None:
    node = RESEARCH.run.nodes["gather/scrape"]
    (line,) = changes(node, Stop(1, 1), prompts=("", "x"), written=(), glyphs=UNICODE)
    assert plain(line).startswith("this is the first try")
    found = changes(node, Stop(2, 1), prompts=("x\n" * 5_000, "y\n"), written=(), glyphs=UNICODE)
    assert any("too long to compare: 5 001 lines and 2 lines" in plain(a_line) for a_line in found)
    assert "changes" not in content.sections(RESEARCH.run.nodes["plan"])


# --- Markdown --------------------------------------------------------------------------------------


def test_markdown_is_drawn_with_plain_signs_where_there_are_no_others() -> None:
    source = "- one\n- two\n\n> said\n\n---\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    told = [plain(line) for line in markdown.render(source, width=40, dark=True, styles={}, ascii=True)]
    assert all(line.isascii() for line in told)
    assert any(line.lstrip().startswith("* one") for line in told)
    assert not all(plain(line).isascii() for line in markdown.render(source, width=40, dark=True, styles={}))


def test_markdown_is_laid_out_and_harmless() -> None:
    source = (
        "# Head\n\nA **bold** [link](https://example.org) and &#8238;bidi, \x1b]52;c;eA==\x07.\n\n- one\n"
    )
    lines = markdown.render(source, width=60, dark=True, styles={})
    said = "\n".join(plain(a_line) for a_line in lines)
    assert "Head" in said
    assert "• one" in said
    assert "**" not in said
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert not any(getattr(span.style, "link", None) for a_line in lines for span in a_line)
    assert all(len(plain(a_line)) <= 60 for a_line in lines if "⟨" not in plain(a_line))


def test_markup_in_a_text_stays_text() -> None:
    (row,) = markdown.render("[bold]x[/] [@click=app.quit]y[/]", width=60, dark=True, styles={})
    assert plain(row) == "[bold]x[/] [@click=app.quit]y[/]"


def test_a_huge_text_is_not_laid_out() -> None:
    lines = markdown.render("**x** " * 50_000, width=60, dark=True, styles={})
    assert "**" in plain(lines[0])


@pytest.mark.parametrize("bad", ["", "no json", "{", "[1, 2", '"text"', "17", "[" * 100_000])
def test_only_whole_objects_and_lists_are_json(bad: str) -> None:
    assert content.as_json(bad) is None
