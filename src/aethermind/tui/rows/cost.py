"""What a run costs, and where it went. Pure.

Four numbers that are never mixed: settled, in flight (an upper bound: what was reserved for it), unpriced
(calls whose price nobody knows), and possibly billed (calls whose end nobody saw).
"""

from __future__ import annotations

from collections.abc import Iterable

from aethermind.domain.ids import static_path
from aethermind.domain.run import Run
from aethermind.domain.state import Node, Tally
from aethermind.domain.usage import NO_USAGE, Usage
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.cells import Cells, Line


class Share:
    """Part of a run's cost: an agent's, a model's, a step's."""

    __slots__ = ("calls", "cost", "name", "unpriced", "usage")

    def __init__(self, name: str) -> None:
        self.name = name
        self.calls = 0
        self.unpriced = 0
        self.cost: int | None = None
        self.usage: Usage = NO_USAGE

    @property
    def weight(self) -> tuple[int, int]:
        return (self.cost or 0, self.usage.total_tokens)


def by_model(run: Run) -> list[Share]:
    shares: dict[str, Share] = {}
    for node in run.nodes.values():
        for attempt in node.attempts:
            for call in attempt.calls:
                share = shares.setdefault(
                    f"{call.provider}:{call.model}", Share(f"{call.provider}:{call.model}")
                )
                share.calls += 1
                if call.usage is not None:
                    share.usage = share.usage + call.usage
                if call.cost is not None and call.cost.micro_usd is not None:
                    share.cost = (share.cost or 0) + call.cost.micro_usd
                elif call.cost is not None:
                    share.unpriced += 1
    return sorted(shares.values(), key=lambda s: s.weight, reverse=True)


def by_agent(run: Run) -> list[Share]:
    return _of_tallies((a.name, a.tally) for a in run.agents.values())


def by_step(run: Run) -> list[Share]:
    return _of_tallies((n.path, n.tally) for n in run.root.children if n.tally is not None)


def _of_tallies(items: Iterable[tuple[str, Tally]]) -> list[Share]:
    shares: list[Share] = []
    for name, tally in items:
        share = Share(name)
        share.calls, share.unpriced = tally.calls, tally.unpriced
        share.cost, share.usage = tally.cost, tally.usage
        shares.append(share)
    return sorted(shares, key=lambda s: s.weight, reverse=True)


def burn_rate(run: Run, now: int) -> int | None:
    """Micro-USD a minute over the whole run; None when nothing was priced."""
    if run.tally.cost is None or run.started_at is None:
        return None
    elapsed = max((run.finished_at or now) - run.started_at, 1_000)
    return run.tally.cost * 60_000 // elapsed


