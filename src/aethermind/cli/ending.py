"""What is said when a run ends, waits or is interrupted; and the exit code that says the same."""

from __future__ import annotations

from aethermind.cli import streams, text
from aethermind.domain import views
from aethermind.domain.holding import GUARD
from aethermind.domain.run import Run
from aethermind.domain.state import Node, RunStatus
from aethermind.infra.sanitize import clean, clean_line

EXIT_CODES: dict[RunStatus, int] = {
    "succeeded": 0,
    "failed": 1,
    "cancelled": 1,
    "paused": 5,
    "waiting_answer": 5,
    "waiting_budget": 5,
    "parked": 5,
    "interrupted": 130,
    "queued": 130,
    "running": 130,
    "stopping": 130,
}
"""How the process ends for a run in this status once nothing drives it any more."""


def status_of(run: Run, *, completed: bool) -> RunStatus:
    """The run's status now that this process no longer drives it."""
    if run.finished is not None:
        return run.finished
    status = run.status
    if not completed:  # Ctrl-C: where others need the engine, this run alone was paused
        return "paused" if status == "paused" else "interrupted"
    return status if EXIT_CODES[status] == 5 else "interrupted"


def tell(
    run: Run, status: RunStatus, *, completed: bool = True, quiet: bool = False, as_json: bool = False
) -> int:
    """Outputs on stdout, then how it went on stderr; returns the exit code. `completed`: False after a
    Ctrl-C."""
    code = EXIT_CODES[status]
    if as_json:
        streams.OUT.write(text.json_line({"summary": views.run_object(run, status=status)}) + "\n")
    elif status == "succeeded":
        streams.OUT.write(_outputs(run))
    if code == 5:
        for line in _waits(run, status):
            streams.note(clean_line(line))
    elif code == 130:
        streams.note(f"interrupted; to go on: aethermind resume {run.id}")
    elif code == 1 and (quiet or as_json):
        streams.note(clean_line(f"{run.id} {status}{_why(run)}"))
    if not quiet and not as_json:
        _tell_figures(run, status)
    return code if completed or run.finished is not None else EXIT_CODES["interrupted"]


def _outputs(run: Run) -> str:
    """One output: its text alone. Several: named blocks for a person, one JSON object for a pipe."""
    found = views.outputs(run)
    if not found:
        return ""
    if len(found) == 1:
        told = text.as_text(next(iter(found.values())))
    elif streams.OUT.terminal:
        told = "\n\n".join(f"{name}:\n{text.as_text(value)}" for name, value in found.items())
    else:
        told = text.as_text(found)
    if streams.OUT.terminal:
        told = clean(told)
    return told if told.endswith("\n") else told + "\n"


_ASKED = 160
"""Characters of a question beside its command; the trace and `show --step` have all of it."""


def _waits(run: Run, status: RunStatus) -> list[str]:
    if status == "paused":
        return [f"{paused_line(run)}; to go on: aethermind resume {run.id}"]
    return [waiting_line(run, node) for node in views.open_questions(run)]


def paused_line(run: Run) -> str:
    """`paused`; with who did it and why, where that was not a person's plain wish."""
    if run.pause is None or not run.pause.reason:
        return "paused"
    by = f" by the {GUARD}" if run.pause.by == GUARD else ""
    return f"paused{by}: {run.pause.reason}"


def _budget_line(run: Run, node: Node) -> str:
    held = run.held.get(node.path)
    match held.scope if held is not None else "run":
        case "guard":
            return f"{node.path} is held back by the guard: aethermind resume {run.id}"
        case "day":
            sim = " --sim" if run.created.simulated else ""
            return (
                f"{node.path} would exceed the budget of the day: aethermind budget today USD{sim}"
                f" && aethermind resume {run.id}"
            )
        case _:
            has = text.money(run.budget_micro_usd)
            return f"{node.path} would exceed the budget of {has}: aethermind budget {run.id} USD"


