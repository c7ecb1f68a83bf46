"""Tokens and money of a step's calls. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from aethermind.domain.call_states import CallState
from aethermind.domain.run import Run
from aethermind.domain.state import Node, Tally
from aethermind.domain.usage import Usage
from aethermind.infra.sanitize import clean_line
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.screens.detail.lines import BLANK, Line, Span


def usage_lines(run: Run, node: Node, *, now: int, glyphs: Glyphs) -> Iterable[Line]:
    """Every call of this node, then the sum with all that is below it."""
    sim = run.created.simulated
    for attempt in node.attempts:
        for call in attempt.calls:
            yield from _call(attempt.n, call, now, sim=sim, glyphs=glyphs)
            yield BLANK
    tally = run.tally if node.parent is None else node.tally
    if tally is None:
        yield (Span("no model was called", "dim"),)
        return
    yield from _total(
        tally, sim=sim, glyphs=glyphs, budget=run.budget_micro_usd if node.parent is None else None
    )


def _call(attempt: int, call: CallState, now: int, *, sim: bool, glyphs: Glyphs) -> Iterable[Line]:
    live = call.finished_at is None
    took = fmt.duration((call.finished_at or now) - call.started_at, live=live)
    first = (
        f", first token after {fmt.duration(call.first_token_ms)}" if call.first_token_ms is not None else ""
    )
    yield (
        Span(f"try {attempt} {glyphs.dot} call {call.n}", "heading"),
        Span(f"  {clean_line(call.provider)}:{clean_line(call.model)}", "strong"),
        Span(f"  {call.status}, {took}{first}", "dim"),
    )
    if call.usage is not None:
        yield from _tokens(call.usage)
    else:
        yield (Span("  tokens   "), Span("not known yet" if live else "the provider did not say", "dim"))
    if call.cost is not None:
        saved = f"  cache saved {fmt.usd(call.cost.saved_micro_usd)}" if call.cost.saved_micro_usd else ""
        amount = fmt.usd(call.cost.micro_usd, unknown="unpriced")
        yield (
            Span("  cost     "),
            Span(amount, "warn" if call.cost.micro_usd is None else ""),
            Span(f"  {'sim  ' if sim else ''}{clean_line(call.cost.source)}{saved}", "dim"),
        )
    elif live and call.reserved is not None:
        yield (Span("  reserved "), Span(fmt.usd(call.reserved)), Span("  until it is settled", "dim"))
    elif call.status == "failed":
        yield (Span("  cost     "), Span("not billed", "dim"))
    elif call.status == "lost":
        amount = fmt.usd(call.reserved) if call.reserved is not None else "an unknown amount"
        yield (Span("  cost     "), Span(f"may have been billed, at most {amount}", "warn"))


def _tokens(usage: Usage) -> Iterable[Line]:
    yield (
        Span("  input    "),
        Span(fmt.grouped(usage.input_tokens).rjust(9)),
        Span(
            f"  of these {fmt.grouped(usage.cached_input_tokens)} from the cache,"
            f" {fmt.grouped(usage.cache_write_tokens)} written to it",
            "dim",
        ),
    )
    yield (
        Span("  output   "),
        Span(fmt.grouped(usage.output_tokens).rjust(9)),
        Span(f"  of these {fmt.grouped(usage.reasoning_tokens)} reasoning", "dim"),
    )


def _total(tally: Tally, *, sim: bool, glyphs: Glyphs, budget: int | None) -> Iterable[Line]:
    calls = f"{tally.calls} call{'s' if tally.calls != 1 else ''}"
    yield (Span("all together", "heading"), Span(f"  {calls}", "dim"))
    yield from _tokens(tally.usage)
    yield (
        Span("  settled  "),
        Span(fmt.usd(tally.cost), "strong"),
        Span("  sim: simulated, nothing was spent" if sim else "", "warn"),
    )
    if tally.in_flight:
        yield (Span("  in flight"), Span(f" ~{tally.in_flight} call{'s' if tally.in_flight != 1 else ''}"))
    if tally.reserved:
        yield (Span("  reserved "), Span(fmt.usd(tally.reserved)))
    if tally.unpriced:
        calls = f"{tally.unpriced} call{'s' if tally.unpriced != 1 else ''} without a known price"
        yield (Span("  unpriced "), Span(calls, "warn"))
    if tally.at_most:
        yield (
            Span("  at most  "),
            Span(f"{fmt.usd(tally.at_most)} more, for calls whose end nobody saw", "warn"),
        )
    if tally.saved:
        yield (Span("  saved    "), Span(f"{fmt.usd(tally.saved)} by the cache", "good"))
    if budget is not None:
        yield (Span("  budget   "), Span(fmt.budget(budget)))
