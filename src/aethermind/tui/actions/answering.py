"""Deciding what steps wait for: questions, approvals, and what became of an attempt in doubt."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aethermind.domain.state import Node, Question
from aethermind.domain.views import open_questions
from aethermind.engine.client import Client
from aethermind.tui.actions.target import by, node_of, run_id_of, run_of, short

if TYPE_CHECKING:
    from aethermind.tui.context import Context
    from aethermind.tui.screens.confirm import Choice


def _asking(context: Context) -> list[Node]:
    """Steps that wait for a person: the one the action is about, or all of the run."""
    run, node = run_of(context), node_of(context)
    if node is not None and node.status in _ASKING:
        return [node]
    return [n for n in open_questions(run) if n.status in _ASKING] if run is not None else []


_ASKING = frozenset({"in_doubt", "waiting_answer"})


async def answer(context: Context, argument: str) -> None:
    run_id = run_id_of(context)
    if run_id is None:
        return
    for path in [node.path for node in _asking(context)]:
        run = context.run(run_id)
        node = run.nodes.get(path) if run is not None else None
        if node is None or node.status not in _ASKING:
            continue  # somebody else was faster
        values = await decide(context, run_id, node)
        if values is None:
            return
        await send(context, run_id, path, values)


def _told(values: dict[str, Any]) -> str:
    if set(values) <= {"approved", "note", "digest"} and "approved" in values:
        word = "approved" if values["approved"] else "rejected"
        return f"{word}: {values['note']}" if values.get("note") else word
    return ", ".join(map(str, values.values()))


async def _send(client: Client, *, run_id: str, path: str, values: dict[str, Any], by: str) -> None:
    await client.answer(run_id, path, values, by=by)


async def send(context: Context, run_id: str, path: str, values: dict[str, Any]) -> None:
    """Record the decision, and say it."""
    await context.engine.ask(partial(_send, run_id=run_id, path=path, values=values, by=by(context)))
    context.toast(f"{path}: {_told(values)}")


async def decide(context: Context, run_id: str, node: Node) -> dict[str, Any] | None:
    """Ask what kind of question it is; None: later."""
    from aethermind.tui.screens.confirm import Choice, ConfirmScreen
    from aethermind.tui.screens.question import QuestionScreen

    question = node.question
    if node.status == "in_doubt" or question is None:
        kind = node.step.kind
        choice = await context.ask(
            ConfirmScreen(
                f"What happened to the step {node.path} of {short(run_id)}?",
                note=(question.message if question is not None else "")
                or f"The engine died while this {kind} step ran. Nobody saw how it ended.",
                show=(question.show or "") if question is not None else "",
                choices=[
                    Choice("r", "retry: run it again (it may then have run twice)", "retry"),
                    *_tell(question),
                    Choice("s", "skip: go on without its output", "skip"),
                    Choice("f", "fail: count it as failed", "fail"),
                ],
                refuse="decide later",
            )
        )
        return None if choice is None else {"choice": choice}
    if question.about == "tool":
        choice = await context.ask(
            ConfirmScreen(
                question.message,
                note=f"{node.path} of {short(run_id)}; a yes is for just this, once",
                show=question.show or "",
                choices=[
                    Choice("y", "allow it", "yes"),
                    Choice("n", "no: the model is told, and may go on", "no"),
                    Choice("w", "no, and say why", "why"),
                ],
                refuse="decide later",
            )
        )
        if choice == "why":
            why = Question("tool", "What is the model told?", {"note": question.fields["note"]}, 0)
            said = await context.ask(QuestionScreen(question.message, why))
            return None if said is None else {"approved": False, **said, "digest": question.digest}
        return None if choice is None else {"approved": choice == "yes", "digest": question.digest}
    if set(question.fields) == {"approved"}:
        choice = await context.ask(
            ConfirmScreen(
                question.message,
                note=f"{node.path} of {short(run_id)}",
                show=question.show or "",
                choices=[Choice("y", "approve", "yes"), Choice("n", "reject: the step fails", "no")],
                refuse="decide later",
            )
        )
        return None if choice is None else {"approved": choice == "yes"}
    return await context.ask(QuestionScreen(f"{node.path} of {short(run_id)} asks", question))


def _tell(question: Question | None) -> list[Choice]:
    """A tool may also be left as it is."""
    from aethermind.tui.screens.confirm import Choice

    choices = question.fields.get("choice", {}).get("enum", ()) if question is not None else ()
    return [Choice("t", "tell the model that nobody knows", "tell")] if "tell" in choices else []


def can_answer(context: Context) -> str | None:
    return None if _asking(context) else "no step of this run waits for a decision"
