"""Runs one attempt of one step and tells its run how it ended.

Each kind of step has one function here. Whatever happens — success, failure, timeout, cancellation — ends
as exactly one `Ended` message; an exception never escapes.
"""

from __future__ import annotations

import asyncio
import inspect
import traceback
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import assert_never

import msgspec

from aethermind import failpoints, wire
from aethermind.domain.errors import ErrorInfo, StepFailure
from aethermind.domain.events import LogWritten
from aethermind.domain.scope import Scope
from aethermind.domain.state import Node
from aethermind.domain.workflow import (
    Ask,
    Command,
    Fail,
    Function,
    Group,
    Prompt,
    PythonCall,
    SubWorkflow,
    Value,
    prompt_config,
)
from aethermind.engine import lacking
from aethermind.engine.calls import Calls
from aethermind.engine.context import StepContext
from aethermind.engine.conversation import converse
from aethermind.engine.deadlines import Deadlines
from aethermind.engine.live import Asked, Cancelled, Ended, Held, LiveRun, Note, Outcome, Success
from aethermind.engine.ports import ChildOutput, Children, Expressions, Files, Message, Schemas
from aethermind.engine.reserving import HeldByBudget
from aethermind.engine.services import Services
from aethermind.engine.surroundings import surroundings
from aethermind.engine.tool_loop import NeedsApproval
from aethermind.engine.tool_place import open_toolbox

DETAIL_BYTES = 4_000


