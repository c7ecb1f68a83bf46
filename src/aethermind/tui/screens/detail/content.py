"""What the sections of the detail screen show of a step (or of the run as a whole). Pure.

A body is one of
    Prose   text that is read as Markdown when it is whole, as it is while it streams
    Value   a JSON value, shown as a tree
    Text    ready lines
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from aethermind import wire
from aethermind.definitions.inputs import describe_type
from aethermind.domain.call_states import CallState
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.run import Run
from aethermind.domain.state import Node
from aethermind.infra.sanitize import clean, clean_line
from aethermind.tui.glyphs import Glyphs
from aethermind.tui.screens.detail.changes import changes, has_changes, pair
from aethermind.tui.screens.detail.lines import BLANK, Line, Span, plain, text_lines
from aethermind.tui.screens.detail.steps import step_lines
from aethermind.tui.screens.detail.timeline import Stop, entries, find
from aethermind.tui.screens.detail.usage import usage_lines

Json = Any
Written = Sequence[tuple[int, str, str]]
"""What a child process wrote while it ran: (attempt, `stdout` or `stderr`, line)."""
Section = Literal[
    "answer",
    "prompt",
    "process",
    "question",
    "output",
    "inputs",
    "steps",
    "usage",
    "definition",
    "attempts",
    "changes",
]
TITLES: dict[Section, str] = {
    "answer": "Answer",
    "prompt": "Prompt",
    "process": "Process",
    "output": "Output",
    "inputs": "Inputs",
    "steps": "Steps",
    "usage": "Usage",
    "definition": "Definition",
    "attempts": "Attempts",
    "question": "Question",
    "changes": "Changes",
}


@dataclass(frozen=True)
class Prose:
    text: str
    head: tuple[Line, ...] = ()
    """Lines before it: reasoning, an error."""
    tail: tuple[Line, ...] = ()
    live: bool = False


@dataclass(frozen=True)
class Value:
    value: Json


@dataclass(frozen=True)
class Text:
    lines: tuple[Line, ...]
    copy: str = ""
    """What to copy instead of the lines."""
    live: bool = False
    """More is still being written."""


Body = Prose | Value | Text


def sections(node: Node) -> list[Section]:
    """What there is to see of this node, best first."""
    found: list[Section]
    if node.parent is None:
        return ["output", "inputs", "steps", "usage"]
    if node.mode != "leaf":
        found = ["output", "steps"]
    else:
        match node.step.kind:
            case "prompt":
                found = ["answer", "prompt", "output"]
            case "run" | "python":
                found = ["process", "output"]
            case "ask":
                found = ["question", "output"]
            case _:
                found = ["output"]
    if node.question is not None and "question" not in found:
        found.append("question")
    if node.tally is not None:
        found.append("usage")
    found.append("definition")
    return [*found, "changes"] if has_changes(node) else found


def body(
    section: Section,
    run: Run,
    node: Node,
    stop: Stop,
    *,
    partial: str,
    written: Written = (),
    waits: str = "",
    now: int,
    width: int,
    glyphs: Glyphs,
) -> Body:
    """`partial` is what the call in flight has streamed so far, `waits` what the step waits for; `width` is
    for tables only."""
    match section:
        case "answer":
            return _answer(node, stop, partial, waits)
        case "prompt":
            return _prompt(node, stop)
        case "process":
            return _process(node, stop, written)
        case "output":
            return _output(run, node)
        case "inputs":
            return Value(run.created.inputs)
        case "steps":
            return Text(tuple(step_lines(node, now, width, glyphs)))
        case "usage":
            return Text(tuple(usage_lines(run, node, now=now, glyphs=glyphs)))
        case "definition":
            return Value(wire.decode_json(wire.encode_json(node.step)))
        case "question":
            return Text(tuple(_question(node)))
        case "changes":
            sent = (_plain(pair(node, stop)[0]), _plain(pair(node, stop)[1]))
            return Text(tuple(changes(node, stop, prompts=sent, written=written, glyphs=glyphs)))
        case "attempts":
            return Text(tuple(e.line for e in entries(node, now=now, width=width, glyphs=glyphs)))


def _heading(text: str) -> Line:
    return (Span(clean_line(text), "heading"),)


# --- a model call --------------------------------------------------------------------------------


def _answer(node: Node, stop: Stop, partial: str, waits: str) -> Body:
    attempt, call = find(node, stop)
    if call is None:
        error = attempt.error if attempt is not None else node.error
        if error is not None:
            return Text(tuple(error_lines(error)))
        return Text(((Span(waits, "warn"),) if waits else _nothing_yet(node),))
    head: list[Line] = []
    if call.reasoning:
        head += [_heading("reasoning"), *text_lines(clean(call.reasoning), "dim"), BLANK, _heading("answer")]
    tail = list(_tools(call))
    error = call.error or (attempt.error if attempt is not None and stop == _last(node, stop) else None)
    if error is not None:
        tail += [BLANK, *error_lines(error)]
    if waits and stop == _last(node, stop):
        tail += [BLANK, (Span(waits, "warn"),)]
    if call.finish not in {None, "stop", "tool_calls"}:
        tail += [BLANK, (Span(f"ended early: {clean_line(str(call.finish))}", "warn"),)]
    if call.status == "running":
        return Prose(partial, tuple(head), live=True)
    text = call.text or partial
    if not head and not tail and (value := as_json(text)) is not None:
        return Value(value)
    if not text and not tail:
        tail = [(Span("the answer was empty", "dim"),)]
    return Prose(text, tuple(head), tuple(tail))


def _last(node: Node, stop: Stop) -> Stop:
    attempt = next(a for a in node.attempts if a.n == stop.attempt)
    return Stop(stop.attempt, attempt.calls[-1].n if attempt.calls else None)


def _tools(call: CallState) -> Iterable[Line]:
    for tool in call.tools:
        yield BLANK
        by = f"  decided by {tool.by}" if tool.by else ""
        yield _heading(f"tool {tool.tool}{by}")
        yield from _json_lines(tool.arguments, "dim")
        if tool.error is not None:
            yield from error_lines(tool.error)
        elif isinstance(tool.result, str) and tool.finished_at is not None:
            yield from text_lines(clean(tool.result), "bad" if tool.is_error else "")
        elif tool.finished_at is not None:
            yield from _json_lines(tool.result, "")
        elif tool.status == "lost":
            yield (Span("nobody saw how it ended", "warn"),)
        else:
            yield (Span("running", "accent"),)


def _prompt(node: Node, stop: Stop) -> Body:
    _, call = find(node, stop)
    if call is None:
        template = getattr(node.step.action, "template", "")
        lines = [_heading("template (nothing was sent yet)"), *text_lines(clean(template))]
        return Text(tuple(lines), copy=template)
    return _sent(call)


def _sent(call: CallState) -> Text:
    request = call.request if isinstance(call.request, dict) else {"messages": [call.request]}
    lines = []
    copy: list[str] = []
    if system := request.get("system"):
        lines += [_heading("system"), *text_lines(clean(str(system))), BLANK]
    for message in request.get("messages") or ():
        role, content = "message", message
        if isinstance(message, dict):
            role, content = message.get("role", "?"), message.get("content", "")
        text = content if isinstance(content, str) else pretty(content)
        copy.append(text)
        lines += [_heading(str(role)), *text_lines(clean(text)), BLANK]
        if isinstance(message, dict) and message.get("tool_calls"):
            lines += [_heading("asks for tools"), *_json_lines(message["tool_calls"], "dim"), BLANK]
    rest = {k: v for k, v in request.items() if k not in {"system", "messages"} and v}
    for name, value in rest.items():
        lines += [_heading(name), *_json_lines(value, "dim"), BLANK]
    return Text(tuple(lines), copy="\n\n".join(copy))


def _plain(call: CallState | None) -> str:
    return "\n".join(map(plain, _sent(call).lines)) if call is not None else ""


# --- a child process -----------------------------------------------------------------------------


def _process(node: Node, stop: Stop, written: Written) -> Body:
    attempt, _ = find(node, stop)
    lines: list[Line] = []
    action = node.step.action
    argv = getattr(action, "argv", None)
    if argv is not None:
        lines += [_heading("command"), *text_lines(clean(" ".join(argv)), "strong")]
    else:
        lines += [_heading("python"), *text_lines(clean(str(getattr(action, "target", ""))), "strong")]
    result = node.result if isinstance(node.result, dict) and node.status == "succeeded" else {}
    error = attempt.error if attempt is not None else None
    code = result.get("exit_code", error.status if error is not None else None)
    if code is not None:
        lines += [BLANK, (Span("exit code "), Span(str(code), "good" if code == 0 else "bad"))]
    for name in ("stdout", "stderr"):
        if text := result.get(name):
            lines += [BLANK, _heading(name), *text_lines(clean(str(text)))]
    copy = "\n".join(str(result[name]) for name in ("stdout", "stderr") if result.get(name))
    wrote = [(stream, text) for number, stream, text in written if number == stop.attempt]
    if wrote and not copy:
        copy = "\n".join(text for _, text in wrote)
        lines += [BLANK, _heading("what it wrote")]
        for stream, text in wrote:
            lines += text_lines(clean(text), "warn" if stream == "stderr" else "")
    if error is not None:
        lines += [BLANK, *error_lines(error)]
    elif attempt is None:
        lines += [BLANK, _nothing_yet(node)]
    elif attempt.status == "running" and not wrote:
        lines += [BLANK, (Span("running; it has written nothing yet", "accent"),)]
    elif attempt.status == "lost":
        lines += [BLANK, (Span("the engine died while it ran: nobody saw how it ended", "warn"),)]
    live = attempt is not None and attempt.status == "running"
    return Text(tuple(lines), copy=copy, live=live)


# --- outputs, steps, errors ----------------------------------------------------------------------


def _output(run: Run, node: Node) -> Body:
    error = run.error if node.parent is None else node.error
    output = run.outputs if node.parent is None else node.output
    if error is not None:
        where = run.error_step if node.parent is None else None
        lines = [_heading(f"failed at {where}" if where else "failed"), *error_lines(error)]
        return Text(tuple(lines), copy=error.message)
    if isinstance(output, dict) and len(output) == 1 and isinstance(next(iter(output.values())), str):
        output = next(iter(output.values()))
    if isinstance(output, str):
        tail = (BLANK, (Span(f"saved to {clean_line(node.saved)}", "good"),)) if node.saved else ()
        value = as_json(output)
        return Value(value) if value is not None and not tail else Prose(output, tail=tail)
    if output is None:
        reason = node.reason or ""
        if node.status == "skipped":
            return Text(((Span(clean_line(f"skipped: {reason}".rstrip(": ")), "dim"),),))
        return Text((_nothing_yet(node),))
    return Value(output)


def _nothing_yet(node: Node) -> Line:
    said = {
        "pending": "it waits for the steps before it",
        "ready": "it waits for its turn",
        "running": "it runs",
        "retry_wait": "it will be tried again",
        "waiting_answer": "it waits for an answer: a answers",
        "waiting_budget": "it waits for budget",
        "in_doubt": "nobody saw how it ended: a decides",
        "cancelled": clean_line(node.reason or "cancelled"),
        "succeeded": "it has no output",
        "failed": "it failed",
        "skipped": clean_line(f"skipped: {node.reason or ''}".rstrip(": ")),
    }
    return (Span(said[node.status], "dim"),)


def _question(node: Node) -> Iterable[Line]:
    question = node.question
    if question is None:
        yield _nothing_yet(node)
        return
    yield from text_lines(clean(question.message), "strong")
    if question.show:
        yield BLANK
        yield from text_lines(clean(question.show))
    yield BLANK
    if question.expired:
        yield (Span("nobody answered in time", "warn"),)
    elif question.values is None:
        yield (Span("it waits for an answer", "accent"), Span("  a answers", "dim"))
        for name, schema in question.fields.items():
            yield (Span(f"  {clean_line(name)}  ", "key"), Span(clean_line(describe_type(schema)), "dim"))
    else:
        yield (Span(f"answered by {clean_line(question.by or 'somebody')}", "good"),)
        yield from _json_lines(question.values, "")


def error_lines(error: ErrorInfo) -> list[Line]:
    """Everything that is known about an error."""
    status = f" {error.status}" if error.status is not None else ""
    lines: list[Line] = [(Span(f"{error.kind}{status}  ", "bad"), Span(clean_line(error.message), "strong"))]
    if error.hint:
        lines.append((Span("hint  ", "dim"), Span(clean_line(error.hint), "good")))
    if error.detail:
        lines += [BLANK, *text_lines(clean(error.detail), "dim")]
    return lines


# --- JSON ----------------------------------------------------------------------------------------


def as_json(text: str) -> Json:
    """The object or list that a text is, else None."""
    bare = text.strip()
    if bare[:1] not in {"{", "["}:
        return None
    try:
        value = msgspec.json.decode(bare)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    return value if isinstance(value, dict | list) else None


def pretty(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _json_lines(value: Json, style: str) -> list[Line]:
    return text_lines(clean(pretty(value)), style)


def copy_of(a_body: Body) -> str:
    """What `y` takes of a body."""
    match a_body:
        case Prose(text=text):
            return text
        case Value(value=value):
            return pretty(value)
        case Text(lines=lines, copy=copy):
            return copy or "\n".join("".join(span.text for span in a_line) for a_line in lines)