def projection(run: Run) -> tuple[int, bool] | None:
    """Micro-USD of the whole run if what is left costs what the like of it did, and whether it is at least so
    much: some steps do not know yet how many they are. None: it is over, or there is nothing to go by.
    """
    if run.finished is not None or run.tally.cost is None:
        return None
    prices: dict[str, list[int]] = {}
    left: list[Node] = []
    more = False
    for node in run.nodes.values():
        if node.mode != "leaf":
            more = more or (not node.over and (node.mode == "loop" or not node.children))
        elif node.step.kind != "prompt":
            continue
        elif not node.over:
            left.append(node)
        elif node.tally is not None and node.tally.cost is not None:
            prices.setdefault(static_path(node.path), []).append(node.tally.cost)
    if not prices or not left:
        return None
    means = {path: sum(costs) // len(costs) for path, costs in prices.items()}
    usual = sum(means.values()) // len(means)
    found = run.tally.cost
    for node in left:
        spent = (node.tally.cost or 0) if node.tally is not None else 0
        found += max(means.get(static_path(node.path), usual) - spent, 0)
    return found, more


def lines(run: Run, width: int, now: int, glyphs: Glyphs) -> list[Cells]:
    """The whole pane."""
    found = _totals(run, width, now, glyphs)
    for title, shares in (("AGENT", by_agent(run)), ("MODEL", by_model(run)), ("STEP", by_step(run))):
        if shares:
            found.append([])
            found.append(_heading(title, width, glyphs))
            found.extend(_share(s, run.tally.cost or 0, width, glyphs) for s in shares)
    return found


def _totals(run: Run, width: int, now: int, glyphs: Glyphs) -> list[Cells]:
    tally = run.tally
    sim = run.created.simulated
    entries: list[tuple[str, str, str, str]] = [
        (
            "settled",
            fmt.usd(tally.cost, unknown=glyphs.dash),
            "money",
            _calls(tally.calls - tally.in_flight),
        ),
        (
            "in flight",
            f"~{fmt.usd(tally.reserved)}" if tally.reserved else glyphs.dash,
            "money",
            f"{_calls(tally.in_flight)}, at most",
        ),
        (
            "unpriced",
            str(tally.unpriced) if tally.unpriced else glyphs.dash,
            "unpriced",
            "calls without a known price",
        ),
    ]
    if tally.at_most:
        entries.append(("maybe billed", fmt.usd(tally.at_most), "unpriced", "calls whose end nobody saw"))
    if run.budget_micro_usd is not None:
        left = run.budget_micro_usd - (tally.cost or 0) - tally.at_most - tally.reserved
        entries.append(("budget", fmt.budget(run.budget_micro_usd), "", f"{fmt.usd(max(left, 0))} left"))
    rate = burn_rate(run, now)
    if rate is not None:
        note = "a minute"
        if run.budget_micro_usd is not None and run.finished is None and rate > 0:
            left_ms = max(run.budget_micro_usd - (tally.cost or 0), 0) * 60_000 // rate
            note += f"; the budget lasts {fmt.duration(left_ms, live=True)}"
        entries.append(("burn rate", fmt.usd(rate), "money", note))
    if (end := projection(run)) is not None:
        sign = glyphs.at_least if end[1] else "~"
        entries.append(
            ("at the end", f"{sign}{fmt.usd(end[0])}", "money", "if the rest costs what the like did")
        )
    if tally.saved:
        entries.append(("saved", fmt.usd(tally.saved), "ok", "by caching"))
    found: list[Cells] = []
    for name, value, style, note in entries:
        line = Line(ellipsis=glyphs.ellipsis)
        line.field(f" {name}", 14, "faint").field(value, 12, style, right=True).add("  ")
        found.append(line.add(note, "faint").to(width).cells)
    usage = tally.usage
    line = Line(ellipsis=glyphs.ellipsis)
    line.field(" tokens", 14, "faint").field(fmt.short(usage.total_tokens), 12, "tokens", right=True).add(
        "  "
    )
    line.add(f"{fmt.short(usage.input_tokens)} in", "faint")
    if usage.cached_input_tokens:
        line.add(f" ({fmt.short(usage.cached_input_tokens)} cached)", "faint")
    line.add(f" {glyphs.dot} {fmt.short(usage.output_tokens)} out", "faint")
    if usage.reasoning_tokens:
        line.add(f" ({fmt.short(usage.reasoning_tokens)} thinking)", "faint")
    found.append(line.to(width).cells)
    if sim:
        line = Line(ellipsis=glyphs.ellipsis)
        line.add(" sim", "sim").add("  simulated models: nothing was spent, the money is notional", "faint")
        found.insert(0, line.to(width).cells)
    return found


def _heading(title: str, width: int, glyphs: Glyphs) -> Cells:
    line = Line(ellipsis=glyphs.ellipsis)
    name = max(width - 34, 12)
    line.field(f" {title}", name, "head").field("CALLS", 7, "head", right=True)
    line.field("TOK", 8, "head", right=True).field("COST", 10, "head", right=True)
    return line.to(width).cells


def _share(share: Share, total: int, width: int, glyphs: Glyphs) -> Cells:
    line = Line(ellipsis=glyphs.ellipsis)
    name = max(width - 34, 12)
    line.add(" ").say(share.name, "", width=name - 1).field(str(share.calls), 7, "time", right=True)
    line.field(fmt.short(share.usage.total_tokens), 8, "tokens", right=True)
    cost, style = "", "money"
    if share.cost is not None:
        cost = (glyphs.at_least if share.unpriced else "") + fmt.usd(share.cost)
    elif share.unpriced:
        cost, style = "unpriced", "unpriced"
    line.field(cost, 10, style, right=True)
    if total and share.cost:
        eighths = max(share.cost * 8 * 7 // total, 1)
        line.add(" ").add(glyphs.bar[8] * (eighths // 8) + glyphs.bar[eighths % 8].strip(), "bar.ok")
    return line.to(width).cells


def _calls(count: int) -> str:
    return f"{count:,} call{'s' if count != 1 else ''}"
