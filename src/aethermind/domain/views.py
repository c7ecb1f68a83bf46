"""Pure views of a run: the object of `show --json`, the comparison of two runs.

Everything here is a function of a folded `Run`; nothing reads a clock. Times in the JSON object are
ISO 8601 UTC, money is micro-USD, durations are milliseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from aethermind.domain import ids
from aethermind.domain.call_states import CallState
from aethermind.domain.errors import ErrorInfo
from aethermind.domain.run import Run
from aethermind.domain.state import AttemptState, Node, RunStatus
from aethermind.domain.tool_views import tool_object
from aethermind.domain.usage import NO_USAGE, Usage

Json = Any


def iso(at: int | None) -> str | None:
    """Epoch milliseconds → `2026-01-02T03:04:05.678Z`."""
    if at is None:
        return None
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- the object of `show --json` ---------------------------------------------------------------


def run_object(run: Run, *, status: RunStatus | None = None) -> dict[str, Json]:
    """`{"run": {…}, "steps": […]}` with all fields, also null ones.

    `status` overrides what the run says of itself (`interrupted`, by whoever knows that no engine lives).
    """
    tally = run.tally
    return {
        "run": {
            "id": run.id,
            "workflow": run.created.workflow,
            "status": status or run.status,
            "inputs": run.created.inputs,
            "outputs": run.outputs,
            "error": error_object(run.error),
            "error_step": run.error_step,
            "priority": run.created.priority,
            "created_at": iso(run.created_at),
            "started_at": iso(run.started_at),
            "finished_at": iso(run.finished_at),
            "duration_ms": duration(run.created_at, run.finished_at),
            "usage": usage_object(tally.usage),
            "cost_micro_usd": tally.cost,
            "unpriced_calls": tally.unpriced,
            "at_most_micro_usd": tally.at_most,
            "saved_micro_usd": tally.saved,
            "simulated": run.created.simulated,
            "budget_micro_usd": run.budget_micro_usd,
            "generation": run.generation,
            "models": {name: list(found) for name, found in run.models.items()},
            "source": run.created.source,
            "cwd": run.created.submitter.cwd,
            "waiting_for": [question_object(node) for node in open_questions(run)],
        },
        "steps": [step_object(node) for node in run.walk()],
    }


def step_object(node: Node, *, requests: bool = False) -> dict[str, Json]:
    """One step in one place; `requests` adds to each model call what was sent."""
    return {
        "id": node.path,
        "kind": node.step.kind,
        "status": node.status,
        "agent": node.agent,
        "depends_on": dependencies(node),
        "item": node.item,
        "output": node.output,
        "result": node.result,
        "error": error_object(node.error),
        "reason": node.reason,
        "saved": node.saved,
        "started_at": iso(node.started_at),
        "finished_at": iso(node.finished_at),
        "duration_ms": duration(node.started_at, node.finished_at),
        "attempts": [_attempt_object(attempt, requests=requests) for attempt in node.attempts],
    }


def _attempt_object(attempt: AttemptState, *, requests: bool) -> dict[str, Json]:
    usages = [call.usage for call in attempt.calls if call.usage is not None]
    prices = [price for call in attempt.calls if (price := _price(call)) is not None]
    known = bool(usages) or not any(_used_unknown(call) for call in attempt.calls)
    return {
        "n": attempt.n,
        "status": attempt.status,
        "started_at": iso(attempt.started_at),
        "finished_at": iso(attempt.finished_at),
        "duration_ms": duration(attempt.started_at, attempt.finished_at),
        "error": error_object(attempt.error),
        "retry_at": iso(attempt.retry_at),
        "possibly_billed_twice": attempt.billed_twice,
        "usage": usage_object(sum(usages, NO_USAGE)) if known else None,
        "cost_micro_usd": sum(prices) if prices else None,
        "model_calls": [_call_object(call, request=requests) for call in attempt.calls],
    }


def _used_unknown(call: CallState) -> bool:
    """Whether this call used tokens that nobody counted. One that was refused used none."""
    return call.usage is None and (call.status in {"succeeded", "lost"} or call.cost is not None)


def _call_object(call: CallState, *, request: bool) -> dict[str, Json]:
    found = {
        "n": call.n,
        "provider": call.provider,
        "model": call.model,
        "agent": call.agent,
        "status": call.status,
        "started_at": iso(call.started_at),
        "finished_at": iso(call.finished_at),
        "first_token_ms": call.first_token_ms,
        "usage": usage_object(call.usage) if call.usage is not None else None,
        "cost_micro_usd": _price(call),
        "price_source": call.cost.source if call.cost is not None else None,
        "saved_micro_usd": call.cost.saved_micro_usd if call.cost is not None else None,
        "reserved_micro_usd": call.reserved,
        "finish": call.finish,
        "cached_from": msgspec.to_builtins(call.cached_from),
        "text": call.text,
        "reasoning": call.reasoning,
        "error": error_object(call.error),
        "tool_calls": list(call.tool_calls),
        "tools": [tool_object(tool, at=iso, error=error_object) for tool in call.tools],
    }
    if request:
        found["request"] = call.request
    return found


def usage_object(usage: Usage) -> dict[str, int]:
    found: dict[str, int] = msgspec.to_builtins(usage)
    return found


def error_object(error: ErrorInfo | None) -> dict[str, Json] | None:
    if error is None:
        return None
    return {name: getattr(error, name) for name in error.__struct_fields__}


def question_object(node: Node) -> dict[str, Json]:
    """What a step waits for; `about` is `ask`, `in_doubt`, `tool` or `budget`."""
    # One that was decided stays with its node, which may wait for something else by now.
    question = node.question if node.question is not None and node.question.values is None else None
    about = question.about if question is not None else _WAITS.get(node.status, node.status)
    return {
        "step": node.path,
        "about": about,
        "message": question.message if question is not None else None,
        "fields": question.fields if question is not None else {},
        "show": question.show if question is not None else None,
        "asked_at": iso(question.asked_at) if question is not None else None,
    }


_WAITS = {"waiting_answer": "ask", "waiting_budget": "budget"}


def open_questions(run: Run) -> list[Node]:
    """The steps that can't go on without a decision, in the order of the tree."""
    waiting = {"in_doubt", "waiting_answer", "waiting_budget"}
    if run.finished is not None or not any(run.counts.get(status) for status in waiting):
        return []
    return [node for node in run.walk() if node.mode == "leaf" and node.status in waiting]


