"""`aethermind show`."""

from __future__ import annotations

import time
from typing import Any

import click

from aethermind.cli import streams, text
from aethermind.cli.ending import cost_line, paused_line, usage_line, waiting_line
from aethermind.cli.options import Given, as_json, verb
from aethermind.cli.session import compose, engine_of
from aethermind.cli.trees import print_tree
from aethermind.domain import views
from aethermind.domain.call_states import ToolState
from aethermind.domain.errors import NotFoundError
from aethermind.domain.run import Run
from aethermind.domain.state import RunStatus
from aethermind.domain.tool_views import tool_said, tool_status, tool_title
from aethermind.engine.client import Client
from aethermind.engine.provenance import IMPORTED_FROM
from aethermind.infra.sanitize import clean, clean_line

Json = Any


async def find(client: Client, ref: str) -> tuple[Run, RunStatus]:
    """A run, and its status as the client knows it (`interrupted`, if nobody drives it)."""
    from aethermind.engine.queries import RunFilter

    run = await client.run(await client.find_run(ref))
    page = await client.runs(RunFilter(id_prefix=run.id), limit=1)
    status = next((row.status for row in page.items if row.id == run.id), run.status)
    return run, status  # type: ignore[return-value]  # rows carry the same names


@verb("show")
@click.argument("run")
@click.option("--tree", "as_tree", is_flag=True, help="The steps as a tree, all of them.")
@click.option("--output", "name", metavar="NAME", help="Only this output (or step's output), raw.")
@click.option(
    "--step", "path", metavar="STEP", help="Only this step: what was sent, what came back, each try."
)
@as_json
@click.pass_obj
def command(given: Given, run: str, as_tree: bool, name: str | None, path: str | None, as_json: bool) -> int:
    """Show RUN: its steps, outputs and cost."""
    with engine_of(compose(given), look=True) as engine:
        found, status = engine.call(lambda client: find(client, run)).result()
    if name is not None:
        _print_output(found, name, as_json=as_json)
    elif path is not None:
        _print_step(found, path, as_json=as_json)
    elif as_json:
        streams.say(text.json_line(views.run_object(found, status=status)))
    else:
        _print_head(found, status)
        if as_tree:
            print_tree(found, limit=1_000_000)
        else:
            print_tree(found, limit=40)
            _print_outputs(found)
    return 0


def _print_output(run: Run, name: str, *, as_json: bool) -> None:
    try:
        value = views.output_named(run, name)
    except KeyError:
        known = ", ".join(views.outputs(run)) or "none yet"
        raise NotFoundError(f"run {run.id} has no output {name!r}", hint=f"outputs: {known}") from None
    if as_json:
        streams.say(text.json_line(value))
        return
    told = text.as_text(value)
    streams.say(clean(told) if streams.OUT.terminal else told)


def _print_head(run: Run, status: RunStatus) -> None:
    created, tally = run.created, run.tally
    spent = text.took(views.duration(run.created_at, run.finished_at))
    sim = "  sim" if created.simulated else ""
    streams.say(
        f"{clean_line(created.workflow)}  {run.id}  {text.state(status, streams.OUT)}"
        f"{'  ' + spent if spent else ''}{sim}"
    )
    facts = {
        "created": text.moment(run.created_at),
        "file": created.source or "",
        "imported": f"ran elsewhere as {origin}" if (origin := created.tags.get(IMPORTED_FROM)) else "",
        "inputs": "  ".join(f"{k}={text.shorten(text.inline(v), 60)}" for k, v in created.inputs.items()),
        "models": "  ".join(f"{k} → {' | '.join(v)}" for k, v in run.models.items()),
        "cost": cost_line(run) if tally.calls else "",
        "tokens": usage_line(run) if tally.calls else "",
        "paused": paused_line(run) if status == "paused" and run.pause and run.pause.reason else "",
        "error": run.error.message if run.error is not None else "",
        "hint": (run.error.hint or "") if run.error is not None else "",
    }
    for name, value in facts.items():
        if value:
            streams.say(f"  {name:<8} {clean_line(value)}")
    for node in views.open_questions(run):
        streams.say(f"  waits    {clean_line(waiting_line(run, node))}")
    if status == "interrupted":
        streams.say(f"  goes on  aethermind resume {run.id}")


def _print_outputs(run: Run) -> None:
    for name, value in views.outputs(run).items():
        streams.say(f"\n{clean_line(name)}:")
        streams.say(clean(text.as_text(value)))


def _print_step(run: Run, path: str, *, as_json: bool) -> None:
    node = run.nodes.get(path)
    if node is None:
        from aethermind.definitions.hints import did_you_mean

        raise NotFoundError(f"run {run.id} has no step {path!r}", hint=did_you_mean(path, run.nodes))
    found = views.step_object(node, requests=True)
    if as_json:
        streams.say(text.json_line(found))
        return
    now = int(time.time() * 1000)
    for attempt in node.attempts:
        spent = text.took((attempt.finished_at or now) - attempt.started_at)
        mark = text.mark(attempt.status, streams.OUT)
        streams.say(f"{mark}try {attempt.n}  {attempt.status}  {spent}")
        if attempt.error is not None:
            streams.say(f"  {clean_line(attempt.error.message)}")
            if attempt.error.detail:
                streams.say(clean(attempt.error.detail))
        for call in attempt.calls:
            price = text.money(
                call.cost.micro_usd if call.cost else None, unpriced=int(call.cost is not None)
            )
            used = text.tokens(call.usage.total_tokens) if call.usage else "?"
            spent = f"{used} tok  {price}" if call.usage or call.cost else ""
            if call.cached_from is not None:
                spent = f"{text.cached([call])} (the answer of {call.cached_from.run})"
            streams.say(f"  call {call.n}  {call.provider}:{call.model}  {call.status}  {spent}".rstrip())
            if call.error is not None and call is not attempt.calls[-1]:  # the last one's is the attempt's
                streams.say(f"    {clean_line(call.error.message)}")
            _print_request(call.request)
            if call.text:
                streams.say(f"\n{text.dim('answer') if streams.colours(streams.OUT) else 'answer'}")
                streams.say(clean(call.text))
            for tool in call.tools:
                _print_tool(tool, now)
    question = node.question
    if question is not None and node.status in {"waiting_answer", "in_doubt"}:
        streams.say(f"\nasks: {clean_line(question.message)}")
        if question.show:
            streams.say(clean(question.show))
    if not any(attempt.calls for attempt in node.attempts) and node.output is not None:
        streams.say(clean(text.as_text(node.output)))


def _print_tool(tool: ToolState, now: int) -> None:
    status = tool_status(tool)
    spent = text.took((tool.finished_at or now) - tool.started_at)
    by = f"  decided by {tool.by}" if tool.by else ""
    said = f"  {said}" if (said := tool_said(tool)) else ""
    streams.say("  " + text.marked(status, clean_line(f"{tool_title(tool)}  {spent}{by}{said}"), streams.OUT))


def _print_request(request: Json) -> None:
    parts = [("system", request.get("system"))] if isinstance(request, dict) else []
    messages = request.get("messages", []) if isinstance(request, dict) else []
    parts += [(str(m.get("role", "")), m.get("content")) for m in messages if isinstance(m, dict)]
    for role, content in parts:
        if content:
            streams.say(f"\n{text.dim(role) if streams.colours(streams.OUT) else role}")
            streams.say(clean(text.as_text(content)))