class Attempts:
    """Carries attempts out through the ports."""

    def __init__(
        self,
        *,
        services: Services,
        expressions: Expressions,
        schemas: Schemas,
        children: Children,
        files: Files,
    ) -> None:
        self._services = services
        self._expressions = expressions
        self._schemas = schemas
        self._children = children
        self._files = files
        self._deadlines = Deadlines()

    async def run(self, live: LiveRun, node: Node, attempt: int) -> None:
        """The body of an attempt's task."""
        calls = Calls(self._services, live, node, attempt)
        timeout = node.step.timeout_ms
        deadline = calls.deadline = None if timeout is None else self._deadlines.begin(timeout)
        outcome: Outcome | None
        try:
            outcome = await self._execute(live, node, attempt, calls)
        except asyncio.CancelledError:
            if node.path in live.stopping or live.dropped:
                outcome = Cancelled(node.reason or "")
            elif deadline is not None and deadline.passed:
                calls.abandon()
                text = f"took longer than {_duration(node.step.timeout_ms or 0)}"
                outcome = ErrorInfo(kind="timeout", message=text, retryable=True)
            else:
                # Somebody cancelled the task from outside (user code): that is a failure, not our stop.
                outcome = ErrorInfo(kind="cancelled", message="the step's task was cancelled from inside")
        except HeldByBudget as held:
            outcome = Held(held.scope, held.needed, held.available)
        except NeedsApproval as needs:
            outcome = Asked(needs.question)
        except StepFailure as failure:
            outcome = failure.info
        except Exception as error:  # noqa: BLE001 - user code may raise anything; it becomes a recorded error
            outcome = _exception_info(error)
        if deadline is not None:
            deadline.end()
        calls.close(failed=isinstance(outcome, ErrorInfo))
        if isinstance(outcome, ErrorInfo):
            # Cut off by the engine's leaving is as if the process had died: `resume` says what follows.
            outcome = None if live.interrupted and _was_cancelled() else self._scrubbed(outcome)
        if failpoints.armed:
            failpoints.reached("attempt.result")
        if live.dropped:
            return
        if outcome is not None:
            live.end(Ended(node.path, attempt, tuple(calls.facts), outcome))
        elif calls.facts:  # what was paid for is recorded, whatever becomes of the attempt
            live.post(Note(tuple(calls.facts)))

    async def _execute(self, live: LiveRun, node: Node, attempt: int, calls: Calls) -> Outcome:
        action = node.step.action
        match action:
            case Function():
                success = await self._function(live, node, attempt, action, calls)
            case Prompt():
                success = await self._prompt(live, node, attempt, action, calls)
            case Command():
                success = await self._command(live, node, attempt, action, calls)
            case PythonCall():
                success = await self._python(live, node, attempt, action, calls)
            case Value(value=tree):
                success = Success(self._expressions.value(tree, Scope(live.run, node)))
            case Fail(reason=reason):
                text = self._expressions.text(reason, Scope(live.run, node))
                raise StepFailure(ErrorInfo(kind="fail_step", message=text))
            case Ask() | SubWorkflow() | Group():
                raise StepFailure(ErrorInfo(kind="internal", message=f"a {node.step.kind} step can't be run"))
            case _:
                assert_never(action)
        if node.step.save is None:
            return success
        return await self._save(live, node, node.step.save, success)

    # --- kinds of step -------------------------------------------------------------------------

    async def _function(
        self, live: LiveRun, node: Node, attempt: int, action: Function, calls: Calls
    ) -> Success:
        function = live.functions.get(action.name)
        if function is None:
            raise StepFailure(
                ErrorInfo(
                    kind="not_found",
                    message=f"function {action.name} is not registered in this process",
                    hint="start the program that defines it and resume the run from there",
                )
            )
        inputs = live.run.created.inputs
        if action.inputs is not None:
            inputs = self._expressions.value(action.inputs, Scope(live.run, node))
        context = StepContext(live=live, node=node, attempt=attempt, inputs=inputs, calls=calls)
        value = function(context)
        if inspect.isawaitable(value):
            value = await value
        try:
            value = wire.decode_json(wire.encode_json(value))  # what a replay will see, and nobody else's
        except (TypeError, ValueError) as error:
            raise StepFailure(
                ErrorInfo(kind="output", message=f"{action.name} returned what is not JSON: {error}")
            ) from None
        agent, writes = context.writes
        return Success(value, agent=agent, writes=writes)

    async def _prompt(self, live: LiveRun, node: Node, attempt: int, action: Prompt, calls: Calls) -> Success:
        scope = Scope(live.run, node)
        config = prompt_config(live.run.definition_for(node), node.step)
        messages = (Message(role="user", content=self._expressions.text(action.template, scope)),)
        instructions = self._expressions.text(config.instructions, scope)
        if live.taken_up:
            lacking.check(live, node, lacking.taken_by(config.tools), calls.facts)
        output = await converse(
            calls,
            config.models,
            messages,
            instructions=instructions,
            settings=config.settings,
            schema=action.output_schema,
            toolbox=await open_toolbox(self._services.tools, config.tools, live, node, attempt),
        )
        return Success(output)

    async def _command(
        self, live: LiveRun, node: Node, attempt: int, action: Command, calls: Calls
    ) -> Success:
        scope = Scope(live.run, node)
        argv = [self._expressions.text(part, scope) for part in action.argv]
        stdin = None if action.stdin is None else self._expressions.text(action.stdin, scope)
        result = await self._children.run(
            argv,
            cwd=self._cwd(live, action.cwd, scope),
            env=self._env(live, node, action.env, scope, calls),
            stdin=stdin,
            on_output=self._child_log(live, node, attempt),
        )
        if result.exit_code not in action.ok_codes:
            how = f"exit code {result.exit_code}" if result.exit_code >= 0 else f"signal {-result.exit_code}"
            tail = result.stderr.strip().splitlines()
            raise StepFailure(
                ErrorInfo(
                    kind="command",
                    message=f"{argv[0]}: {how}" + (f": {tail[-1][:200]}" if tail else ""),
                    status=result.exit_code,
                    retryable=True,
                    detail=result.stderr[-DETAIL_BYTES:] or None,
                )
            )
        text = result.stdout.removesuffix("\n")
        output = text if action.output_schema is None else self._schemas.parse(text, action.output_schema)
        facts = {"stdout": result.stdout, "stderr": result.stderr, "exit_code": result.exit_code}
        return Success(output, facts)

    async def _python(
        self, live: LiveRun, node: Node, attempt: int, action: PythonCall, calls: Calls
    ) -> Success:
        scope = Scope(live.run, node)
        value = await self._children.call_python(
            action.target,
            self._expressions.value(action.arguments, scope),
            interpreter=live.run.created.submitter.interpreter,
            cwd=self._cwd(live, action.cwd, scope),
            env=self._env(live, node, action.env, scope, calls),
            on_output=self._child_log(live, node, attempt),
        )
        if action.output_schema is not None:
            value = self._schemas.check(value, action.output_schema)
        return Success(value)

    # --- help ----------------------------------------------------------------------------------

    def _cwd(self, live: LiveRun, cwd: str | None, scope: Scope) -> str:
        base = live.run.created.submitter.cwd
        if cwd is None:
            return base
        return str(PurePosixPath(base) / self._expressions.text(cwd, scope))

    def _env(
        self, live: LiveRun, node: Node, env: Mapping[str, str], scope: Scope, calls: Calls
    ) -> dict[str, str]:
        lacking.check(live, node, lacking.taken(env), calls.facts)
        named = {
            name: live.env[value[1:]] if value.startswith("$") else self._expressions.text(value, scope)
            for name, value in env.items()
        }
        return {**surroundings(live.env), **named}

    def _child_log(self, live: LiveRun, node: Node, attempt: int) -> Callable[[ChildOutput], None]:
        scrub = self._services.scrub

        def write(line: ChildOutput, /) -> None:
            event = LogWritten(
                level="info" if line.stream == "stdout" else "warning",
                message=scrub(line.text),
                step=node.path,
                attempt=attempt,
                agent=node.agent,
                metadata={"stream": line.stream},
            )
            live.post(Note((event,)))

        return write

    def _scrubbed(self, error: ErrorInfo) -> ErrorInfo:
        scrub = self._services.scrub
        detail = None if error.detail is None else scrub(wire.recordable(error.detail))
        hint = None if error.hint is None else scrub(wire.recordable(error.hint))
        message = scrub(wire.recordable(error.message))
        return msgspec.structs.replace(error, message=message, hint=hint, detail=detail)

    async def _save(self, live: LiveRun, node: Node, template: str, success: Success) -> Success:
        path = self._expressions.text(template, Scope(live.run, node))
        output = success.output
        text = output if isinstance(output, str) else wire.encode_json(output).decode()
        if text and not text.endswith("\n"):
            text += "\n"
        saved = await self._files.save(live.run.created.submitter.cwd, path, text)
        if failpoints.armed:
            failpoints.reached("file.saved")
        return msgspec.structs.replace(success, saved=saved)


def _was_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _duration(ms: int) -> str:
    return f"{ms / 1000:g}s" if ms < 120_000 else f"{ms / 60_000:g}m"


def _exception_info(error: Exception) -> ErrorInfo:
    """A function of the user's raised: its type and text, and where (without locals)."""
    frames = traceback.extract_tb(error.__traceback__)
    where = "".join(traceback.format_list(frames[-6:]))
    first = str(error).splitlines()[0][:500] if str(error) else ""
    return ErrorInfo(
        kind="exception",
        message=f"{type(error).__name__}: {first}" if first else type(error).__name__,
        retryable=True,
        detail=where[-DETAIL_BYTES:],
    )
