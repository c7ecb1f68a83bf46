"""The hostile corpus through all that the screens make of a text: no row carries what a terminal acts on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from aethermind.domain import events as e
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.workflow import Ask, Command, StepDef, WorkflowDef
from aethermind.infra.sanitize import is_clean_line
from aethermind.tui.glyphs import UNICODE
from aethermind.tui.screens.card import card_lines
from aethermind.tui.screens.detail import content, head, markdown, timeline
from aethermind.tui.screens.detail.content import Body, Prose, Section, Text, Value
from aethermind.tui.screens.detail.lines import Line, plain, text_lines
from aethermind.tui.screens.detail.timeline import Stop
from aethermind.tui.screens.detail.tree import JsonTree
from aethermind.tui.screens.dialog import safe, safe_line
from tests.hostile import HOSTILE
from tests.tui import histories
from tests.tui.histories import Script

TEXTS = pytest.mark.parametrize("bad", HOSTILE, ids=range(len(HOSTILE)))


def check(lines: Iterable[Line]) -> None:
    for a_line in lines:
        assert is_clean_line(plain(a_line)), plain(a_line)


def rows(body: Body) -> Iterable[Line]:
    match body:
        case Prose():
            return [*body.head, *markdown.render(body.text, width=60, dark=True, styles={}), *body.tail]
        case Value():
            return [tree_line.line for tree_line in JsonTree(body.value).lines]
        case Text():
            return body.lines


@TEXTS
def test_markdown_json_and_dialogs(bad: str) -> None:
    bad = bad.encode("utf-8", "replace").decode()  # JSON and files hold no lone surrogates
    check(
        markdown.render(
            f"# {bad}\n\n- {bad}\n\n```\n{bad}\n```\n[{bad}]({bad})", width=60, dark=True, styles={}
        )
    )
    tree = JsonTree({bad: [bad, {"x": bad}]})
    tree.unfold_all()
    check(tree_line.line for tree_line in tree.lines)
    check(text_lines(safe(bad).plain))
    assert is_clean_line(safe_line(bad).plain)


@TEXTS
def test_every_section_of_a_step(bad: str) -> None:
    error = ErrorInfo(kind="server", message=bad, hint=bad, detail=bad)
    script = Script(histories.RESEARCH)
    script.begin(10, "plan")
    script.call(20, "plan", model=f"openai:{bad}")
    at: Any = {"step": "plan", "attempt": 1, "call": 1}
    script.add(21, e.ToolStarted(**at, tool_call_id="t", tool=bad, arguments={bad: bad}))
    script.add(22, e.ToolFinished(**at, tool_call_id="t", result=bad))
    script.reply(30, "plan", bad, reasoning=bad)
    script.fail(40, "plan", error, retry_in=5_000)
    script.begin(6_000, "plan")
    script.call(6_010, "plan", model=f"{bad}:gpt-5")
    script.reply(6_020, "plan", f"{bad} ", reasoning=bad)
    _check_all(script, "plan")


@TEXTS
def test_processes_and_questions(bad: str) -> None:
    bad = bad.encode("utf-8", "replace").decode()  # a definition is recorded, so it has no lone surrogates
    definition = WorkflowDef(
        name=bad,
        steps=(
            StepDef(id="make", action=Command(argv=(bad,))),
            StepDef(id="ask", action=Ask(message=bad)),
        ),
    )
    script = Script(definition, inputs={bad: bad}, models={})
    script.begin(10, "make")
    script.succeed(20, "make", bad, result={"stdout": bad, "stderr": bad, "exit_code": 0}, saved=bad)
    script.begin(30, "ask")
    script.add(
        31,
        e.AskOpened(step="ask", attempt=1, about="ask", message=bad, show=bad, fields={bad: {"enum": [bad]}}),
    )
    _check_all(script, "make")
    _check_all(script, "ask")
    script.add(40, e.AskAnswered(step="ask", values={bad: bad}, by=bad))
    script.fail(50, "ask", ErrorInfo(kind="rejected", message=bad))
    script.add(51, e.RunFailed(error=ErrorInfo(kind="rejected", message=bad, hint=bad), step=bad))
    _check_all(script, "ask")
    _check_all(script, "")
    check(card_lines(script.run, width=60, preview=5, glyphs=UNICODE))


def _check_all(script: Script, path: str) -> None:
    run = script.run
    node = run.nodes[path] if path else run.root
    known = timeline.stops(node) or [Stop(0, None)]
    sections: list[Section] = [*content.sections(node), "attempts"]
    for section in sections:
        for stop in known:
            body = content.body(
                section,
                run,
                node,
                stop,
                partial="",
                written=[(1, "stdout", run.created.workflow)],
                now=script.now,
                width=60,
                glyphs=UNICODE,
            )
            check(rows(body))
    check([head.title(run, node, streaming=False, now=script.now, width=80, glyphs=UNICODE)])