def waiting_line(run: Run, node: Node) -> str:
    """What a step waits for, and the command that decides it."""
    asked = views.question_object(node)
    message = text.shorten(" ".join((asked["message"] or "").split()), _ASKED)
    answer = f"aethermind answer {run.id} {quoted(node.path)}"
    match asked["about"]:
        case "in_doubt":
            choices = asked["fields"].get("choice", {}).get("enum", ("retry", "skip", "fail"))
            others = ", ".join(f"or {choice}" for choice in choices[1:])
            return (
                f"{node.path} was under way when the engine stopped, and nobody saw how it ended: "
                f"{answer} -i choice=retry ({others})"
            )
        case "budget":
            return _budget_line(run, node)
        case _ if list(asked["fields"])[:1] == ["approved"] and (
            asked["about"] == "tool" or len(asked["fields"]) == 1
        ):
            approve = f"aethermind approve {run.id} {quoted(node.path)}"
            if asked["about"] == "tool":
                approve = f"aethermind show {run.id} --step {quoted(node.path)} shows it whole; {approve}"
            return f"{node.path} asks: {_then(message)} {approve} (or reject)"
        case _:
            fields = " ".join(f"-i {name}=…" for name in asked["fields"]) or "-i …"
            return f"{node.path} asks: {_then(message)} {answer} {fields}"


def _then(message: str) -> str:
    """The message as what comes before a command: with a colon, if it does not end a sentence itself."""
    return message if message.endswith((".", "!", "?", ":", "…")) else f"{message}:"


def quoted(path: str) -> str:
    """A step's path as a shell takes it: brackets and `#` mean something there."""
    return f"'{path}'" if set(path) & set("[]#") else path


def _why(run: Run) -> str:
    if run.error is None:
        return ""
    where = f"{run.error_step}: " if run.error_step else ""
    hint = f" ({run.error.hint})" if run.error.hint else ""
    return f": {where}{run.error.message}{hint}"


def _tell_figures(run: Run, status: RunStatus) -> None:
    spent = text.took(views.duration(run.created_at, run.finished_at))
    parts = [f"{status}{f' in {spent}' if spent else ''}{_why(run)}"]
    if run.tally.calls:
        parts += [cost_line(run), usage_line(run)]
    parts.append(run.id)
    dot = " · " if streams.unicode_fits(streams.ERR) else " | "
    streams.note(text.mark(status, streams.ERR) + clean_line(dot.join(parts)))
    if not streams.ERR.terminal:
        return
    steps = [f"aethermind show {run.id}", f"aethermind logs {run.id}"]
    if status in {"failed", "cancelled"}:
        steps.insert(0, f"aethermind retry {run.id}")
    told = f"next: {dot.join(steps)}"
    streams.note(text.dim(told) if streams.colours(streams.ERR) else told)


def cost_line(run: Run) -> str:
    """`$0.0123 (sim: notional)`, `$0.0123 + 1 unpriced, at most $0.02 more for calls whose end nobody saw`;
    `unknown, at most $0.02 …` where nothing but such calls was billed."""
    tally = run.tally
    known = tally.cost is not None or bool(tally.unpriced)
    if known:
        told = text.money(tally.cost, unpriced=tally.unpriced)
    else:
        told = "unknown" if _may_be_billed(run) else text.money(0)  # nothing: every call was refused
    if run.budget_micro_usd is not None:
        told += f" of {text.money(run.budget_micro_usd)}"
    if run.created.simulated:
        told += " (sim: notional)"
    if tally.saved:
        told += f", {text.money(tally.saved)} saved by caching"
    if tally.at_most:
        more = " more" if known else ""
        told += f", at most {text.money(tally.at_most)}{more} for calls whose end nobody saw"
    if tally.reserved:
        told += f", ~{text.money(tally.reserved)} in flight"
    return told


def _may_be_billed(run: Run) -> bool:
    """Whether a call is under way, or over without its amount being known."""
    return any(
        call.status in {"running", "lost"} or call.cost is not None
        for node in run.walk()
        for attempt in node.attempts
        for call in attempt.calls
    )


def usage_line(run: Run) -> str:
    """`41.2k in (3.1k cached), 1.2k out`."""
    usage = run.tally.usage
    cached = f" ({text.tokens(usage.cached_input_tokens)} cached)" if usage.cached_input_tokens else ""
    thought = f" ({text.tokens(usage.reasoning_tokens)} reasoning)" if usage.reasoning_tokens else ""
    return f"{text.tokens(usage.input_tokens)} in{cached}, {text.tokens(usage.output_tokens)} out{thought}"