def dependencies(node: Node) -> list[str]:
    """Paths of what this node waited for. Items and rounds have those of their step."""
    group = node.parent
    while group is not None and group.mode != "group":
        group = group.parent
    prefix = group.path if group is not None else ""
    return [ids.child(prefix, need) for need in node.step.needs]


def duration(start: int | None, end: int | None) -> int | None:
    return end - start if start is not None and end is not None else None


def _price(call: CallState) -> int | None:
    return call.cost.micro_usd if call.cost is not None else None


# --- outputs -----------------------------------------------------------------------------------


def outputs(run: Run) -> dict[str, Json]:
    """The run's outputs by name; empty while it has none."""
    if run.outputs is None:
        return {}
    return dict(run.outputs) if isinstance(run.outputs, dict) else {"output": run.outputs}


def output_named(run: Run, name: str) -> Json:
    """An output of the run, or else the output of the step with this path. Raises `KeyError`."""
    found = outputs(run)
    if name in found:
        return found[name]
    if name in run.nodes:
        return run.nodes[name].output
    raise KeyError(name)


# --- two runs side by side -----------------------------------------------------------------------


def diff_object(left: Run, right: Run) -> dict[str, Json]:
    """`{"runs", "outputs", "steps", "cost_micro_usd", "duration_ms"}` of two runs: what `diff --json` prints.

    `runs` are those of `run_object`; pairs are [left, right]. An output or step that one side has not is
    null there. `output_same` says whether both sides have the step with the same output; `taken_over`, that
    one of them is a fork that has the step's output from an earlier run and did not run it.
    """
    runs = (left, right)
    one, other = outputs(left), outputs(right)
    named = [
        {
            "name": name,
            "same": name in one and name in other and one[name] == other[name],
            "left": one.get(name),
            "right": other.get(name),
        }
        for name in dict.fromkeys((*one, *other))
    ]
    steps = []
    for path in dict.fromkeys(node.path for run in runs for node in run.walk()):
        here, there = left.nodes.get(path), right.nodes.get(path)
        same = here is not None and there is not None and here.output == there.output
        taken = any(_taken_over(run, path) for run in runs) and (same or here is None or there is None)
        steps.append(
            {"id": path, "left": _side(here, same), "right": _side(there, same), "taken_over": taken}
        )
    return {
        "runs": [run_object(run)["run"] for run in runs],
        "outputs": named,
        "steps": steps,
        "cost_micro_usd": [run.tally.cost for run in runs],
        "duration_ms": [duration(run.created_at, run.finished_at) for run in runs],
    }


def _taken_over(run: Run, path: str) -> bool:
    """Whether this step, or the one that it is in, came with a fork and was not run since."""
    top = ids.static_path(path).partition("/")[0]
    node = run.nodes.get(top) if top in run.created.adopted else None
    return node is not None and not node.attempts and not node.children


def _side(node: Node | None, same: bool) -> dict[str, Json] | None:
    if node is None:
        return None
    tally = node.tally
    return {
        "status": node.status,
        "output_same": same,
        "duration_ms": duration(node.started_at, node.finished_at),
        "tokens": tally.usage.total_tokens if tally is not None else 0,
        "cost_micro_usd": tally.cost if tally is not None else None,
        "unpriced_calls": tally.unpriced if tally is not None else 0,
        "attempts": len(node.attempts),
    }
