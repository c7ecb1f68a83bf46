"""Whatever untrusted text reaches a pane, nothing of it reaches the terminal but harmless cells."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from textual.widgets._toast import Toast

from aethermind.domain.errors import ErrorInfo
from aethermind.domain.events import RunFailed, ToolFailed, ToolStarted
from aethermind.domain.workflow import Command, WorkflowDef
from aethermind.engine.client import TokenDelta
from aethermind.infra.sanitize import is_clean_line
from aethermind.tui.context import PANES
from aethermind.tui.rows.logs import LEVELS, LogLine, LogRing, LogView
from aethermind.tui.rows.trace import TraceRows, with_above
from tests.hostile import HOSTILE, UNSAFE
from tests.tui.histories import Script, agents, prompt, research, step
from tests.tui.theatre import engine_of, lines, make, playing, settle


def attack(texts: Sequence[str]) -> Script:
    """Hostile text in every place that a screen shows and that somebody else can write."""
    count = len(texts)
    definition = WorkflowDef(
        name=texts[0],
        agents=agents(**dict(zip(texts, reversed(texts), strict=True))),
        steps=(
            prompt("a", texts[1], for_each=[1]),
            *(step(f"s{n}_{text}", Command(argv=(text,))) for n, text in enumerate(texts)),
        ),
    )
    s = Script(definition, inputs={"x": texts[0]}, source="/".join(texts))
    s.expand(10, "a", items=texts)
    for n, text in enumerate(texts):
        path, other = f"a[{n}]", texts[-n]
        error = ErrorInfo(kind="command", message=text, hint=other, detail=text)
        s.begin(20 + n, path)
        s.call(30 + n, path, model=f"{text}:{other}")
        tool = ToolStarted(
            step=path, attempt=1, call=1, tool_call_id=text, tool=other, arguments={text: other}
        )
        s.add(40 + n, tool)
        s.add(50 + n, ToolFailed(step=path, attempt=1, call=1, tool_call_id=text, error=error))
        if n % 2:
            s.refuse(60 + n, path, error)
            s.fail(70 + n, path, error)
        for level in LEVELS:
            s.log(90, level, text, step=other, metadata={text: other})
    s.add(95, RunFailed(error=ErrorInfo(kind="command", message=texts[count // 2]), step="a"))
    return s


@pytest.mark.parametrize("size", [(160, 300), (80, 300), (60, 300), (40, 10)])
async def test_every_pane_in_every_shape(size: tuple[int, int]) -> None:
    app = make(attack(HOSTILE))
    seen: list[str] = []
    async with playing(app, size) as pilot:
        main = app.main_screen
        engine_of(app).put(*(TokenDelta("r_8f21", f"a[{n}]", 1, 1, 0, t) for n, t in enumerate(HOSTILE)))
        main.trace.select("a[0]")
        rows = main.trace._rows
        assert rows is not None
        for _ in range(2):  # the calls, then the tools below them
            for index in reversed(range(len(rows.rows))):
                rows.set_open(index, opened=True)
        for pane in PANES:
            main.focus_pane(pane)
            await settle(pilot)
            seen += lines(app)
            seen += [main.text_to_copy()] if pane != "trace" else []
            for row in range(main._panes[pane].row_count()):
                seen.append(main._panes[pane].row_text(row))
        for text in HOSTILE:
            main.note(text)
            seen += lines(app)
    assert len(seen) > 500
    assert not [line for line in seen if UNSAFE.search(line) or "\n" in line or "\t" in line]


@pytest.mark.parametrize("text", [t for t in HOSTILE if t.strip() and len(t) < 1_000])
async def test_filters_and_searches_take_anything(text: str) -> None:
    ring = LogRing()
    for line in HOSTILE:
        ring.append(LogLine(0, "info", line, line, line))
    view = LogView(ring)
    view.filter(text=text)
    assert len(view) >= 1
    script = attack(HOSTILE)
    rows = TraceRows(script.run)
    rows.only = with_above(script.run, lambda node: text in str(node.item))
    rows.rebuild()
    assert len(rows.rows) > 1


async def test_toasts_are_clean_and_never_markup() -> None:
    app = make(research())
    async with playing(app) as pilot:
        for text in HOSTILE:
            app.clear_notifications()
            app.toast(text, "warning")
            await pilot.pause()
            (notification,) = app._notifications
            assert not notification.markup
            assert is_clean_line(notification.message)
            assert Toast(notification).render().plain == notification.message
