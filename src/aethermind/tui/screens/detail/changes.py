"""An attempt beside the one before it: what was sent, what came back, what it took. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aethermind.domain.call_states import CallState
from aethermind.domain.state import AttemptState, Node
from aethermind.infra.sanitize import clean, clean_line
from aethermind.tui import format as fmt
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.rows.compare import text_diff
from aethermind.tui.screens.detail.lines import BLANK, Line, Span, text_lines
from aethermind.tui.screens.detail.timeline import Stop, find

MOST_LINES = 2_000
"""Longer texts are not compared: that would take longer than a key may."""
Written = Sequence[tuple[int, str, str]]


def has_changes(node: Node) -> bool:
    return len(node.attempts) > 1


def changes(
    node: Node, stop: Stop, *, prompts: tuple[str, str], written: Written, glyphs: Glyphs
) -> list[Line]:
    """`prompts`: what was sent before and now, as text (empty where nothing was)."""
    attempt, call = find(node, stop)
    before = _before(node, attempt)
    if attempt is None or before is None:
        return [(Span("this is the first try: [ and ] go to others", "dim"),)]
    old = _beside(before, call)
    lines: list[Line] = [
        (
            Span(_name(before, old), "strong"),
            Span(f" {'->' if glyphs.ascii else '→'} ", "dim"),
            Span(_name(attempt, call), "strong"),
        )
    ]
    lines += _facts(before, attempt, old, call, glyphs)
    names = (f"try {before.n}", f"try {attempt.n}")
    if call is not None or old is not None:
        lines += _diff("prompt", prompts[0], prompts[1], names)
        lines += _diff("answer", _said(before, old), _said(attempt, call), names)
    else:
        lines += _diff("what it wrote", _wrote(written, before), _wrote(written, attempt), names)
        lines += _diff("error", _said(before, None), _said(attempt, None), names)
    return lines


def pair(node: Node, stop: Stop) -> tuple[CallState | None, CallState | None]:
    """The call shown, and the one of the attempt before that stands beside it: (before, now)."""
    attempt, call = find(node, stop)
    before = _before(node, attempt)
    return (_beside(before, call) if before is not None else None), call


def _before(node: Node, attempt: AttemptState | None) -> AttemptState | None:
    earlier = [other for other in node.attempts if attempt is not None and other.n < attempt.n]
    return earlier[-1] if earlier else None


def _beside(attempt: AttemptState, call: CallState | None) -> CallState | None:
    """Of the same number, else the last one."""
    wanted = call.n if call is not None else None
    same = next((other for other in attempt.calls if other.n == wanted), None)
    return same or (attempt.calls[-1] if attempt.calls else None)


def _name(attempt: AttemptState, call: CallState | None) -> str:
    return f"try {attempt.n}" + (f", call {call.n}" if call is not None else "")


def _facts(
    before: AttemptState, attempt: AttemptState, old: CallState | None, call: CallState | None, glyphs: Glyphs
) -> Iterable[Line]:
    arrow = "->" if glyphs.ascii else "→"
    pairs = [("status", before.status, attempt.status), ("took", _took(before), _took(attempt))]
    if old is not None or call is not None:
        pairs += [
            ("model", _model(old), _model(call)),
            ("tokens", _tokens(old), _tokens(call)),
            ("cost", _cost(old), _cost(call)),
        ]
    for word, one, other in pairs:
        if one == other:
            yield (Span(f"  {word:<8}", "dim"), Span(one or glyphs.dash))
        else:
            yield (
                Span(f"  {word:<8}", "dim"),
                Span(one or glyphs.dash),
                Span(f" {arrow} ", "dim"),
                Span(other or glyphs.dash, "strong"),
            )


def _took(attempt: AttemptState) -> str:
    return fmt.duration(attempt.finished_at - attempt.started_at) if attempt.finished_at is not None else ""


def _model(call: CallState | None) -> str:
    return clean_line(f"{call.provider}:{call.model}") if call is not None else ""


def _tokens(call: CallState | None) -> str:
    usage = call.usage if call is not None else None
    return f"{fmt.grouped(usage.input_tokens)} in, {fmt.grouped(usage.output_tokens)} out" if usage else ""


def _cost(call: CallState | None) -> str:
    return (
        fmt.usd(call.cost.micro_usd, unknown="unpriced") if call is not None and call.cost is not None else ""
    )


def _said(attempt: AttemptState, call: CallState | None) -> str:
    """What came back: a text, or why there is none."""
    if call is not None and call.text:
        return call.text
    error = (call.error if call is not None else None) or attempt.error
    if error is None:
        return ""
    return "\n".join(part for part in (f"{error.kind}: {error.message}", error.detail or "") if part)


def _wrote(written: Written, attempt: AttemptState) -> str:
    return "\n".join(text for number, _, text in written if number == attempt.n)


def _diff(title: str, one: str, other: str, names: tuple[str, str]) -> Iterable[Line]:
    if not one and not other:
        return
    yield BLANK
    if one == other:
        yield (Span(title, "heading"), Span("  the same", "dim"))
        return
    if max(one.count("\n"), other.count("\n")) > MOST_LINES:
        sizes = " and ".join(f"{fmt.grouped(text.count(chr(10)) + 1)} lines" for text in (one, other))
        yield (Span(title, "heading"), Span(f"  differs; too long to compare: {sizes}", "dim"))
        return
    found = text_diff(one, other, names)
    if not found:
        yield (Span(title, "heading"), Span("  differs in what can't be seen", "dim"))
        return
    yield (Span(title, "heading"),)
    for row in found[2:]:
        yield from text_lines(clean(row), _TONES.get(row[:1], "dim"))


_TONES = {"+": "good", "-": "bad", " ": "", "@": "key"}
