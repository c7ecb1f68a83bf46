"""What the agents of a run are doing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from aethermind.domain.run import Run
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line
from aethermind.tui.rows.draw import STYLE


class AgentItem(NamedTuple):
    name: str
    status: str
    """`running`, `retry_wait`, `failed`, `succeeded` (it has worked and rests), `pending`."""
    model: str
    step: str | None
    running: int
    attempts: int
    failed: int
    tokens: int
    cost_micro_usd: int | None
    unpriced: int
    streaming: int
    error: str | None


def agents(run: Run, streaming: Callable[[str], int]) -> list[AgentItem]:
    """Agents of the definition in its order, then those that only the run knows."""
    names = dict.fromkeys((*run.definition.agents, *run.agents))
    return [_item(run, name, streaming) for name in names]


def _item(run: Run, name: str, streaming: Callable[[str], int]) -> AgentItem:
    state = run.agents.get(name)
    if state is None:
        models = run.definition.agents[name].models if name in run.definition.agents else ()
        model = _resolved(run, models[0]) if models else ""
        return AgentItem(name, "pending", model, None, 0, 0, 0, 0, None, 0, 0, None)
    node = run.nodes.get(state.step) if state.step is not None else None
    if state.running:
        status = "running"
    elif node is not None and node.status in {"failed", "retry_wait"}:
        status = node.status
    else:
        status = "succeeded"
    return AgentItem(
        name,
        status,
        state.model or "",
        state.step,
        state.running,
        state.attempts,
        state.failed,
        state.tally.usage.total_tokens,
        state.tally.cost,
        state.tally.unpriced,
        streaming(state.step) if state.running and state.step is not None else 0,
        state.last_error,
    )


def _resolved(run: Run, model: str) -> str:
    found = run.models.get(model)
    return found[0] if found else model


def matching(items: Sequence[AgentItem], text: str) -> list[AgentItem]:
    text = text.lower()
    return [i for i in items if not text or text in f"{i.name} {i.model} {i.status}".lower()]


def cells(item: AgentItem, width: int, glyphs: Glyphs) -> Cells:
    """`● planner    opus    $.11`; wider: attempts, tokens and what it works on."""
    line = Line(ellipsis=glyphs.ellipsis)
    line.add(" ")
    style = STYLE.get(item.status, "")
    if item.streaming:
        line.add(glyphs.streaming, style)
    else:
        line.add(glyphs.status_of(item.status), style).add(" ")
    cost = fmt.usd_short(item.cost_micro_usd, unknown=glyphs.dash if item.unpriced else "")
    if item.unpriced and item.cost_micro_usd is not None:
        cost = glyphs.at_least + cost
    quiet = "faint" if item.status == "pending" else ""
    room = width - line.width - 7
    name = max(min(room * 3 // 5, 24), 6)
    line.say(item.name, quiet, width=name).add(" ")
    model = room - name - 2 if width < 72 else 18
    line.say(fmt.model(item.model), "faint", width=max(model, 0)).add(" ")
    if width >= 72:
        tokens = item.tokens + item.streaming
        mark = "~" if item.streaming else ""
        line.field(f"{item.attempts or ''}", 4, "time", right=True)
        line.field(mark + fmt.short(tokens) if tokens else "", 8, "tokens", right=True).add("  ")
        line.say(item.step or "", "faint", width=max(width - line.width - 8, 0))
    line.field(cost, width - line.width - 1, "money", right=True)
    return line.cells
